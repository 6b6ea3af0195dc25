"""The bus on a Kafka cluster: acknowledged by all, idempotent, no linger, no automatic commit (promise 1, joint 18)."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from mailhaul.clock import Clock, SystemClock
from mailhaul.events import Event
from mailhaul.kafka.aiokafka_client import STOP_SECONDS, until_reachable, within
from mailhaul.kafka.aiokafka_consumer import AIOKafkaMember, scan
from mailhaul.kafka.bus import Consumer, Message, Positions, Rebalanced, Record
from mailhaul.kafka.client_log import calm
from mailhaul.kafka.codec import encode
from mailhaul.kafka.connection import Cluster, aiokafka_options
from mailhaul.topics import Topic


def producer_options(where: Cluster) -> dict[str, Any]:
    """What a producer is made with."""
    return aiokafka_options(where) | {"acks": "all", "enable_idempotence": True, "linger_ms": 0}


class AIOKafkaBus:
    """One service's connection to the cluster; an asynchronous context."""

    def __init__(self, where: Cluster, service: str, *, clock: Clock | None = None) -> None:
        self._where = where
        self._service = service
        self._clock: Clock = clock or SystemClock()
        self._producer: AIOKafkaProducer | None = None
        self._pending: dict[int, float] = {}
        self._numbers = 0

    @property
    def service(self) -> str:
        return self._service

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        calm()
        # start() fails at once while no broker answers, and a client that failed to start is not started again.
        self._producer = await until_reachable(lambda: AIOKafkaProducer(**producer_options(self._where)))

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        # It hangs while a record is undelivered: then its parts are ended one by one.
        if producer is not None and not await within(producer.stop(), STOP_SECONDS):
            await within(producer._sender.close(), 1.0)
            await within(producer.client.close(), 1.0)

    async def publish(self, items: Sequence[Event | Message], *, topic: Topic | None = None) -> None:
        await self.publish_raw(
            [item if isinstance(item, Message) else encode(item, source=self._service, topic=topic) for item in items]
        )

    async def publish_raw(self, messages: Sequence[Message]) -> None:
        if self._producer is None:
            raise RuntimeError("the bus is not started")
        self._numbers += 1
        number = self._numbers
        self._pending[number] = self._clock.monotonic()
        try:
            acknowledged = [
                await self._producer.send(
                    self._where.prefix + message.topic,
                    key=message.key,
                    value=message.value,
                    headers=list(message.headers),
                )
                for message in messages
            ]
            for future in acknowledged:
                await future
        finally:
            del self._pending[number]

    def consumer(self, group: str, topics: Sequence[str], rebalanced: Rebalanced | None = None) -> Consumer:
        return AIOKafkaMember(self._where, group, topics, rebalanced)

    def scan(
        self, topics: Sequence[str], *, start: Positions | None = None, newest: int | None = None, follow: bool = False
    ) -> AsyncIterator[Record]:
        return scan(self._where, topics, start=start, newest=newest, follow=follow)

    def unacknowledged_for(self) -> float:
        return self._clock.monotonic() - min(self._pending.values()) if self._pending else 0.0
