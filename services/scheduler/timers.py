"""Durable timers: rows with the due instant, and the wall time and zone that were asked for beside it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select

from mailhaul.db import Microseconds, upsert
from mailhaul.events import RunTime
from mailhaul.ids import MigrationId
from mailhaul.states import MigrationState
from services.scheduler.case import Case
from services.scheduler.tables import timer
from services.scheduler.words import RESTING, TimerKind

AT_ONCE = 50  # timers fired in one transaction
NOWHERE = MigrationId("")


@dataclass(frozen=True, slots=True)
class Due:
    """A timer whose time has come."""

    migration_id: MigrationId
    kind: TimerKind
    run_no: int


def arm(
    tx: Connection,
    migration_id: MigrationId,
    kind: TimerKind,
    due_at: Microseconds,
    *,
    run_no: int = 0,
    asked: RunTime | None = None,
) -> None:
    """Set a timer, or move it."""
    row: dict[str, Any] = {"migration_id": migration_id, "kind": kind.value, "run_no": run_no, "due_at": due_at}
    row |= {"wall": asked.wall if asked else "", "zone": asked.zone if asked else ""}
    upsert(tx, timer, [row], ["migration_id", "kind", "run_no"])


def disarm(tx: Connection, migration_id: MigrationId, kind: TimerKind, *, run_no: int | None = None) -> None:
    """Take a timer back."""
    mine = (timer.c.migration_id == migration_id) & (timer.c.kind == kind.value)
    tx.execute(delete(timer).where(mine if run_no is None else mine & (timer.c.run_no == run_no)))


def arm_runs(case: Case) -> None:
    """Make the timers of the runs agree with what is planned and has not started."""
    disarm(case.tx, case.id, TimerKind.RUN)
    if case.state is MigrationState.VALID and case["first_at"] is not None:
        arm(case.tx, case.id, TimerKind.RUN, case["first_at"], run_no=1, asked=case.plan_of("first_plan"))
    if case.run_no == 1 and case.state in RESTING and case["second_at"] is not None:
        arm(case.tx, case.id, TimerKind.RUN, case["second_at"], run_no=2, asked=case.plan_of("second_plan"))


def arm_purge(case: Case, ended_at: Microseconds | None) -> Microseconds:
    """Set the day when the migration deletes itself: counted from its end, but from the upload at the latest."""
    latest: Microseconds = (case["submitted_at"] or case.at) + case.policy.purge_after_upload
    due = latest if ended_at is None else min(latest, ended_at + case.policy.purge)
    arm(case.tx, case.id, TimerKind.PURGE, due)
    return due


def take_due(tx: Connection, at: Microseconds) -> list[Due]:
    """Take timers that are due off the table; another scheduler's are skipped."""
    query = select(timer.c.migration_id, timer.c.kind, timer.c.run_no).where(timer.c.due_at <= at)
    rows = tx.execute(query.order_by(timer.c.due_at).limit(AT_ONCE).with_for_update(skip_locked=True)).all()
    due = [Due(MigrationId(row.migration_id), TimerKind(row.kind), row.run_no) for row in rows]
    for each in due:
        disarm(tx, each.migration_id, each.kind, run_no=each.run_no)
    return due
