"""The one state machine, pure: what may be asked in which state, and in which state a run leaves its migration."""

from dataclasses import dataclass

from mailhaul import events
from mailhaul.statement import COMPLETE, worst
from mailhaul.states import Advice, Grade, MigrationState
from services.scheduler.words import RESTING, Outcome

S = MigrationState
_LIVING = frozenset(S) - {S.CANCELLED}
_BEFORE_RUN = frozenset({S.VALIDATING, S.VALID, S.INVALID})

ALLOWED: dict[type[events.Request], frozenset[MigrationState]] = {
    events.RunRequested: RESTING | {S.VALID},
    events.RescheduleRequested: _BEFORE_RUN | RESTING | {S.RUNNING},
    events.PauseRequested: frozenset({S.RUNNING, S.VALID, S.READY_FOR_CUTOVER, S.NEEDS_ATTENTION}),
    events.ResumeRequested: frozenset({S.PAUSED}),
    events.CancelRequested: frozenset(S) - {S.CANCELLED, S.DONE, S.DONE_REVIEW, S.FAILED},
    events.RetryRequested: RESTING | {S.RUNNING},
    events.CorrectRowRequested: _LIVING,
    events.LeaveOutRowRequested: _LIVING,
    events.RecheckRequested: _LIVING,
    events.DeleteRequested: frozenset(S) - {S.RUNNING},
}

_WHY: dict[MigrationState, str] = {
    S.VALIDATING: "not_valid",
    S.INVALID: "not_valid",
    S.VALID: "not_running",
    S.RUNNING: "running",
    S.PAUSED: "paused",
    S.CANCELLED: "cancelled",
}


def refusal(request: type[events.Request], state: MigrationState) -> str | None:
    """Why the request cannot be granted in this state, or None."""
    if state in ALLOWED[request]:
        return None
    if request is events.ResumeRequested:
        return "not_paused"
    return _WHY.get(state, "finished")


@dataclass(frozen=True, slots=True)
class Tally:
    """How the mailboxes of a run came out."""

    grades: tuple[Grade, ...] = ()
    done: int = 0
    review: int = 0
    failed: int = 0
    waiting: int = 0

    @property
    def hindered(self) -> bool:
        """Something stands between the owner and the new MX."""
        return bool(self.failed or self.waiting)

    @property
    def grade(self) -> Grade:
        """As good as the worst mailbox; one that failed or waits is a problem."""
        return Grade.PROBLEM if self.hindered else worst(self.grades)


def resting_state(tally: Tally, *, run_no: int, another_planned: bool) -> MigrationState:
    """The state that a finished run leaves."""
    if another_planned:
        return S.NEEDS_ATTENTION if tally.hindered else S.READY_FOR_CUTOVER
    if tally.hindered:
        nothing_moved = tally.failed and not (tally.done or tally.review or tally.waiting)
        over = nothing_moved or (run_no > 1 and not tally.waiting)
        return S.FAILED if over else S.NEEDS_ATTENTION
    return S.DONE_REVIEW if tally.review else S.DONE


def advice(tally: Tally, *, before: Advice | None, switch_advised: bool) -> Advice:
    """What the mail about a run says; `before` is what its last mail said.

    The switch is advised once, by the first run after which nothing hinders it, and not taken back afterwards.
    """
    if before in (Advice.SWITCH_MX, Advice.FINISHED):
        return before
    if switch_advised:
        return Advice.FINISHED
    return Advice.DO_NOT_SWITCH if tally.hindered else Advice.SWITCH_MX


def outcome(grade: Grade | None, code: str) -> Outcome:
    """The outcome of a mailbox from its finish."""
    if code or grade is None or grade is Grade.PROBLEM:
        return Outcome.FAILED
    return Outcome.DONE if grade in COMPLETE else Outcome.REVIEW
