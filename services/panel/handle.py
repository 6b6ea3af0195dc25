"""What the scheduler's facts mean for the panel's own rows: deletions (joint 10) and refused corrections."""

from collections.abc import AsyncIterator

from sqlalchemy import Connection, delete

from mailhaul.db import Database
from mailhaul.events import CorrectRowRequested, Event, MigrationDeleted, RequestRefused
from mailhaul.kafka.outbox import Outbox
from services.panel.asking import take_back
from services.panel.tables import panel_repeat, panel_row, panel_submission


class Handler:
    """Takes the facts about migrations; most of them are the projector's business alone."""

    def __init__(self, db: Database, outbox: Outbox) -> None:
        self._db = db
        self._outbox = outbox

    async def handle(self, event: Event) -> AsyncIterator[Event]:
        """Forget a deleted migration, take a refused correction back; twice is once. Yields nothing."""
        if isinstance(event, MigrationDeleted):
            await self._db.write(self._forget, event)
        if isinstance(event, RequestRefused) and event.request == CorrectRowRequested.__name__:
            await self._db.write(take_back, event.request_id)
        return
        yield  # makes this the generator that every heart is

    def _forget(self, tx: Connection, event: MigrationDeleted) -> None:
        for table in (panel_row, panel_submission, panel_repeat):
            tx.execute(delete(table).where(table.c.migration_id == event.migration_id))
        self._outbox.forget(tx, event.migration_id)
