"""The bus on a Kafka cluster: acknowledged by all, idempotent, no linger, no automatic commit (promise 1, joint 18)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError

from mailhaul.clock import Clock, SystemClock
from mailhaul.errors import MailhaulError, Side
from mailhaul.events import Event
from mailhaul.kafka.bus import Consumer, Message, Positions, Rebalanced, Record, TopicPartition
from mailhaul.kafka.client_log import calm
from mailhaul.kafka.codec import encode
from mailhaul.kafka.connection import Cluster, aiokafka_options
from mailhaul.topics import PREFIX, Topic

log = structlog.get_logger(__name__)

T = TypeVar("T")
RETRY_SECONDS = 0.5
ANSWER_SECONDS = 10.0  # for calls that may never answer
STOP_SECONDS = 5.0
MAX_POLL_SECONDS = 900.0  # a step of a run loop may take so long, and no longer


def producer_options(where: Cluster) -> dict[str, Any]:
    """What a producer is made with."""
    return aiokafka_options(where) | {"acks": "all", "enable_idempotence": True, "linger_ms": 0}


def consumer_options(where: Cluster, group: str) -> dict[str, Any]:
    """What a member of a group is made with."""
    session = int(where.session_timeout * 1000)
    return aiokafka_options(where) | {
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "session_timeout_ms": session,
        "rebalance_timeout_ms": session,
        "heartbeat_interval_ms": max(session // 6, 100),
        "max_poll_interval_ms": int(MAX_POLL_SECONDS * 1000),
        "fetch_max_wait_ms": 100,
    }


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
        self._producer = await _until_reachable(lambda: AIOKafkaProducer(**producer_options(self._where)))

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # It hangs while a record is undelivered.
            await _within(producer.stop(), STOP_SECONDS)

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

    def unacknowledged_for(self) -> float:
        return self._clock.monotonic() - min(self._pending.values()) if self._pending else 0.0


class AIOKafkaMember(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """A member of a consumer group, with topic names as we know them."""

    def __init__(self, where: Cluster, group: str, topics: Sequence[str], rebalanced: Rebalanced | None = None) -> None:
        self._where = where
        self._group = f"{where.prefix}{PREFIX}{group}"
        self._topics = [where.prefix + topic for topic in topics]
        self._rebalanced = rebalanced
        self._client: AIOKafkaConsumer | None = None
        self._paused: set[TopicPartition] = set()
        self._failure: Exception | None = None

    async def start(self) -> None:
        await self._require_topics()
        self._client = await _until_reachable(self._join)

    def _join(self) -> AIOKafkaConsumer:
        client = self._client = AIOKafkaConsumer(**consumer_options(self._where, self._group))
        client.subscribe(self._topics, listener=self)
        return client

    async def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            # It can raise a CancelledError that nobody asked for, and wait for a broker that is away.
            await _within(client.stop(), STOP_SECONDS)

    async def poll(self, *, seconds: float, limit: int) -> list[Record]:
        batches = await self._started().getmany(timeout_ms=int(seconds * 1000), max_records=limit)
        if self._failure is not None:
            raise self._failure
        return [self._record(message) for batch in batches.values() for message in batch]

    async def commit(self, positions: Positions) -> bool:
        offsets = {self._theirs(place): offset for place, offset in positions.items()}
        try:
            await self._started().commit(offsets)
        except (CommitFailedError, IllegalStateError):
            log.info("commit_refused", group=self._group)
            return False
        return True

    def seek(self, position: TopicPartition, offset: int) -> None:
        self._started().seek(self._theirs(position), offset)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        places = set(partitions)
        self._paused |= places
        self._started().pause(*(self._theirs(place) for place in places))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        places = set(partitions)
        self._paused -= places
        self._started().resume(*(self._theirs(place) for place in places))

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._ours(place) for place in self._started().assignment())

    async def on_partitions_revoked(self, revoked: Iterable[KafkaPartition]) -> None:
        await self._tell(revoked, lambda listener, places: listener.revoked(places))

    async def on_partitions_assigned(self, assigned: Iterable[KafkaPartition]) -> None:
        # Nothing is fetched until the listener has had its say: it may seek.
        client, places = self._started(), list(assigned)
        client.pause(*places)
        self._paused.clear()
        await self._tell(places, lambda listener, ours: listener.assigned(ours))
        client.resume(*(place for place in places if self._ours(place) not in self._paused))

    async def _tell(
        self,
        places: Iterable[KafkaPartition],
        say: Callable[[Rebalanced, frozenset[TopicPartition]], Awaitable[None]],
    ) -> None:
        ours = frozenset(self._ours(place) for place in places)
        if self._rebalanced is None or not ours:
            return
        try:
            await say(self._rebalanced, ours)
        except Exception as error:
            # The client only logs what a listener raises; the run loop has to stop on it.
            self._failure = error

    async def _require_topics(self) -> None:
        """start() waits for ever on a topic that does not exist."""
        admin = await _until_reachable(lambda: AIOKafkaAdminClient(**aiokafka_options(self._where)))
        try:
            known = set(await admin.list_topics())
        finally:
            await _within(admin.close(), STOP_SECONDS)
        missing = sorted(set(self._topics) - known)
        if missing:
            raise MailhaulError(
                "topics_missing",
                f"create them first (`mailhaul topics create`): {', '.join(missing)}",
                side=Side.PLATFORM,
            )

    def _started(self) -> AIOKafkaConsumer:
        if self._client is None:
            raise RuntimeError("the consumer is not started")
        return self._client

    def _theirs(self, place: TopicPartition) -> KafkaPartition:
        return KafkaPartition(self._where.prefix + place.topic, place.partition)

    def _ours(self, place: KafkaPartition) -> TopicPartition:
        return TopicPartition(place.topic.removeprefix(self._where.prefix), place.partition)

    def _record(self, message: Any) -> Record:
        return Record(
            topic=message.topic.removeprefix(self._where.prefix),
            partition=message.partition,
            offset=message.offset,
            key=message.key or b"",
            value=message.value,
            headers=tuple((name, value or b"") for name, value in message.headers),
            appended_at=datetime.fromtimestamp(message.timestamp / 1000, UTC),
        )


async def _until_reachable(make: Callable[[], T]) -> T:
    """Make a client and start it, again and again while no broker answers."""
    warned = False
    while True:
        client = make()
        try:
            await client.start()  # type: ignore[attr-defined]  # every client of aiokafka has it
        except KafkaConnectionError as error:
            await _within(_close(client), STOP_SECONDS)
            if not warned:
                log.warning("broker_unreachable", reason=str(error))
                warned = True
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return client


async def _close(client: Any) -> None:
    await (client.close() if hasattr(client, "close") else client.stop())


async def _within(work: Awaitable[Any], seconds: float) -> None:
    """Wait so long for a client to end; what it raises by then, a stray cancellation too, ends with it."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
