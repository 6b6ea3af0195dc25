"""The edge of every service: poll, decode, let the heart decide, publish, wait, flag, and only then commit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from mailhaul.clock import Clock
from mailhaul.errors import InvalidEvent
from mailhaul.events import Event
from mailhaul.failpoints import failpoint
from mailhaul.kafka.bus import Bus, Consumer, Message, Record, TopicPartition
from mailhaul.kafka.codec import decode, header, traceparent
from mailhaul.kafka.dead_letters import DeadLetterSink, Limit
from mailhaul.kafka.liveness import Liveness
from mailhaul.kafka.outbox import Decide, Outbox, Tick
from mailhaul.kafka.process import together, wait_until
from mailhaul.topics import PREFIX, READERS, Topic

log = structlog.get_logger(__name__)

Handle: TypeAlias = Callable[[Event], AsyncIterator[Event | Message]]
Step: TypeAlias = Callable[[Sequence[Record], Consumer], Awaitable[None]]
POLL_SECONDS = 0.25  # as long does a stop wait at most
BATCH = 200  # decided in one transaction
FEW = 20  # one after another

DECIDED = failpoint("kafka.decided")
PUBLISHED = failpoint("kafka.published")
FLAGGED = failpoint("kafka.flagged")
COMMITTED = failpoint("kafka.committed")


@dataclass(frozen=True, slots=True)
class Received:
    """An event with the record that brought it."""

    event: Event
    record: Record

    @property
    def trace(self) -> str:
        return header(self.record.headers, "traceparent")


@dataclass(slots=True)
class Edge:
    """What lies between the bus and one heart; every run loop is made of its steps."""

    bus: Bus
    clock: Clock
    outbox: Outbox | None = None
    limit: Limit = field(default_factory=Limit)
    dead_letters: DeadLetterSink = field(init=False)
    liveness: Liveness = field(init=False)

    def __post_init__(self) -> None:
        self.liveness = Liveness(self.bus, self.clock)
        self.dead_letters = DeadLetterSink(self.bus, clock=self.clock, limit=self.limit)

    def consumer(self, topics: Sequence[Topic] | None = None) -> Consumer:
        """This service's member of its group, by default for the topics that `topics.READERS` names."""
        read = READERS[self.bus.service] if topics is None else topics
        return self.bus.consumer(self.bus.service, [PREFIX + topic.name for topic in read])

    async def read(self, records: Sequence[Record]) -> list[Received]:
        """Decode; what cannot be decoded is a dead letter by the time this returns."""
        received = []
        for record in records:
            try:
                received.append(Received(decode(record), record))
            except InvalidEvent as error:
                await self.refuse(record, error)
            else:
                self.dead_letters.good()
        return received

    async def refuse(self, record: Record, error: InvalidEvent) -> None:
        """Put a record aside."""
        log.error("dead_letter", record=record.place, code=error.code, reason=error.text)
        await self.dead_letters.put(record, error)

    async def publish(self, items: Sequence[Event | Message]) -> None:
        """Publish what a heart yielded, wait for the acknowledgement, flag what came from the outbox."""
        if not items:
            return
        await self.bus.publish(items)
        PUBLISHED()
        if self.outbox is not None:
            await self.outbox.flag(item for item in items if isinstance(item, Message))

    async def handled(self, received: Received, handle: Handle) -> None:
        """Give one event to the heart and publish what it yields; an impossible event is a dead letter."""
        token = traceparent.set(received.trace)
        try:
            await self.publish([item async for item in handle(received.event)])
        except InvalidEvent as error:
            await self.refuse(received.record, error)
        finally:
            traceparent.reset(token)


def after(records: Sequence[Record]) -> dict[TopicPartition, int]:
    """The offsets to commit once these records are done."""
    positions: dict[TopicPartition, int] = {}
    for record in records:
        positions[record.source] = max(record.offset + 1, positions.get(record.source, 0))
    return positions


async def run(edge: Edge, handle: Handle, stop: asyncio.Event, *, topics: Sequence[Topic] | None = None) -> None:
    """For a heart that takes one event and yields events, one after another (the notifier, the panel)."""

    async def step(records: Sequence[Record], consumer: Consumer) -> None:
        for record in records:
            for received in await edge.read([record]):
                await edge.handled(received, handle)
            FLAGGED()
            await consumer.commit(after([record]))
            COMMITTED()
            if stop.is_set():
                return

    await _reading(edge, topics, step, stop, limit=FEW)


async def run_decisions(
    edge: Edge, decide: Decide, stop: asyncio.Event, *, topics: Sequence[Topic] | None = None
) -> None:
    """For a heart with tables, `decide(tx, event) -> events`: a whole batch is one transaction."""
    outbox = _needed(edge)

    async def step(records: Sequence[Record], consumer: Consumer) -> None:
        received = await edge.read(records)
        decided = await outbox.decide_all(decide, [(item.event, item.trace) for item in received])
        DECIDED()
        await outbox.send(edge.bus, [message for result in decided for message in result.messages])
        FLAGGED()
        for item, result in zip(received, decided, strict=True):
            if result.refused is not None:
                await edge.refuse(item.record, result.refused)
        await consumer.commit(after(records))
        COMMITTED()

    await _reading(edge, topics, step, stop)


async def run_ticks(edge: Edge, tick: Tick, stop: asyncio.Event, *, every: float) -> None:
    """For a heart with timers, `tick(tx) -> events`: again at once while something is due, else `every` seconds on."""
    outbox = _needed(edge)
    while not stop.is_set():
        messages = await outbox.commit(tick)
        DECIDED()
        await outbox.send(edge.bus, messages)
        if not messages:
            await wait_until(stop, every)


async def _reading(
    edge: Edge, topics: Sequence[Topic] | None, step: Step, stop: asyncio.Event, *, limit: int = BATCH
) -> None:
    """Poll until `stop`."""

    async def polling() -> None:
        consumer = edge.consumer(topics)
        await consumer.start()
        try:
            while not stop.is_set():
                edge.liveness.beat()
                records = await consumer.poll(seconds=POLL_SECONDS, limit=limit)
                if records:
                    await step(records, consumer)
        finally:
            await consumer.stop()

    await tended(edge, polling, stop)


async def tended(edge: Edge, polling: Callable[[], Coroutine[None, None, None]], stop: asyncio.Event) -> None:
    """Run a loop with what belongs beside it: the outbox's care, and an eye on the acknowledgements.

    What an earlier process decided and never flagged leaves first.
    """
    if edge.outbox is None:
        await together(stop, polling(), edge.liveness.watch(stop))
    else:
        await edge.outbox.relay(edge.bus)
        await together(stop, polling(), edge.outbox.tend(edge.bus, stop), edge.liveness.watch(stop))


def _needed(edge: Edge) -> Outbox:
    if edge.outbox is None:
        raise ValueError("decisions need an outbox")
    return edge.outbox
