"""Reading from a Kafka cluster: as a member of a group, or from end to end without one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from mailhaul.kafka.aiokafka_client import STOP_SECONDS, require_topics, until_reachable, within
from mailhaul.kafka.bus import Positions, Rebalanced, Record, TopicPartition
from mailhaul.kafka.connection import Cluster, aiokafka_options
from mailhaul.topics import PREFIX

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 10.0  # for calls that may never answer
MAX_POLL_SECONDS = 900.0  # a step of a run loop may take so long, and no longer


def consumer_options(where: Cluster, group: str) -> dict[str, Any]:
    """What a member of a group is made with."""
    session = int(where.session_timeout * 1000)
    return aiokafka_options(where) | {
        "group_id": group,
        "group_instance_id": where.instance_id or None,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "session_timeout_ms": session,
        "rebalance_timeout_ms": session,
        "heartbeat_interval_ms": max(session // 6, 100),
        "max_poll_interval_ms": int(MAX_POLL_SECONDS * 1000),
        "fetch_max_wait_ms": 100,
    }


class AIOKafkaMember(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """A member of a consumer group, with topic names as we know them."""

    def __init__(self, where: Cluster, group: str, topics: Sequence[str], rebalanced: Rebalanced | None = None) -> None:
        self._where = where
        self._group = f"{where.prefix}{PREFIX}{group}"
        self._topics = [where.prefix + topic for topic in topics]
        self._rebalanced = rebalanced
        self._client: AIOKafkaConsumer | None = None
        self._paused: set[TopicPartition] = set()
        self._failure: BaseException | None = None

    async def start(self) -> None:
        await require_topics(self._where, self._topics)
        self._client = await until_reachable(self._join)

    def _join(self) -> AIOKafkaConsumer:
        client = self._client = AIOKafkaConsumer(**consumer_options(self._where, self._group))
        client.subscribe(self._topics, listener=self)
        return client

    async def stop(self) -> None:
        client, self._client = self._client, None
        # It can raise a CancelledError that nobody asked for, and wait for a broker that is away.
        if client is not None and not await within(client.stop(), STOP_SECONDS):
            await within(client._client.close(), 1.0)

    async def poll(self, *, seconds: float, limit: int) -> list[Record]:
        batches = await self._started().getmany(timeout_ms=int(seconds * 1000), max_records=limit)
        if self._failure is not None:
            raise self._failure
        return [record_of(message, self._where.prefix) for batch in batches.values() for message in batch]

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
        saying = asyncio.ensure_future(say(self._rebalanced, ours))
        await asyncio.wait({saying})
        if not saying.cancelled():
            # The client only logs what a listener raises; the run loop has to stop on it.
            self._failure = self._failure or saying.exception()

    def _started(self) -> AIOKafkaConsumer:
        if self._client is None:
            raise RuntimeError("the consumer is not started")
        return self._client

    def _theirs(self, place: TopicPartition) -> KafkaPartition:
        return KafkaPartition(self._where.prefix + place.topic, place.partition)

    def _ours(self, place: KafkaPartition) -> TopicPartition:
        return TopicPartition(place.topic.removeprefix(self._where.prefix), place.partition)


async def scan(
    where: Cluster, topics: Sequence[str], *, start: Positions | None, newest: int | None, follow: bool
) -> AsyncIterator[Record]:
    """`Bus.scan` on a cluster."""
    names = [where.prefix + topic for topic in topics]
    await require_topics(where, names)
    options = aiokafka_options(where) | {"auto_offset_reset": "earliest", "fetch_max_wait_ms": 100}
    client = await until_reachable(lambda: AIOKafkaConsumer(*names, **options))
    try:
        places = list(client.assignment())
        firsts = await asyncio.wait_for(client.beginning_offsets(places), ANSWER_SECONDS)
        ends = await asyncio.wait_for(client.end_offsets(places), ANSWER_SECONDS)
        at = {}
        for place in places:
            ours = TopicPartition(place.topic.removeprefix(where.prefix), place.partition)
            wanted = ends[place] - newest if newest is not None else (start or {}).get(ours, 0)
            at[place] = min(max(wanted, firsts[place]), ends[place])
            client.seek(place, at[place])
        while follow or any(at[place] < ends[place] for place in places):
            for place, batch in (await client.getmany(timeout_ms=250)).items():
                for message in batch:
                    if follow or message.offset < ends[place]:
                        yield record_of(message, where.prefix)
                    at[place] = message.offset + 1
    finally:
        await within(client.stop(), STOP_SECONDS)


def record_of(message: Any, prefix: str) -> Record:
    """Our record of aiokafka's."""
    return Record(
        topic=message.topic.removeprefix(prefix),
        partition=message.partition,
        offset=message.offset,
        key=message.key or b"",
        value=message.value,
        headers=tuple((name, value or b"") for name, value in message.headers),
        appended_at=datetime.fromtimestamp(message.timestamp / 1000, UTC),
    )
