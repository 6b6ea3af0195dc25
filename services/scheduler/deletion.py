"""A migration is forgotten: its key first, then its rows; a tombstone stays, so that late events create nothing."""

from sqlalchemy import Table, and_, delete, func, select

from mailhaul import budget, vault
from mailhaul.budget import StopLevel
from mailhaul.db import SECOND
from mailhaul.errors import RequestInvalid
from mailhaul.events import MigrationDeleted
from mailhaul.states import MigrationState
from services.scheduler.case import Case
from services.scheduler.tables import mailbox_run, outbox, row, run, timer
from services.scheduler.timers import arm
from services.scheduler.words import Phase, TimerKind

HOUR = 3600 * SECOND
BLANK = {"code": "", "name": "", "recipients": "[]", "first_plan": "", "second_plan": "", "zone": "", "language": ""}


def delete_asked(case: Case) -> None:
    """Delete because somebody asked. Raises RequestInvalid(`running`) while a mailbox is in flight."""
    if _flying(case):
        raise RequestInvalid("running", "a mailbox is still being copied: cancel the migration and wait a moment")
    forget(case, "requested")


def purge(case: Case) -> None:
    """Delete because its time is over; a run that is under way is waited for."""
    if case.state is MigrationState.RUNNING or _flying(case):
        arm(case.tx, case.id, TimerKind.PURGE, case.at + HOUR)
    else:
        forget(case, "purged")


def forget(case: Case, reason: str) -> None:
    """Shred the key, then drop everything, then say so (joint 10)."""
    vault.shred(case.tx, case.id)
    budget.clear(case.tx, StopLevel.MIGRATION, [case.id])
    tables: tuple[Table, ...] = (row, run, mailbox_run, timer)
    for table in tables:
        case.tx.execute(delete(table).where(table.c.migration_id == case.id))
    forget_payloads(case)
    case.set(gone=True, **BLANK)
    case.say(MigrationDeleted, reason=reason)
    arm(case.tx, case.id, TimerKind.FORGET, case.at + HOUR)


def forget_payloads(case: Case) -> None:
    """Drop what was sent about the migration; what is not sent yet goes an hour later."""
    sent = and_(outbox.c.migration_id == case.id, outbox.c.flagged_at.is_not(None))
    case.tx.execute(delete(outbox).where(sent))


def _flying(case: Case) -> int:
    mine = and_(mailbox_run.c.migration_id == case.id, mailbox_run.c.phase == Phase.FLYING.value)
    return case.tx.execute(select(func.count()).select_from(mailbox_run).where(mine)).scalar_one()
