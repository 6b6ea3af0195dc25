"""The bus as every service sees it: publish and wait, poll and commit; what carries it is Kafka or memory."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from mailhaul.events import Event
from mailhaul.topics import Topic

Headers: TypeAlias = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, order=True)
class TopicPartition:
    """One partition of a topic, named in full (`mailhaul.rows`) but without the installation's own prefix."""

    topic: str
    partition: int


Positions: TypeAlias = Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A record on its way out, encoded once and for all; `event_id` is empty for a dead letter."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers
    event_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as it came in; `value` is None for a tombstone, which no topic of ours has."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: Headers
    appended_at: datetime

    @property
    def source(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)

    @property
    def place(self) -> str:
        """`topic/partition@offset`, as the command line names a record."""
        return f"{self.topic}/{self.partition}@{self.offset}"


class Rebalanced(Protocol):
    """Told of every rebalance, inside it; must return well before the session ends."""

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """All that is held is taken away (eager); what is finished can still be committed."""
        ...

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """What is held from now on; reading goes on at the committed offsets, or where `seek` puts it."""
        ...


class Consumer(Protocol):
    """A member of a consumer group; no automatic commit, a new group begins at the earliest record."""

    async def start(self) -> None:
        """Join; waits out a broker that is away, and raises when a topic does not exist."""
        ...

    async def poll(self, *, seconds: float, limit: int) -> list[Record]:
        """Records in each partition's order, empty after `seconds` without one."""
        ...

    async def commit(self, positions: Positions) -> bool:
        """Commit the next offset to read, by partition; False when a rebalance took one away meanwhile."""
        ...

    def seek(self, position: TopicPartition, offset: int) -> None: ...

    def pause(self, partitions: Iterable[TopicPartition]) -> None: ...

    def resume(self, partitions: Iterable[TopicPartition]) -> None: ...

    def assignment(self) -> frozenset[TopicPartition]: ...

    async def stop(self) -> None:
        """Leave the group; never raises and never hangs."""
        ...


class Bus(Protocol):
    """Where events are published and read."""

    @property
    def service(self) -> str:
        """The service that publishes here, named in `ce_source` and in its dead-letter topic."""
        ...

    async def start(self) -> None:
        """Connect; waits out a broker that is away."""
        ...

    async def stop(self) -> None:
        """Disconnect; what is not acknowledged by then may still arrive."""
        ...

    async def publish(self, items: Sequence[Event | Message], *, topic: Topic | None = None) -> None:
        """Publish and wait until every record is acknowledged; each key's order is kept.

        `topic` is named only for an event that several topics carry. Waits as long as the broker is away: a
        cancelled wait does not withdraw a record (joint 18).
        """
        ...

    async def publish_raw(self, messages: Sequence[Message]) -> None:
        """The same for records that are encoded already: outbox rows, dead letters and their retries."""
        ...

    def consumer(self, group: str, topics: Sequence[str], rebalanced: Rebalanced | None = None) -> Consumer:
        """A member of `group` for topics by their full names, not started."""
        ...

    def scan(
        self, topics: Sequence[str], *, start: Positions | None = None, newest: int | None = None, follow: bool = False
    ) -> AsyncIterator[Record]:
        """Read topics without a group: from `start` on, or the `newest` of each partition, or everything.

        Ends at what was there when it began, unless it is to `follow`.
        """
        ...

    def unacknowledged_for(self) -> float:
        """Seconds since the oldest record that is still waiting for its acknowledgement; 0 when none is."""
        ...
