"""Who is who: multisets matched by their bytes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.copier.matching import Shape, alike, match_again, match_headers, match_push
from services.copier.packing import Content

CONTENTS = st.builds(
    Content,
    st.sampled_from([b"a" * 16, b"b" * 16, b"c" * 16]),
    st.just(10),
    st.sampled_from([1, 2]),
    st.sampled_from([b"", b"\\Seen"]),
)
MESSAGES = st.dictionaries(st.integers(1, 30), CONTENTS, max_size=12)


def content(digest: bytes, date: int = 1, flags: bytes = b"") -> Content:
    return Content(digest * 16, 10, date, flags)


@given(MESSAGES, MESSAGES)
def test_a_push_is_matched_as_a_multiset(wanted: dict[int, Content], present: dict[int, Content]) -> None:
    found = match_push(wanted, present)
    assert len(set(found.values())) == len(found)
    for uid, target in found.items():
        assert (wanted[uid].digest, wanted[uid].date) == (present[target].digest, present[target].date)
    mine = Counter((each.digest, each.date) for each in wanted.values())
    theirs = Counter((each.digest, each.date) for each in present.values())
    assert len(found) == sum((mine & theirs).values())


@given(MESSAGES, MESSAGES, st.lists(st.lists(st.integers(1, 30), max_size=4, unique=True), max_size=4))
def test_pushes_change_which_twin_is_which_and_never_how_many(
    wanted: dict[int, Content], present: dict[int, Content], pushes: list[list[int]]
) -> None:
    apart = [[uid for uid in push if not any(uid in other for other in pushes[:n])] for n, push in enumerate(pushes)]
    found = match_push(wanted, present, None, apart)
    assert len(set(found.values())) == len(found) == len(match_push(wanted, present))
    for uid, target in found.items():
        assert (wanted[uid].digest, wanted[uid].date) == (present[target].digest, present[target].date)


def test_a_push_that_lies_whole_is_found_there_though_a_twin_came_before() -> None:
    a, b, c = (content(name) for name in (b"a", b"b", b"c"))
    wanted = {1: a, 2: b, 3: a, 4: c}
    # The first push came twice, then the second: the twin of 1 and 3 in the midst of the second copy is not 3.
    present = {10: a, 11: b, 12: a, 13: b, 14: a, 15: c}
    assert match_push(wanted, present, None, [(1, 2), (3, 4)]) == {1: 10, 2: 11, 3: 14, 4: 15}
    assert match_push(wanted, present)[3] == 12


@given(MESSAGES, MESSAGES)
def test_a_new_uidvalidity_is_matched_by_bytes_alone_where_dates_were_lost(
    known: dict[int, Content], seen: dict[int, Content]
) -> None:
    found = match_again(known, seen)
    mine, theirs = (Counter(each.digest for each in side.values()) for side in (known, seen))
    assert len(found) == sum((mine & theirs).values())


def test_equal_flags_decide_between_twins() -> None:
    wanted = {1: content(b"a", flags=b"\\Seen"), 2: content(b"a")}
    present = {7: content(b"a"), 8: content(b"a", flags=b"\\Seen")}
    assert match_push(wanted, present) == {1: 8, 2: 7}


def test_twins_with_different_dates_keep_theirs() -> None:
    wanted = {1: content(b"a", date=5), 2: content(b"a", date=6)}
    present = {7: content(b"a", date=6, flags=b"\\Flagged")}
    assert match_push(wanted, present) == {2: 7}


def test_only_shapes_that_both_sides_have_are_read() -> None:
    source = {1: Shape(10, 1), 2: Shape(10, 2), 3: Shape(11, 1)}
    target = {7: Shape(10, 1), 8: Shape(12, 1)}
    assert alike(source, target) == ({1}, {7})


def test_headers_decide_where_they_are_alone_and_bytes_elsewhere() -> None:
    source = {1: "x", 2: "y", 3: "y", 4: "z"}
    target = {7: "x", 8: "y"}
    assert match_headers(source, target) == ({1: 7}, {2, 3}, {8})
