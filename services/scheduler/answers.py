"""What an answer of the copier means for its mailbox: pure, one value in and one value out."""

from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from mailhaul import retry
from mailhaul.db import Microseconds, to_microseconds
from mailhaul.events import MailboxRunChanged
from mailhaul.states import Change, Scope
from services.scheduler.rules import outcome
from services.scheduler.words import Outcome, Phase

ORDINARY = frozenset({"continue", "leased"})  # a park that waits for no server


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A mailbox within a run, as far as an answer can change it."""

    phase: Phase
    scope: Scope
    trigger_no: int
    failures: int
    outcome: Outcome
    code: str
    side: str
    settled: bool
    due_at: Microseconds | None
    settle_at: Microseconds | None
    parked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What else decides: the present, chance, the policy, and whether the migration is stopped."""

    now: datetime
    rng: Random
    policy: retry.Policy
    stopped: str = ""  # paused | cancelled


def counts(event: MailboxRunChanged, standing: Standing) -> bool:
    """Whether the answer is to the latest trigger, and the first final one to it."""
    return event.trigger_no == standing.trigger_no and standing.phase is Phase.FLYING


def after(event: MailboxRunChanged, standing: Standing, context: Context) -> Standing:
    """The mailbox's standing after an answer that counts."""
    match event.change:
        case Change.STARTED:
            return standing
        case Change.PARKED:
            return _parked(event, standing, context)
        case Change.STOPPED:
            return _queued(standing, context, at=context.now, stopped=event.reason)
        case Change.FINISHED:
            return _failed(event, standing, context) if event.code else _finished(event, standing, context)
        case Change.SETTLED:
            if event.code:
                return _failed(event, standing, context)
            found = standing.outcome if event.grade is None else outcome(event.grade, standing.code)
            return replace(standing, phase=Phase.OVER, due_at=None, settled=True, outcome=found)


def _queued(standing: Standing, context: Context, *, at: datetime, stopped: str = "") -> Standing:
    """Back in the queue; held or cancelled when the migration is stopped meanwhile."""
    match context.stopped:
        case "cancelled":
            return replace(standing, phase=Phase.CANCELLED, due_at=None)
        case "paused":
            return replace(standing, phase=Phase.HELD, due_at=to_microseconds(at))
        case _:
            # A stop that was taken back before its answer came: go on at once.
            return replace(standing, phase=Phase.QUEUED, due_at=to_microseconds(at))


def _failures(event: MailboxRunChanged, standing: Standing) -> int:
    """Consecutive failures so far; progress begins the count anew (joint 2)."""
    return 0 if event.progressed else standing.failures


def _parked(event: MailboxRunChanged, standing: Standing, context: Context) -> Standing:
    kept = replace(standing, failures=_failures(event, standing), parked=event.reason not in ORDINARY)
    until = event.until if event.until is not None else context.now
    return _queued(kept, context, at=max(until, context.now))


def _finished(event: MailboxRunChanged, standing: Standing, context: Context) -> Standing:
    base = replace(standing, failures=0, code="", side="", parked=False, settled=event.settled)
    if standing.scope is Scope.FIRST:
        return _queued(replace(base, scope=Scope.BULK, settled=False), context, at=context.now)
    settle_at = None if event.settle_at is None else to_microseconds(event.settle_at)
    base = replace(base, outcome=outcome(event.grade, ""), settle_at=settle_at)
    if event.settled or event.settle_at is None:
        return replace(base, phase=Phase.OVER, due_at=None)
    return _queued(replace(base, scope=Scope.SETTLE), context, at=event.settle_at)


def _failed(event: MailboxRunChanged, standing: Standing, context: Context) -> Standing:
    failures = _failures(event, standing) + 1
    error = retry.Failed(event.code, event.retryable, event.until)
    decision = retry.decide(error, failures, context.now, context.rng, context.policy)
    failing = replace(standing, failures=failures, code=event.code, side=event.side, parked=False)
    if isinstance(decision, retry.RetryAt):
        if standing.scope is Scope.SETTLE:
            failing = replace(failing, code=standing.code, side=standing.side)
        return _queued(failing, context, at=decision.at)
    if standing.scope is Scope.SETTLE:
        # The run's outcome stands; what could not be looked at stays unsettled and is said so.
        return replace(failing, phase=Phase.OVER, due_at=None, code=standing.code, side=standing.side)
    return replace(failing, phase=Phase.OVER, due_at=None, outcome=Outcome.FAILED, settled=True)
