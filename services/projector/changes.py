"""Liveness: each batch says which migrations it changed, in the order of the commits (joint 35)."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection, delete, select, update

from mailhaul import events
from mailhaul.db import Microseconds, insert_missing
from mailhaul.events import Event
from mailhaul.readmodel import read_change, read_generation

KEEP = 20_000  # changes that a browser may be behind before it reloads its page
TRIM_EVERY = 1_000


def lock(tx: Connection) -> tuple[int, int]:
    """Take the writers' turn until this transaction ends; returns the generation and the last change."""
    insert_missing(tx, read_generation, [{"id": 1, "generation": 1, "seq": 0}])
    row = tx.execute(select(read_generation.c.generation, read_generation.c.seq).with_for_update()).one()
    return row.generation, row.seq


def append(tx: Connection, applied: Iterable[Event], customers: dict[str, str], seq: int, at: Microseconds) -> None:
    """Append one change for each migration that the events touched, and wake whoever listens."""
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for event in applied:
        migration = str(getattr(event, "migration_id", ""))
        if migration:
            kinds[migration].add(_kind(event))
    if not kinds:
        return
    rows = [
        {"seq": number, "migration_id": m, "customer_id": customers.get(m, ""), "kinds": " ".join(sorted(k)), "at": at}
        for number, (m, k) in enumerate(sorted(kinds.items()), start=seq + 1)
    ]
    tx.execute(read_change.insert(), rows)
    last = seq + len(rows)
    tx.execute(update(read_generation).values(seq=last))
    if last // TRIM_EVERY != seq // TRIM_EVERY:
        tx.execute(delete(read_change).where(read_change.c.seq <= last - KEEP))
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql("NOTIFY mailhaul_read_change")


def _kind(event: Event) -> str:
    """The part of a page that an event changes."""
    match event:
        case events.FolderProgressed() | events.FolderPlanned():
            return "progress"
        case events.MessageOutcome():
            return "outcomes"
        case events.Row() | events.RowLeftOut() | events.RowChecked():
            return "rows"
        case events.RunTriggered() | events.MailboxStopRequested() | events.MailboxRunChanged():
            return "mailboxes"
        case events.NoticeRequested() | events.NotificationChanged():
            return "notifications"
        case _:
            return "migration"
