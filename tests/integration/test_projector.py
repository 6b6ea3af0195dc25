"""The projector on both databases: its loop, deletion, liveness and rebuild."""

import asyncio
from collections.abc import Iterable, Sequence
from random import Random

import pytest
from sqlalchemy import Connection, delete, select

from mailhaul.clock import SystemClock
from mailhaul.db import Database
from mailhaul.events import Event, MigrationDeleted
from mailhaul.kafka.bus import TopicPartition
from mailhaul.kafka.memory_bus import MemoryBroker, MemoryBus
from mailhaul.kafka.projection import Projection as Loop
from mailhaul.kafka.run_loop import Edge
from mailhaul.readmodel import LIVE, model_tables, read_change, read_generation
from mailhaul.topics import MIGRATION_THROUGHPUT
from services.projector.apply import Projection
from services.projector.rebuild import Rebuild
from services.projector.tables import projector_offset
from tests.stories import Story, interleave, story


def dump(tx: Connection) -> dict[str, list[tuple[object, ...]]]:
    return {
        table.name: [tuple(row) for row in tx.execute(select(table).order_by(*table.primary_key))]
        for table in model_tables(LIVE)
    }


def offsets(tx: Connection) -> dict[TopicPartition, int]:
    return {TopicPartition(topic, number): offset for topic, number, offset in tx.execute(select(projector_offset))}


def wipe_offsets(tx: Connection) -> None:
    tx.execute(delete(projector_offset))


async def publish(broker: MemoryBroker, events: Iterable[Event]) -> None:
    bus = MemoryBus(broker, "story")
    for event in events:
        window = type(event).__name__ == "ThroughputWindow"
        await bus.publish([event], topic=MIGRATION_THROUGHPUT if window else None)


def apply(tx: Connection, heart: Projection, batch: Sequence[Event]) -> None:
    heart.apply(batch, tx)


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


async def project_all(broker: MemoryBroker, database: Database, *, batch: int = 50) -> None:
    """Run the projector's loop until it has read everything."""
    edge = Edge(MemoryBus(broker, "projector"), SystemClock())
    heart = Projection(failures_allowed=5)
    loop = Loop(
        edge, database, lambda received, tx: heart.apply([item.event for item in received], tx), projector_offset
    )
    stop = asyncio.Event()
    running = asyncio.create_task(loop.run(stop, batch=batch))
    async with asyncio.timeout(30):
        while await database.read(offsets) != {place: len(log) for place, log in broker.logs.items() if log}:
            await asyncio.sleep(0.01)
    stop.set()
    await running


@pytest.mark.joint(15)
async def test_joint_15_starting_with_offsets_wiped_changes_nothing(database: Database, broker: MemoryBroker) -> None:
    await publish(broker, interleave(story(Random(20)), Random(2)))
    await project_all(broker, database)
    once = await database.read(dump)
    assert once["read_migration"]
    broker.wipe_offsets("projector")
    await database.write(wipe_offsets)
    await project_all(broker, database)
    assert await database.read(dump) == once


async def test_a_rebuild_equals_what_the_projector_wrote(database: Database, broker: MemoryBroker) -> None:
    await publish(broker, interleave(story(Random(3)), Random(4)))
    await project_all(broker, database)
    before = await database.read(dump)
    for generation in (2, 3):  # twice: the names of the first one are taken then
        rebuilt = await Rebuild(MemoryBus(broker, "projector"), database, failures_allowed=5).run()
        assert rebuilt.generation == generation
        assert rebuilt.records > 50
        assert await database.read(dump) == before
    await publish(broker, interleave(story(Random(5), migrations=3), Random(6)))
    await project_all(broker, database)  # the projector goes on in the fresh tables
    assert len((await database.read(dump))["read_event"]) > len(before["read_event"])


async def test_a_rebuild_while_the_projector_goes_on_misses_nothing(database: Database, broker: MemoryBroker) -> None:
    events = list(interleave(story(Random(7), migrations=3), Random(8)))
    await publish(broker, events[: len(events) // 2])
    await project_all(broker, database)
    rebuild = asyncio.create_task(Rebuild(MemoryBus(broker, "projector"), database, failures_allowed=5).run())
    await publish(broker, events[len(events) // 2 :])
    await project_all(broker, database, batch=5)
    await rebuild
    await project_all(broker, database)
    after = await database.read(dump)
    await Rebuild(MemoryBus(broker, "projector"), database, failures_allowed=5).run()
    assert await database.read(dump) == after


@pytest.mark.joint(10)
async def test_joint_10_late_events_of_a_deleted_migration_create_nothing(database: Database) -> None:
    told = Story(Random(9))
    told.migration(1, rows=2, runs=1, deleted=True)
    events = [event for partition in told.partitions.values() for event in partition]
    deletions = [event for event in events if isinstance(event, MigrationDeleted)]
    heart = Projection(failures_allowed=5)
    for batch in ([event for event in events if event not in deletions], deletions, events):
        await database.write(apply, heart, batch)
    rows = await database.read(dump)
    assert [name for name, found in rows.items() if found] == ["read_tombstone"]


@pytest.mark.joint(35)
async def test_joint_35_changes_are_numbered_in_the_order_of_the_commits(database: Database) -> None:
    heart = Projection(failures_allowed=5)
    batches = [[event] for event in interleave(story(Random(11), migrations=2, rows=1, runs=1), Random(12))]
    await asyncio.gather(*(database.write(apply, heart, batch) for batch in batches))

    def changes(tx: Connection) -> tuple[list[int], int]:
        rows = tx.execute(select(read_change.c.seq).order_by(read_change.c.seq)).scalars()
        return list(rows), tx.execute(select(read_generation.c.seq)).scalar_one()

    numbers, last = await database.read(changes)
    assert numbers == list(range(1, last + 1))
    assert last > 10
