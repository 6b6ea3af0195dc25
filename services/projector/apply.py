"""The heart of the projector: a batch of events in, rows of the read model out, in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from mailhaul.db import now
from mailhaul.events import Event, MigrationDeleted
from mailhaul.readmodel import LIVE, ReadModel
from services.projector.changes import append, lock
from services.projector.deletion import buried, bury, migration_of
from services.projector.projections import project
from services.projector.registers import Write, fold, store
from services.projector.rollup import Touched, roll_up
from services.projector.stored import kept, stored


@dataclass(frozen=True, slots=True)
class Projection:
    """Applies batches to one set of tables; `live` where browsers are told of it."""

    failures_allowed: int
    model: ReadModel = LIVE
    live: bool = True

    def apply(self, batch: Sequence[Event], tx: Connection) -> None:
        """Apply events that came in the order of their partitions; applying them again changes nothing."""
        seq = lock(tx)[1] if self.live else 0
        deletions = [event for event in batch if isinstance(event, MigrationDeleted)]
        customers: dict[str, str] = {event.migration_id: event.customer_id for event in deletions}
        bury(tx, self.model, deletions)
        gone = buried(tx, self.model, filter(None, map(migration_of, batch)))
        alive = [event for event in batch if migration_of(event) not in gone]
        touched = Touched()
        for event in alive:
            touched.by(event)
        store(tx, self.model, fold(_writes(alive)))
        roll_up(tx, self.model, touched, self.failures_allowed)
        if self.live:
            customers |= self._customers(tx, touched)
            append(tx, [*alive, *deletions], customers, seq, now(tx))

    def _customers(self, tx: Connection, touched: Touched) -> dict[str, str]:
        """Whose migrations were touched; not every event says so."""
        known = {migration: customer for migration, customer in touched.migrations.items() if customer}
        migration = self.model.migration.c
        asked = sorted(set(touched.migrations) - set(known))
        rows = tx.execute(
            select(migration.migration_id, migration.customer_id).where(migration.migration_id.in_(asked))
        )
        return known | {row.migration_id: row.customer_id for row in rows}


def _writes(batch: Iterable[Event]) -> Iterable[Write]:
    for event in batch:
        yield from project(event)
        if kept(event):
            yield stored(event)
