"""What the copier answers, applied to its mailbox."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, and_, select, update

from mailhaul.events import MailboxRunChanged
from mailhaul.states import Change, Scope
from services.scheduler.answers import Context, Standing, after, counts
from services.scheduler.case import Case
from services.scheduler.completion import SUMS, conclude
from services.scheduler.runs import unblock
from services.scheduler.tables import mailbox_run
from services.scheduler.words import Outcome, Phase, turn_of


def changed(case: Case, event: MailboxRunChanged) -> None:
    """Take an answer to the latest trigger; any other changes nothing."""
    mine = and_(
        mailbox_run.c.migration_id == case.id,
        mailbox_run.c.run_no == event.run_no,
        mailbox_run.c.mailbox_id == event.mailbox_id,
    )
    known = case.tx.execute(select(mailbox_run).where(mine)).one_or_none()
    if known is None or event.change is Change.STARTED:
        return
    before = _standing(known)
    if not counts(event, before):
        return
    context = Context(now=case.now, rng=case.policy.rng, policy=case.policy.retry, stopped=case.stopped)
    standing = after(event, before, context)
    if event.run_no < case.run_no and standing.scope is Scope.SETTLE and standing.phase is not Phase.CANCELLED:
        # The copier ignores triggers of a run that a later one has overtaken; the later one settles at its start.
        standing = replace(standing, phase=Phase.OVER, due_at=None)
    case.tx.execute(update(mailbox_run).where(mine).values(**_columns(standing), **_account(event, standing)))
    if standing.outcome and not before.outcome:
        unblock(case, event.run_no, event.mailbox_id)
    if standing != before:
        conclude(case, event.run_no)


def _standing(known: Row[Any]) -> Standing:
    return Standing(
        phase=Phase(known.phase),
        scope=Scope(known.scope),
        trigger_no=known.trigger_no,
        failures=known.failures,
        outcome=Outcome(known.outcome),
        code=known.code,
        side=known.side,
        settled=known.settled,
        due_at=known.due_at,
        settle_at=known.settle_at,
        parked=known.parked,
    )


def _columns(standing: Standing) -> dict[str, Any]:
    return {
        "phase": standing.phase.value,
        "scope": standing.scope.value,
        "turn": turn_of(standing.scope),
        "failures": standing.failures,
        "outcome": standing.outcome.value,
        "code": standing.code,
        "side": standing.side,
        "settled": standing.settled,
        "due_at": standing.due_at,
        "settle_at": standing.settle_at,
        "parked": standing.parked,
    }


def _account(event: MailboxRunChanged, standing: Standing) -> dict[str, Any]:
    """The sums that the answer carries, where it carries them."""
    if event.change not in (Change.FINISHED, Change.SETTLED) or (event.code and event.scope is Scope.SETTLE):
        return {}
    sums = {name: getattr(event, name) for name in SUMS}
    grade = event.grade.value if event.grade is not None and standing.outcome else ""
    return sums | {"grade": grade}
