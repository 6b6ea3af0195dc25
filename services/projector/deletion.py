"""What was deleted stays deleted: a tombstone keeps late events from creating anything (joint 10)."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, Table, delete, select

from mailhaul.db import insert_missing, to_microseconds
from mailhaul.events import Event, MigrationDeleted, ThroughputWindow
from mailhaul.readmodel import ReadModel


def migration_of(event: Event) -> str:
    """The migration an event is about, empty when it is about none; a window's subject may be one."""
    if isinstance(event, ThroughputWindow):
        return event.subject
    return str(getattr(event, "migration_id", ""))


def bury(tx: Connection, model: ReadModel, deletions: Collection[MigrationDeleted]) -> None:
    """Drop every row of the deleted migrations and leave their tombstones."""
    ids = sorted({event.migration_id for event in deletions})
    if not ids:
        return
    for table in _of_migrations(model):
        tx.execute(delete(table).where(table.c.migration_id.in_(ids)))
    tx.execute(delete(model.throughput).where(model.throughput.c.subject.in_(ids)))
    insert_missing(
        tx,
        model.tombstone,
        [
            {
                "migration_id": event.migration_id,
                "customer_id": event.customer_id,
                "reason": event.reason,
                "deleted_at": to_microseconds(event.at),
            }
            for event in sorted(deletions, key=lambda event: event.event_id)
        ],
    )


def buried(tx: Connection, model: ReadModel, migrations: Iterable[str]) -> set[str]:
    """Which of the migrations have a tombstone."""
    stone, ids = model.tombstone.c.migration_id, sorted(set(migrations))
    gone: set[str] = set()
    for start in range(0, len(ids), 500):
        gone.update(tx.execute(select(stone).where(stone.in_(ids[start : start + 500]))).scalars())
    return gone


def _of_migrations(model: ReadModel) -> tuple[Table, ...]:
    return (
        model.migration,
        model.run,
        model.row,
        model.mailbox_run,
        model.folder,
        model.folder_run,
        model.outcome,
        model.event,
        model.request,
        model.notification,
    )
