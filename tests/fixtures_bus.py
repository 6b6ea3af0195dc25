"""The two stages that everything about the bus is played on: memory, and a real broker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import pytest

from mailhaul.kafka.admin import TopicsAdmin
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.bus import Bus, Consumer, Record
from mailhaul.kafka.connection import Cluster
from mailhaul.kafka.memory_bus import MemoryBroker, MemoryBus
from mailhaul.topics import DEAD_LETTERS, PREFIX

TOPICS = [f"{PREFIX}{name}" for name in ("requests", "migrations", "server-throughput", "migration-throughput")]
LETTERS = f"{DEAD_LETTERS}scheduler"
SECONDS = 15.0


class Stage(Protocol):
    """Somewhere to play: topics with three partitions, and buses of any service."""

    async def bus(self, service: str) -> Bus:
        """A started bus, stopped with the test."""
        ...


class MemoryStage:
    """Everything in this process."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(partitions=3)

    async def bus(self, service: str) -> Bus:
        return MemoryBus(self.broker, service)


class KafkaStage:
    """A prefix of its own on the session's broker."""

    def __init__(self, where: Cluster) -> None:
        self._where = where
        self._buses: list[AIOKafkaBus] = []

    async def bus(self, service: str) -> Bus:
        bus = AIOKafkaBus(self._where, service)
        await bus.start()
        self._buses.append(bus)
        return bus

    async def close(self) -> None:
        for bus in self._buses:
            await bus.stop()


@asynccontextmanager
async def memory_stage() -> AsyncIterator[Stage]:
    yield MemoryStage()


@asynccontextmanager
async def kafka_stage(bootstrap: str, prefix: str) -> AsyncIterator[Stage]:
    where = Cluster(bootstrap=bootstrap, prefix=prefix, session_timeout=3.0)
    await asyncio.to_thread(TopicsAdmin(where, replication=1).create, [*TOPICS, LETTERS])
    stage = KafkaStage(where)
    yield stage
    await stage.close()


@pytest.fixture(params=["memory", "kafka"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Each test that asks for it runs in memory and on a broker."""
    if request.param == "memory":
        async with memory_stage() as made:
            yield made
    else:
        async with kafka_stage(request.getfixturevalue("broker"), request.getfixturevalue("topic_prefix")) as made:
            yield made


async def read(consumer: Consumer, count: int) -> list[Record]:
    """Poll until so many records came."""
    records: list[Record] = []
    async with asyncio.timeout(SECONDS):
        while len(records) < count:
            records += await consumer.poll(seconds=0.2, limit=100)
    return records


async def silence(consumer: Consumer, seconds: float = 0.5) -> None:
    """Nothing more comes."""
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        assert await consumer.poll(seconds=0.1, limit=100) == []


async def until(true: Callable[[], bool], consumers: Sequence[Consumer] = ()) -> None:
    """Wait, polling these members meanwhile, until it is so."""
    async with asyncio.timeout(SECONDS):
        while not true():
            for consumer in consumers:
                await consumer.poll(seconds=0.05, limit=100)
            await asyncio.sleep(0.02)
