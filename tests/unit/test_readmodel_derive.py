"""The words of the state machine that no event names."""

from dataclasses import replace

import pytest

from mailhaul.readmodel.derive import RowFacts, RunFacts, Shown, check_state, mailbox_run_state
from mailhaul.states import CheckState, MailboxRunState

S = MailboxRunState


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((-1, -1, -1, "", False), CheckState.WAITING),  # only a stub
        ((1, -1, -1, "", True), CheckState.WAITING),
        ((1, -1, -1, "", False), CheckState.WAITING_FOR_OWNER),
        ((1, -1, 1, "passed", True), CheckState.PASSED),
        ((2, -1, 1, "failed", True), CheckState.WAITING),  # corrected since
        ((-1, -1, 1, "failed", False), CheckState.FAILED),  # the verdict came before the row
        ((2, 3, 2, "failed", True), CheckState.LEFT_OUT),
        ((4, 3, 4, "passed", True), CheckState.PASSED),  # taken in again
    ],
)
def test_row_checks(facts: tuple[int, int, int, str, bool], expected: CheckState) -> None:
    row, left_out, checked, state, secret = facts
    assert (
        check_state(
            RowFacts(
                row_version=row,
                left_out_version=left_out,
                check_version=checked,
                check_state=state,
                has_secret=secret,
            )
        )
        is expected
    )


BASE = RunFacts(
    trigger_no=0,
    trigger_failures=0,
    change_trigger=0,
    change="",
    change_scope="bulk",
    reason="",
    progressed=False,
    retryable=False,
    code="",
    grade="",
    progress_trigger=-1,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"trigger_no": 0, "change_trigger": -1}, Shown(S.WAITING)),
        ({"trigger_no": 3, "change_trigger": 2, "change": "finished", "trigger_failures": 2}, Shown(S.RETRYING, 2)),
        ({"trigger_no": 3, "change_trigger": 2, "change": "stopped", "reason": "paused"}, Shown(S.WAITING)),
        ({"trigger_no": 1, "change": "parked", "reason": "continue", "progress_trigger": 0}, Shown(S.COPYING)),
        ({"trigger_no": 1, "change_trigger": -1, "progress_trigger": 1}, Shown(S.COPYING)),
        ({"change": "started"}, Shown(S.SCANNING)),
        ({"change": "started", "progress_trigger": 0}, Shown(S.COPYING)),
        ({"change": "parked", "reason": "throttled"}, Shown(S.LIMITED)),
        ({"change": "parked", "reason": "server_down"}, Shown(S.LIMITED)),
        ({"change": "parked", "reason": "leased"}, Shown(S.WAITING)),
        ({"change": "parked", "reason": "retry", "trigger_failures": 1}, Shown(S.RETRYING, 2)),
        ({"change": "stopped", "reason": "paused"}, Shown(S.PAUSED)),
        ({"change": "stopped", "reason": "cancelled"}, Shown(S.CANCELLED)),
        ({"change": "finished", "grade": "exact"}, Shown(S.DONE)),
        ({"change": "finished", "grade": "good"}, Shown(S.DONE)),
        ({"change": "finished", "grade": "review"}, Shown(S.REVIEW)),
        ({"change": "finished", "grade": "problem"}, Shown(S.FAILED)),
        ({"change": "finished", "grade": "exact", "change_scope": "first"}, Shown(S.WAITING)),
        ({"change": "finished", "code": "login_failed"}, Shown(S.FAILED)),
        ({"change": "finished", "code": "timeout", "retryable": True, "trigger_failures": 1}, Shown(S.RETRYING, 2)),
        ({"change": "finished", "code": "timeout", "retryable": True, "trigger_failures": 4}, Shown(S.FAILED)),
        (
            {"change": "finished", "code": "timeout", "retryable": True, "trigger_failures": 4, "progressed": True},
            Shown(S.RETRYING, 1),
        ),
    ],
)
def test_mailbox_runs(changes: dict[str, object], expected: Shown) -> None:
    assert mailbox_run_state(replace(BASE, **changes), failures_allowed=5) == expected  # type: ignore[arg-type]
