"""A bus in memory for tests: partitions, groups, eager rebalances, redelivery, and a broker that can be away."""

import asyncio
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from mailhaul.clock import Clock, SystemClock
from mailhaul.events import Event
from mailhaul.kafka.bus import Consumer, Message, Positions, Rebalanced, Record, TopicPartition
from mailhaul.kafka.codec import encode
from mailhaul.topics import Topic


@dataclass(slots=True)
class _Group:
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    members: list["MemoryConsumer"] = field(default_factory=list)
    generation: int = 0


class MemoryBroker:
    """What the buses of several services share: the records, the groups, and the tester's levers."""

    def __init__(self, *, partitions: int = 3, clock: Clock | None = None) -> None:
        self.partitions = partitions
        self.clock: Clock = clock or SystemClock()
        self.logs: dict[TopicPartition, list[Record]] = defaultdict(list)
        self.groups: dict[str, _Group] = defaultdict(_Group)
        self.reachable = asyncio.Event()
        self.reachable.set()
        self.appended = asyncio.Event()

    def append(self, message: Message) -> Record:
        """Store a record in the partition of its key."""
        where = TopicPartition(message.topic, zlib.crc32(message.key) % self.partitions)
        log = self.logs[where]
        record = Record(
            topic=where.topic,
            partition=where.partition,
            offset=len(log),
            key=message.key,
            value=message.value,
            headers=message.headers,
            appended_at=self.clock.now(),
        )
        log.append(record)
        self.appended.set()
        self.appended = asyncio.Event()
        return record

    def records(self, topic: str) -> list[Record]:
        """Everything in a topic by its full name, partition by partition."""
        places = (TopicPartition(topic, number) for number in range(self.partitions))
        return [record for place in places for record in self.logs.get(place, ())]

    def rebalance(self, group: str) -> None:
        """Take every partition from every member and deal them again, as if somebody had joined."""
        self.groups[group].generation += 1

    def wipe_offsets(self, group: str) -> None:
        """Forget what the group committed: everything is delivered again."""
        self.groups[group].committed.clear()
        for member in self.groups[group].members:
            member.positions.clear()
        self.rebalance(group)

    def caught_up(self, group: str, topics: Iterable[str]) -> bool:
        """Whether the group committed the end of every partition that holds something."""
        committed, wanted = self.groups[group].committed, set(topics)
        return all(
            committed.get(place, 0) >= len(log)
            for place, log in list(self.logs.items())
            if log and place.topic in wanted
        )

    def share(self, group: str, member: "MemoryConsumer") -> frozenset[TopicPartition]:
        """The partitions of a member: dealt round, as the real assignor does."""
        members = self.groups[group].members
        mine = set()
        for topic in sorted({topic for other in members for topic in other.topics}):
            takers = [other for other in members if topic in other.topics]
            mine |= {
                TopicPartition(topic, number)
                for number in range(self.partitions)
                if takers[number % len(takers)] is member
            }
        return frozenset(mine)


class MemoryBus:
    """One service's view of a MemoryBroker."""

    def __init__(self, broker: MemoryBroker, service: str) -> None:
        self.broker = broker
        self._service = service
        self._waiting_since: float | None = None

    @property
    def service(self) -> str:
        return self._service

    async def start(self) -> None:
        await self.broker.reachable.wait()

    async def stop(self) -> None:
        """Nothing is held."""

    async def publish(self, items: Sequence[Event | Message], *, topic: Topic | None = None) -> None:
        await self.publish_raw(
            [item if isinstance(item, Message) else encode(item, source=self._service, topic=topic) for item in items]
        )

    async def publish_raw(self, messages: Sequence[Message]) -> None:
        started = self.broker.clock.monotonic()
        self._waiting_since = self._waiting_since or started
        await self.broker.reachable.wait()
        for message in messages:
            self.broker.append(message)
        self._waiting_since = None
        await asyncio.sleep(0)

    def consumer(self, group: str, topics: Sequence[str], rebalanced: Rebalanced | None = None) -> Consumer:
        return MemoryConsumer(self.broker, group, topics, rebalanced)

    async def scan(
        self, topics: Sequence[str], *, start: Positions | None = None, newest: int | None = None, follow: bool = False
    ) -> AsyncIterator[Record]:
        at = {
            TopicPartition(topic, number): (start or {}).get(TopicPartition(topic, number), 0)
            for topic in topics
            for number in range(self.broker.partitions)
        }
        if newest is not None:
            at = {place: max(0, len(self.broker.logs[place]) - newest) for place in at}
        while True:
            for place in at:
                for record in self.broker.logs[place][at[place] :]:
                    at[place] += 1
                    yield record
            if not follow:
                return
            await self.broker.appended.wait()

    def unacknowledged_for(self) -> float:
        return 0.0 if self._waiting_since is None else self.broker.clock.monotonic() - self._waiting_since


class MemoryConsumer:
    """A member of a group; rebalances are noticed at the next poll, as with the real client."""

    def __init__(
        self, broker: MemoryBroker, group: str, topics: Sequence[str], rebalanced: Rebalanced | None = None
    ) -> None:
        self.topics = tuple(topics)
        self.positions: dict[TopicPartition, int] = {}
        self._broker = broker
        self._name = group
        self._group = broker.groups[group]
        self._rebalanced = rebalanced
        self._generation = -1
        self._held: frozenset[TopicPartition] = frozenset()
        self._paused: set[TopicPartition] = set()

    async def start(self) -> None:
        await self._broker.reachable.wait()
        self._group.members.append(self)
        self._broker.rebalance(self._name)

    async def stop(self) -> None:
        if self in self._group.members:
            self._group.members.remove(self)
            self._broker.rebalance(self._name)

    async def poll(self, *, seconds: float, limit: int) -> list[Record]:
        if self._generation != self._group.generation:
            await self._rejoin()
        records = self._take(limit)
        if not records:
            appended = self._broker.appended
            try:
                await asyncio.wait_for(appended.wait(), min(seconds, 0.02))
            except TimeoutError:
                return []
            records = self._take(limit)
        return records

    async def commit(self, positions: Positions) -> bool:
        if self._generation != self._group.generation and not self._rejoining:
            return False
        if not set(positions) <= self._held:
            return False
        self._group.committed.update(positions)
        return True

    def seek(self, position: TopicPartition, offset: int) -> None:
        self.positions[position] = offset

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused |= set(partitions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused -= set(partitions)

    def assignment(self) -> frozenset[TopicPartition]:
        return self._held

    _rejoining = False

    async def _rejoin(self) -> None:
        self._rejoining = True
        if self._rebalanced is not None and self._held:
            await self._rebalanced.revoked(self._held)
        self._rejoining = False
        self._generation = self._group.generation
        self._held = self._broker.share(self._name, self)
        self._paused.clear()
        self.positions = {place: self._group.committed.get(place, 0) for place in self._held}
        if self._rebalanced is not None:
            await self._rebalanced.assigned(self._held)

    def _take(self, limit: int) -> list[Record]:
        if not self._broker.reachable.is_set():
            return []
        taken: list[Record] = []
        for place in sorted(self._held - self._paused):
            start = self.positions[place]
            part = self._broker.logs[place][start : start + limit - len(taken)]
            self.positions[place] = start + len(part)
            taken += part
        return taken
