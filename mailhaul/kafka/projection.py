"""The projector's run loop: rows and offsets move in one transaction, and reading goes on where it says (promise 6)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias

from sqlalchemy import BigInteger, Column, Connection, Integer, Table, Text, select

from mailhaul.db import Database, metadata, upsert
from mailhaul.kafka.bus import Consumer, Record, TopicPartition
from mailhaul.kafka.run_loop import POLL_SECONDS, Edge, Received, after
from mailhaul.topics import PREFIX, READERS, Topic

Apply: TypeAlias = Callable[[Sequence[Received], Connection], None]
BATCH = 2000


def offsets_table(name: str) -> Table:
    """Where a projection stands in each partition: `projector_offset` beside the rows it covers."""
    known = metadata.tables.get(name)
    if known is not None:
        return known
    return Table(
        name,
        metadata,
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True),
        Column("next_offset", BigInteger, nullable=False),
    )


class Projection:
    """One projection: its heart `apply(batch, tx)` and its offsets, moved together."""

    def __init__(self, edge: Edge, db: Database, apply: Apply, offsets: Table) -> None:
        self._edge = edge
        self._db = db
        self._apply = apply
        self._offsets = offsets
        self._consumer: Consumer | None = None

    async def run(self, stop: asyncio.Event, *, topics: Sequence[Topic] | None = None, batch: int = BATCH) -> None:
        """Poll until `stop`."""
        read = READERS[self._edge.bus.service] if topics is None else topics
        consumer = self._edge.bus.consumer(self._edge.bus.service, [PREFIX + topic.name for topic in read], self)
        self._consumer = consumer
        await consumer.start()
        try:
            while not stop.is_set():
                self._edge.liveness.beat()
                records = await consumer.poll(seconds=POLL_SECONDS, limit=batch)
                if records:
                    received = await self._edge.read(records)
                    await self._db.write(self._advance, records, received)
                    # Only for the eyes of lag monitors: reading goes on at the offsets in SQL.
                    await consumer.commit(after(records))
        finally:
            await consumer.stop()

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Nothing to finish: each batch is whole or not there."""

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Read on where SQL stands, whatever the group's own offsets say."""
        assert self._consumer is not None
        stands = await self._db.read(self._stands)
        for place in partitions:
            self._consumer.seek(place, stands.get(place, 0))

    def _stands(self, tx: Connection) -> dict[TopicPartition, int]:
        return {TopicPartition(topic, number): offset for topic, number, offset in tx.execute(select(self._offsets))}

    def _advance(self, tx: Connection, records: Sequence[Record], received: Sequence[Received]) -> None:
        # Another process may hold the partition by now and have gone further: what it applied is left out.
        stands = self._locked(tx, {record.source for record in records})
        fresh = [item for item in received if item.record.offset >= stands.get(item.record.source, 0)]
        if fresh:
            self._apply(fresh, tx)
        moved = {place: offset for place, offset in after(records).items() if offset > stands.get(place, 0)}
        upsert(
            tx,
            self._offsets,
            [
                {"topic": place.topic, "partition": place.partition, "next_offset": offset}
                for place, offset in moved.items()
            ],
            ("topic", "partition"),
        )

    def _locked(self, tx: Connection, places: set[TopicPartition]) -> dict[TopicPartition, int]:
        topics = {place.topic for place in places}
        rows = tx.execute(select(self._offsets).where(self._offsets.c.topic.in_(topics)).with_for_update())
        return {TopicPartition(topic, number): offset for topic, number, offset in rows}
