"""The panel's part in a deletion: it forgets its own rows about the migration (joint 10)."""

from collections.abc import AsyncIterator

from sqlalchemy import Connection, delete

from mailhaul.db import Database
from mailhaul.events import Event, MigrationDeleted
from mailhaul.kafka.outbox import Outbox
from services.panel.tables import panel_repeat, panel_row, panel_submission


class Handler:
    """Takes the facts about migrations; only deletions concern it."""

    def __init__(self, db: Database, outbox: Outbox) -> None:
        self._db = db
        self._outbox = outbox

    async def handle(self, event: Event) -> AsyncIterator[Event]:
        """Forget a deleted migration; again and again changes nothing. Yields nothing."""
        if isinstance(event, MigrationDeleted):
            await self._db.write(self._forget, event)
        return
        yield  # makes this the generator that every heart is

    def _forget(self, tx: Connection, event: MigrationDeleted) -> None:
        for table in (panel_row, panel_submission, panel_repeat):
            tx.execute(delete(table).where(table.c.migration_id == event.migration_id))
        self._outbox.forget(tx, event.migration_id)
