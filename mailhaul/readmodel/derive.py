"""States that no event names, derived from what the events said; pure."""

from dataclasses import dataclass

from mailhaul.states import Change, CheckState, Grade, MailboxRunState, Scope

# Reasons of a parked mailbox that are the work's own and no trouble.
ORDINARY_PAUSES = frozenset({"continue", "leased"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFacts:
    """Versions of the row's three groups, -1 where nothing was said."""

    row_version: int
    left_out_version: int
    check_version: int
    check_state: str
    has_secret: bool


def check_state(facts: RowFacts) -> CheckState:
    """The row check as every screen shows it; a verdict on an older version of the row counts no more."""
    if facts.left_out_version >= max(facts.row_version, 0):
        return CheckState.LEFT_OUT
    if facts.check_version >= max(facts.row_version, 0):
        return CheckState(facts.check_state)
    if facts.row_version > 0 and not facts.has_secret:
        return CheckState.WAITING_FOR_OWNER
    return CheckState.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A mailbox in a run: its latest trigger, what became of it, its account, and the newest trigger with progress."""

    trigger_no: int
    trigger_failures: int
    change_trigger: int
    change: str
    change_scope: str
    reason: str
    progressed: bool
    retryable: bool
    code: str
    grade: str
    progress_trigger: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A state and, for Retrying, which try comes next."""

    state: MailboxRunState
    retry_no: int = 0


def mailbox_run_state(facts: RunFacts, failures_allowed: int) -> Shown:
    """The row `mailbox run` of the one state machine."""
    if facts.trigger_no > facts.change_trigger:
        return _triggered(facts)
    match Change(facts.change) if facts.change else None:
        case None:
            return Shown(MailboxRunState.COPYING if facts.progress_trigger >= 0 else MailboxRunState.WAITING)
        case Change.STARTED:
            copying = facts.progress_trigger >= facts.change_trigger
            return Shown(MailboxRunState.COPYING if copying else MailboxRunState.SCANNING)
        case Change.PARKED:
            return _parked(facts)
        case Change.STOPPED:
            return Shown(MailboxRunState.CANCELLED if facts.reason == "cancelled" else MailboxRunState.PAUSED)
        case Change.FINISHED | Change.SETTLED:
            return _finished(facts, failures_allowed)


def _triggered(facts: RunFacts) -> Shown:
    """Triggered, and no answer to this trigger yet."""
    if facts.progress_trigger >= facts.trigger_no:  # the answer is on a topic that lags behind the progress
        return Shown(MailboxRunState.COPYING)
    if facts.trigger_failures:
        return Shown(MailboxRunState.RETRYING, facts.trigger_failures)
    if facts.change == Change.PARKED and facts.reason in ORDINARY_PAUSES and facts.progress_trigger >= 0:
        return Shown(MailboxRunState.COPYING)  # between two slices
    return Shown(MailboxRunState.WAITING)


def _parked(facts: RunFacts) -> Shown:
    if facts.reason == "retry":
        return Shown(MailboxRunState.RETRYING, _failures(facts))
    if facts.reason in ORDINARY_PAUSES:
        return Shown(MailboxRunState.COPYING if facts.progress_trigger >= 0 else MailboxRunState.WAITING)
    return Shown(MailboxRunState.LIMITED)


def _finished(facts: RunFacts, failures_allowed: int) -> Shown:
    if not facts.code and facts.change_scope == Scope.FIRST:
        return Shown(MailboxRunState.WAITING)  # the newest mail is there, the bulk has yet to be triggered
    if not facts.code and facts.grade in (Grade.EXACT, Grade.GOOD):
        return Shown(MailboxRunState.DONE)
    if not facts.code and facts.grade == Grade.REVIEW:
        return Shown(MailboxRunState.REVIEW)
    if facts.retryable and _failures(facts) < failures_allowed:
        return Shown(MailboxRunState.RETRYING, _failures(facts))
    return Shown(MailboxRunState.FAILED)


def _failures(facts: RunFacts) -> int:
    """Consecutive failures, this one included; progress begins the count anew (joint 2)."""
    return 1 if facts.progressed else facts.trigger_failures + 1
