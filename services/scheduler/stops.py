"""Pause, resume, cancel: the stop stands in SQL first, then follows on the topic (joint 9)."""

from sqlalchemy import and_, select, update

from mailhaul import budget
from mailhaul.budget import StopLevel
from mailhaul.events import MailboxStopRequested, MigrationCancelled, MigrationPaused, MigrationResumed
from mailhaul.ids import MailboxId, derive
from mailhaul.states import MigrationState
from services.scheduler.case import Case
from services.scheduler.completion import conclude
from services.scheduler.tables import mailbox_run
from services.scheduler.timers import arm_purge, arm_runs, disarm
from services.scheduler.words import Phase, TimerKind


def pause(case: Case) -> None:
    """Nothing new begins, what is under way stops within seconds."""
    case.set(paused_from=case.state.value)
    budget.stop(case.tx, StopLevel.MIGRATION, case.id, "paused", case.at)
    _turn(case, [Phase.QUEUED], Phase.HELD)
    case.say(MigrationPaused, MigrationState.PAUSED)
    _stop_flying(case, "paused")


def resume(case: Case) -> None:
    """Everything goes on; a time that went by meanwhile counts at once."""
    budget.clear(case.tx, StopLevel.MIGRATION, [case.id])
    _turn(case, [Phase.HELD], Phase.QUEUED)
    case.say(MigrationResumed, MigrationState(case["paused_from"]))
    case.set(paused_from="")
    arm_runs(case)
    conclude(case, case.run_no)


def cancel(case: Case) -> None:
    """The migration is over; what is there stays there."""
    budget.stop(case.tx, StopLevel.MIGRATION, case.id, "cancelled", case.at)
    _turn(case, [Phase.QUEUED, Phase.HELD, Phase.BLOCKED], Phase.CANCELLED)
    for kind in (TimerKind.RUN, TimerKind.NOT_TESTED, TimerKind.WAITING, TimerKind.SETTLED):
        disarm(case.tx, case.id, kind)
    case.set(ended_at=case.at)
    case.say(MigrationCancelled, MigrationState.CANCELLED)
    _stop_flying(case, "cancelled")
    arm_purge(case, case.at)


def _turn(case: Case, before: list[Phase], after: Phase) -> None:
    mine = and_(
        mailbox_run.c.migration_id == case.id,
        mailbox_run.c.phase.in_([phase.value for phase in before]),
    )
    case.tx.execute(update(mailbox_run).where(mine).values(phase=after.value))


def _stop_flying(case: Case, reason: str) -> None:
    flying = case.tx.execute(
        select(mailbox_run.c.run_no, mailbox_run.c.mailbox_id, mailbox_run.c.trigger_no)
        .where(mailbox_run.c.migration_id == case.id, mailbox_run.c.phase == Phase.FLYING.value)
        .order_by(mailbox_run.c.run_no, mailbox_run.c.mailbox_id)
    )
    for each in flying:
        case.tell(
            MailboxStopRequested(
                event_id=derive("stop", case.id, each.run_no, each.mailbox_id, each.trigger_no, case["state_seq"]),
                at=case.now,
                migration_id=case.id,
                customer_id=case.customer_id,
                mailbox_id=MailboxId(each.mailbox_id),
                up_to_run_no=each.run_no,
                up_to_trigger_no=each.trigger_no,
                reason=reason,
            )
        )
