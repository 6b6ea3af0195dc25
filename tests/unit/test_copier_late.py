"""Late copies: removed only where they came as their push went, and reported everywhere else (joint 27)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.copier.late import Push, find_surplus, torn
from services.copier.packing import Content


def content(name: bytes, flags: bytes = b"\\Seen", date: int = 1) -> Content:
    return Content(name * 16, 100, date, flags)


A, B, C, D = (content(name) for name in (b"a", b"b", b"c", b"d"))
PUSH = Push(low=10, single=False, rows=(A, B, C, D))
KNOWN = {1: A.digest, 2: B.digest, 3: C.digest, 4: D.digest}
ALIVE = set(KNOWN)


def late(present: dict[int, Content], *, push: Push = PUSH, known: dict[int, bytes] | None = None,
         alive: set[int] | None = None) -> tuple[list[int], list[int]]:  # fmt: skip
    """(UIDs that may be removed, UIDs that are reported)"""
    living = (ALIVE | set(present)) if alive is None else alive
    found = find_surplus([push], KNOWN if known is None else known, present, living)
    return [copy.uid for copy in found if copy.late], [copy.uid for copy in found if not copy.late]


@pytest.mark.joint(27)
def test_joint_27_a_whole_late_push_is_removed() -> None:
    assert late({20: A, 21: B, 22: C, 23: D}) == ([20, 21, 22, 23], [])


@pytest.mark.joint(27)
@pytest.mark.parametrize(
    ("case", "present"),
    [
        ("one message alone", {20: A}),
        ("in another order", {20: B, 21: A, 22: C, 23: D}),
        ("another message between", {20: A, 21: B, 23: C, 24: D}),
        ("less than half is left", {21: B}),
        ("another date", {20: A._replace(date=2), 21: B, 22: C, 23: D}),
        ("below the recorded UIDNEXT", {6: A, 7: B, 8: C, 9: D}),
    ],
)
def test_joint_27_anything_else_is_never_removed(case: str, present: dict[int, Content]) -> None:
    assert late(present)[0] == [], case


def test_a_gap_that_its_owner_made_is_no_mark_of_his() -> None:
    assert late({20: A, 22: C, 23: D}) == ([20, 22, 23], [])


def test_a_copy_that_its_owner_flagged_stays() -> None:
    flagged = B._replace(flags=b"\\Flagged \\Seen")
    assert late({20: A, 21: flagged, 22: C, 23: D}) == ([20, 22, 23], [21])


def test_deleted_counts_as_written_because_a_settling_may_have_been_killed() -> None:
    deleted = A._replace(flags=b"\\Deleted \\Seen")
    assert late({20: deleted, 21: B, 22: C, 23: D})[0] == [20, 21, 22, 23]


def test_a_digest_whose_ledger_copy_is_gone_is_never_removed() -> None:
    there = {20: A, 21: B, 22: C, 23: D}
    assert late(there, alive={2, 3, 4, *there}) == ([21, 22, 23], [20])


def test_a_digest_that_the_ledger_has_nowhere_is_never_removed() -> None:
    known = {2: B.digest, 3: C.digest, 4: D.digest}
    assert late({20: A, 21: B, 22: C, 23: D}, known=known) == ([21, 22, 23], [20])


def test_single_pushes_bear_no_mark() -> None:
    assert late({20: A, 21: B, 22: C, 23: D}, push=PUSH._replace(single=True)) == ([], [20, 21, 22, 23])


def test_a_stranger_between_keeps_everything() -> None:
    present = {20: A, 21: B, 23: D}
    assert late(present, alive=ALIVE | set(present) | {22}) == ([], [20, 21, 23])


@pytest.mark.parametrize(
    ("found", "rest"),
    [(set(), []), ({1}, [2, 3, 4]), ({1, 2}, [3, 4]), ({1, 2, 3, 4}, []), ({2}, []), ({1, 3}, []), ({9}, [])],
)
def test_a_torn_push_has_a_beginning_that_arrived_and_a_rest_that_did_not(found: set[int], rest: list[int]) -> None:
    assert list(torn([1, 2, 3, 4], found)) == rest


def test_the_rest_of_a_torn_push_is_a_push_of_its_own() -> None:
    # A and B were laid down before the session was stopped and found by recovery; C and D came after another push.
    known = {18: A.digest, 19: B.digest, 30: C.digest, 31: D.digest}
    present = {40: content(b"x"), 41: content(b"y"), 42: C, 43: D}
    living = set(known) | set(present)
    assert late(present, known=known, alive=living) == ([], [42, 43])
    assert late(present, push=PUSH._replace(rows=(C, D)), known=known, alive=living) == ([42, 43], [])


PLACES = st.dictionaries(st.integers(5, 30), st.sampled_from([A, B, C, D, content(b"e")]), max_size=12)


@given(PLACES, st.sets(st.sampled_from(sorted(KNOWN))))
def test_no_copy_is_removed_without_its_keepers_alive(present: dict[int, Content], alive: set[int]) -> None:
    names = {A.digest: 1, B.digest: 2, C.digest: 3, D.digest: 4}
    for copy in find_surplus([PUSH], KNOWN, present, alive | present.keys()):
        assert copy.uid >= PUSH.low
        if copy.late:
            assert names[copy.digest] in alive
