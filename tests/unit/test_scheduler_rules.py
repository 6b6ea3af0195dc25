"""The pure half of the scheduler, as tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from mailhaul.db import to_microseconds
from mailhaul.retry import Policy
from mailhaul.states import Advice, Change, Grade, MigrationState, Scope
from services.scheduler.answers import Context, Standing, after, counts
from services.scheduler.rules import Tally, advice, outcome, resting_state
from services.scheduler.words import Outcome, Phase
from tests.scheduler_world import BLANK

S = MigrationState
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NOW_MICRO = to_microseconds(NOW)
FLYING = Standing(
    phase=Phase.FLYING,
    scope=Scope.BULK,
    trigger_no=1,
    failures=0,
    outcome=Outcome.OPEN,
    code="",
    side="",
    settled=False,
    due_at=None,
    settle_at=None,
    parked=False,
)


def context(stopped: str = "") -> Context:
    return Context(now=NOW, rng=Random(1), policy=Policy(), stopped=stopped)


@pytest.mark.parametrize(
    ("tally", "run_no", "planned", "state"),
    [
        (Tally(done=3), 1, True, S.READY_FOR_CUTOVER),
        (Tally(done=2, review=1), 1, True, S.READY_FOR_CUTOVER),
        (Tally(done=2, failed=1), 1, True, S.NEEDS_ATTENTION),
        (Tally(done=2, waiting=1), 1, True, S.NEEDS_ATTENTION),
        (Tally(done=3), 1, False, S.DONE),
        (Tally(done=2, review=1), 1, False, S.DONE_REVIEW),
        (Tally(done=2, failed=1), 1, False, S.NEEDS_ATTENTION),
        (Tally(failed=3), 1, False, S.FAILED),
        (Tally(done=2, failed=1), 2, False, S.FAILED),
        (Tally(done=2, waiting=1), 2, False, S.NEEDS_ATTENTION),
        (Tally(done=2, failed=1, waiting=1), 2, False, S.NEEDS_ATTENTION),
        (Tally(done=2), 3, False, S.DONE),
    ],
)
def test_resting_states(tally: Tally, run_no: int, planned: bool, state: MigrationState) -> None:
    assert resting_state(tally, run_no=run_no, another_planned=planned) is state


@pytest.mark.parametrize(
    ("tally", "before", "advised", "expected"),
    [
        (Tally(done=1), None, False, Advice.SWITCH_MX),
        (Tally(done=1, review=1), None, False, Advice.SWITCH_MX),
        (Tally(done=1, failed=1), None, False, Advice.DO_NOT_SWITCH),
        (Tally(done=1, waiting=1), None, False, Advice.DO_NOT_SWITCH),
        (Tally(done=1), Advice.DO_NOT_SWITCH, False, Advice.SWITCH_MX),
        (Tally(done=1, failed=1), Advice.SWITCH_MX, True, Advice.SWITCH_MX),
        (Tally(done=1), None, True, Advice.FINISHED),
        (Tally(failed=1), None, True, Advice.FINISHED),
        (Tally(done=1), Advice.FINISHED, True, Advice.FINISHED),
    ],
)
def test_advice(tally: Tally, before: Advice | None, advised: bool, expected: Advice) -> None:
    assert advice(tally, before=before, switch_advised=advised) is expected


@pytest.mark.parametrize(
    ("grade", "code", "expected"),
    [
        (Grade.EXACT, "", Outcome.DONE),
        (Grade.GOOD, "", Outcome.DONE),
        (Grade.REVIEW, "", Outcome.REVIEW),
        (Grade.PROBLEM, "", Outcome.FAILED),
        (Grade.EXACT, "bad_login", Outcome.FAILED),
        (None, "", Outcome.FAILED),
    ],
)
def test_outcomes(grade: Grade | None, code: str, expected: Outcome) -> None:
    assert outcome(grade, code) is expected


def test_a_tally_is_as_good_as_its_worst_mailbox() -> None:
    assert Tally(grades=(Grade.EXACT, Grade.GOOD), done=2).grade is Grade.GOOD
    assert Tally(grades=(Grade.EXACT,), done=1, waiting=1).grade is Grade.PROBLEM


@pytest.mark.parametrize(
    ("change", "more", "stopped", "expected"),
    [
        (Change.PARKED, {"reason": "continue"}, "", (Phase.QUEUED, 0, False)),
        (Change.PARKED, {"reason": "throttled"}, "", (Phase.QUEUED, 0, True)),
        (Change.PARKED, {"reason": "continue"}, "paused", (Phase.HELD, 0, False)),
        (Change.PARKED, {"reason": "continue"}, "cancelled", (Phase.CANCELLED, 0, False)),
        (Change.STOPPED, {"reason": "paused"}, "paused", (Phase.HELD, 0, False)),
        (Change.STOPPED, {"reason": "paused"}, "", (Phase.QUEUED, 0, False)),
        (Change.STOPPED, {"reason": "cancelled"}, "cancelled", (Phase.CANCELLED, 0, False)),
        (Change.FINISHED, {"code": "timeout", "retryable": True}, "", (Phase.QUEUED, 1, False)),
        (Change.FINISHED, {"code": "timeout", "retryable": True}, "paused", (Phase.HELD, 1, False)),
        (Change.FINISHED, {"code": "bad_login"}, "", (Phase.OVER, 1, False)),
        (Change.FINISHED, {"grade": Grade.EXACT, "settled": True}, "", (Phase.OVER, 0, False)),
        (Change.FINISHED, {"grade": Grade.EXACT, "settled": True}, "cancelled", (Phase.OVER, 0, False)),
        (Change.FINISHED, {"grade": Grade.EXACT, "settle_at": NOW}, "", (Phase.QUEUED, 0, False)),
    ],
)
def test_answers(change: Change, more: dict[str, object], stopped: str, expected: tuple[Phase, int, bool]) -> None:
    event = replace(BLANK, change=change, **more)  # type: ignore[arg-type]
    standing = after(event, FLYING, context(stopped))
    assert (standing.phase, standing.failures, standing.parked) == expected


@pytest.mark.parametrize(
    ("phase", "trigger_no", "expected"),
    [(Phase.FLYING, 1, True), (Phase.FLYING, 2, False), (Phase.QUEUED, 1, False), (Phase.OVER, 1, False)],
)
def test_which_answers_count(phase: Phase, trigger_no: int, expected: bool) -> None:
    assert counts(BLANK, replace(FLYING, phase=phase, trigger_no=trigger_no)) is expected


def test_a_settling_that_fails_leaves_the_outcome() -> None:
    settling = replace(FLYING, scope=Scope.SETTLE, outcome=Outcome.DONE, trigger_no=1)
    event = replace(BLANK, change=Change.SETTLED, code="bad_login", side="source")
    standing = after(event, settling, context())
    assert (standing.phase, standing.outcome, standing.settled, standing.code) == (
        Phase.OVER,
        Outcome.DONE,
        False,
        "",
    )
    again = after(replace(event, retryable=True), settling, context())
    assert (again.phase, again.scope, again.failures) == (Phase.QUEUED, Scope.SETTLE, 1)
    assert again.due_at is not None
    assert again.due_at >= NOW_MICRO + int(timedelta(seconds=15).total_seconds() * 1_000_000)
