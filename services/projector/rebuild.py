"""The read model is disposable (promise 6): the topics are replayed into fresh tables, which then replace the old."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection, MetaData, Table, delete, inspect, select, update

from mailhaul.db import Database, metadata, upsert
from mailhaul.errors import InvalidEvent
from mailhaul.events import Event
from mailhaul.kafka.bus import Bus, Record, TopicPartition
from mailhaul.kafka.codec import decode
from mailhaul.readmodel import LIVE, ReadModel, model_tables, read_change, read_generation
from mailhaul.readmodel.tables import build
from mailhaul.topics import PREFIX, READERS
from services.projector.apply import Projection
from services.projector.changes import lock
from services.projector.tables import projector_offset

Offsets: TypeAlias = dict[TopicPartition, int]
BATCH = 5000


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did."""

    generation: int
    records: int


@dataclass(slots=True)
class Rebuild:
    """Fills fresh tables beside a projector that may go on meanwhile, then swaps."""

    bus: Bus
    db: Database
    failures_allowed: int

    async def run(self) -> Rebuilt:
        """Replay every topic and swap; returns once browsers see the new generation."""
        generation = await self.db.write(_next_generation)
        catalogue = MetaData(naming_convention=metadata.naming_convention)
        model = build(catalogue, f"_g{generation}")
        await self.db.write(_make, catalogue)
        projection = Projection(failures_allowed=self.failures_allowed, model=model, live=False)
        reached: Offsets = {}
        records, swapped = 0, False
        while not swapped:
            live = await self.db.read(_offsets, False)
            records += await self._replay(projection, reached)
            # The scan ended no earlier than where the projector stood: what it did not see, retention took.
            for place, offset in live.items():
                reached[place] = max(offset, reached.get(place, 0))
            swapped = await self.db.write(_swap, model, reached, generation)
        return Rebuilt(generation, records)

    async def _replay(self, projection: Projection, reached: Offsets) -> int:
        """Apply what lies between `reached` and the present end of every partition."""
        seen, batch = 0, list[Record]()
        topics = [PREFIX + topic.name for topic in READERS["projector"]]
        async for record in self.bus.scan(topics, start=dict(reached)):
            batch.append(record)
            reached[record.source] = record.offset + 1
            if len(batch) == BATCH:
                seen += await self._applied(projection, batch)
                batch = []
        return seen + await self._applied(projection, batch)

    async def _applied(self, projection: Projection, batch: Sequence[Record]) -> int:
        await self.db.write(_apply, projection, _events(batch))
        return len(batch)


def _events(batch: Sequence[Record]) -> list[Event]:
    events = []
    for record in batch:
        try:
            events.append(decode(record))
        except InvalidEvent:
            continue  # it is a dead letter since it was first read
    return events


def _apply(tx: Connection, projection: Projection, batch: Sequence[Event]) -> None:
    projection.apply(batch, tx)


def _covers(reached: Offsets, live: Offsets) -> bool:
    return all(reached.get(place, 0) >= offset for place, offset in live.items())


def _offsets(tx: Connection, locked: bool) -> Offsets:
    rows = tx.execute(select(projector_offset).with_for_update() if locked else select(projector_offset))
    return {TopicPartition(topic, number): offset for topic, number, offset in rows}


def _next_generation(tx: Connection) -> int:
    return lock(tx)[0] + 1


def _make(tx: Connection, catalogue: MetaData) -> None:
    """Make the fresh tables; what an interrupted rebuild left goes first."""
    catalogue.drop_all(tx)
    catalogue.create_all(tx)


def _swap(tx: Connection, model: ReadModel, reached: Offsets, generation: int) -> bool:
    """Put the fresh tables in the place of the live ones, unless the projector has gone further meanwhile."""
    if not _covers(reached, _offsets(tx, True)):
        return False
    lock(tx)
    for fresh, live in zip(model_tables(model), model_tables(LIVE), strict=True):
        _replace(tx, fresh, live)
    upsert(
        tx,
        projector_offset,
        [
            {"topic": place.topic, "partition": place.partition, "next_offset": offset}
            for place, offset in sorted(reached.items())
        ],
        ("topic", "partition"),
    )
    tx.execute(delete(read_change))
    tx.execute(update(read_generation).values(generation=generation))
    return True


def _replace(tx: Connection, fresh: Table, live: Table) -> None:
    # Indexes keep the generation in their names, so the next rebuild's names are free again.
    if inspect(tx).has_table(live.name):
        tx.exec_driver_sql(f'DROP TABLE "{live.name}"')
    tx.exec_driver_sql(f'ALTER TABLE "{fresh.name}" RENAME TO "{live.name}"')
