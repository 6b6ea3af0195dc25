"""When a wait is over, for every state; and what times and sizes look like on a terminal."""

from typing import Any

import pytest

from mailhaul.cli.exits import CommandFailed, Exit
from mailhaul.cli.following import seconds
from mailhaul.cli.goals import Goal, Verdict, judge, resting
from mailhaul.cli.output import account, safe, size
from mailhaul.states import MigrationState

CODE = "M-7K2QX"
LATER = "2026-01-05T22:00:00Z"


def shown(state: str, **more: Any) -> dict[str, Any]:
    return {
        "code": CODE,
        "status": {"state": state, "text": state, "mark": "x"},
        "first_at": None,
        "second_at": None,
        "checks": {"passed": 2},
        "invalid": None,
        "runs": [],
        **more,
    }


FAILED = {"checks": {"passed": 1, "failed": 1}, "invalid": {"code": "rows_failed"}}
OVER = {"runs": [{"run": 1, "ended_at": LATER, "finished_at": None}]}


@pytest.mark.parametrize(
    ("goal", "state", "more", "code"),
    [
        (Goal.VALID, "validating", {}, None),
        (Goal.VALID, "valid", {}, Exit.OK),
        (Goal.VALID, "running", {}, Exit.OK),
        (Goal.VALID, "invalid", FAILED, Exit.INVALID),
        (Goal.VALID, "invalid", {**FAILED, "checks": {"waiting": 1, "failed": 1}}, None),  # being checked again
        (Goal.VALID, "invalid", {**FAILED, "checks": {"passed": 2}}, None),  # the fact is on its way
        (Goal.VALID, "invalid", {"invalid": {"code": "too_many_migrations"}}, Exit.INVALID),
        (Goal.VALID, "cancelled", {}, Exit.FAILURES),
        (Goal.RUN1, "valid", {"first_at": LATER}, None),
        (Goal.RUN1, "valid", {}, Exit.ERROR),  # nobody gave it a date
        (Goal.RUN1, "running", {}, None),
        (Goal.RUN1, "running", OVER, Exit.OK),  # the second run has begun
        (Goal.RUN1, "ready_for_cutover", OVER, Exit.OK),
        (Goal.RUN1, "needs_attention", OVER, Exit.FAILURES),
        (Goal.RUN1, "paused", {}, Exit.ERROR),
        (Goal.RUN1, "done", {}, Exit.OK),
        (Goal.DONE, "ready_for_cutover", {**OVER, "second_at": LATER}, None),
        (Goal.DONE, "ready_for_cutover", OVER, Exit.OK),
        (Goal.DONE, "needs_attention", {**OVER, "second_at": LATER}, None),
        (Goal.DONE, "needs_attention", OVER, Exit.FAILURES),
        (Goal.DONE, "done", {}, Exit.OK),
        (Goal.DONE, "done_review", {}, Exit.FAILURES),
        (Goal.DONE, "failed", {}, Exit.FAILURES),
        (Goal.DONE, "cancelled", {}, Exit.FAILURES),
    ],
)
def test_a_wait_ends_on_any_state_that_only_a_person_can_leave(
    goal: Goal, state: str, more: dict[str, Any], code: Exit | None
) -> None:
    verdict = judge(shown(state, **more), goal)
    assert (verdict.code if verdict else None) is code
    if verdict is not None:
        assert CODE in verdict.hint


def test_every_state_is_judged() -> None:
    for state in MigrationState:
        for goal in Goal:
            assert judge(shown(state.value), goal) is None or isinstance(judge(shown(state.value), goal), Verdict)


def test_a_watch_rests_between_the_runs() -> None:
    assert resting(shown("ready_for_cutover", second_at=LATER))
    assert not resting(shown("running"))
    assert not resting(shown("valid", first_at=LATER))


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("90s", 90), ("30m", 1800), ("8h", 28800), ("1d", 86400)])
def test_timeouts(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "1.5h", "-3"])
def test_timeouts_that_are_none(text: str) -> None:
    with pytest.raises(CommandFailed) as failed:
        seconds(text)
    assert failed.value.code is Exit.USAGE


def test_words_from_outside_cannot_steer_the_terminal() -> None:
    assert safe("a\x1b[31mb\u202ec") == "a\ufffd[31mb\ufffdc"


@pytest.mark.parametrize(
    ("octets", "text"), [(0, "0 B"), (999, "999 B"), (3_100_000_000, "3.1 GB"), (450_000, "450 kB")]
)
def test_sizes(octets: int, text: str) -> None:
    assert size(octets) == text


def test_an_account_is_told_in_one_line() -> None:
    sums = {"found": 12, "copied": 9, "already_there": 1, "skipped": 2, "vanished": 0, "failed": 0, "left": 0}
    assert account(sums) == "12 found = 9 copied + 1 already there + 2 skipped"
