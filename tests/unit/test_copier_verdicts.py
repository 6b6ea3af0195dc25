"""What becomes of a batch: every message stored, queued again, given an outcome or unseen, never two of these."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul.imap.answers import Answer, parse_status
from services.copier.batches import Listed
from services.copier.pushes import Batch, Item
from services.copier.verdicts import judge
from services.copier.work import Folder

FOLDER = cast("Folder", SimpleNamespace())


def answer(text: bytes) -> Answer:
    parsed = parse_status(text)
    assert parsed is not None
    return parsed


def batch(count: int, *, refused: bytes = b"", items: int | None = None, tries: int = 0) -> Batch:
    made = Batch(FOLDER, [Listed(uid, 100, 0, b"") for uid in range(1, count + 1)], tries=tries)
    made.items = [Item(uid, 100, 0, b"") for uid in range(1, (count if items is None else items) + 1)]
    if refused:
        made.refused.append((answer(refused), made.items))
    return made


def shape(made: Batch) -> dict[str, Any]:
    verdict = judge(made)
    return {
        "again": [each.uids for each in verdict.again],
        "outcomes": [(uid, code) for uid, _, code, _ in verdict.outcomes],
        "unseen": sorted(verdict.unseen),
        "trouble": verdict.trouble.code if verdict.trouble else "",
    }


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (batch(3), {}),
        (batch(4, refused=b"NO no"), {"again": [[1, 2], [3, 4]]}),
        (batch(2, refused=b"NO no"), {"again": [[1], [2]]}),
        (batch(1, refused=b"NO no"), {"again": [[1]]}),
        (batch(1, refused=b"NO no", tries=1), {"outcomes": [(1, "append_refused")]}),
        (batch(1, refused=b"NO [TOOBIG] no"), {"outcomes": [(1, "too_large")]}),
        (batch(1, refused=b"NO [LIMIT] no", tries=1), {"outcomes": [(1, "append_refused")]}),
        (batch(9, refused=b"NO [OVERQUOTA] full"), {"trouble": "over_quota"}),
        (batch(9, refused=b"NO [SERVERBUG] oops"), {"trouble": "server_error"}),
        (batch(9, refused=b"NO Request is throttled"), {"trouble": "throttled"}),
        (batch(9, refused=b"NO [TRYCREATE] no"), {"trouble": "folder_missing"}),
        (batch(3, items=1), {"unseen": [2, 3]}),
        (batch(1, items=0, tries=1), {"outcomes": [(1, "not_returned")]}),
    ],
)
def test_verdicts(made: Batch, expected: dict[str, Any]) -> None:
    assert shape(made) == {"again": [], "outcomes": [], "unseen": [], "trouble": ""} | expected


def test_a_source_that_refuses_to_read_is_asked_again_for_halves() -> None:
    made = batch(3, items=1)
    made.unread = answer(b"NO cannot read a message")
    assert shape(made)["again"] == [[2], [3]]
    made.unread = answer(b"NO [UNAVAILABLE] later")
    assert shape(made)["trouble"] == "server_unavailable"


def test_a_single_message_that_the_source_refuses_to_read_fails_after_another_try() -> None:
    made = batch(1, items=0, tries=1)
    made.unread = answer(b"NO broken")
    assert shape(made)["outcomes"] == [(1, "fetch_refused")]


def test_a_message_that_grew_over_the_limit_is_skipped() -> None:
    made = batch(2, items=1)
    made.too_large.append((2, 999))
    assert shape(made)["outcomes"] == [(2, "too_large")]


@given(st.integers(1, 20), st.sets(st.integers(1, 20)))
def test_poison_is_found_and_nothing_else_fails(count: int, poison: set[int]) -> None:
    """A destination that refuses every push with poison in it: the rest is stored, each poison fails once."""
    todo, stored, failed, turns = [batch(count)], [], [], 0
    while todo:
        turns += 1
        made = todo.pop(0)
        made.items = [Item(message.uid, 100, 0, b"") for message in made.listed]
        if poison & set(made.uids):
            made.refused.append((answer(b"NO refused"), made.items))
        else:
            stored += made.uids
        verdict = judge(made)
        todo = verdict.again + todo
        failed += [uid for uid, *_ in verdict.outcomes]
    assert sorted(failed) == sorted(poison & set(range(1, count + 1)))
    assert sorted(stored + failed) == list(range(1, count + 1))
    assert turns <= 8 * max(1, len(failed)) * max(1, count.bit_length())
