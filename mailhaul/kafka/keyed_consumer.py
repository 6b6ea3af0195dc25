"""Long work that does not block (promise 4): per-key queues, contiguous commits, pause at the high-water mark."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from mailhaul.errors import InvalidEvent, MailhaulError, Side
from mailhaul.kafka.bus import Consumer, Record, TopicPartition
from mailhaul.kafka.codec import header, traceparent
from mailhaul.kafka.offsets import OffsetTracker
from mailhaul.kafka.run_loop import POLL_SECONDS, Edge, Handle, Received, tended
from mailhaul.kafka.yielded import publish_beside
from mailhaul.topics import PREFIX, READERS, Topic

log = structlog.get_logger(__name__)

POLL_RECORDS = 20  # few, so that the high-water mark is not passed by far
REMEMBERED = 20_000  # finished records whose redelivery is answered from memory


class Occupied(MailhaulError):
    """Another worker holds the lease: the record stays unfinished and is tried again, without a slot meanwhile."""

    def __init__(self, text: str, *, seconds: float = 1.0) -> None:
        super().__init__("occupied", text, side=Side.PLATFORM, retryable=True)
        self.seconds = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How much a keyed consumer takes on."""

    at_once: int = 8  # events in the heart's hands
    high_water: int = 64  # unfinished records of a partition at which it is paused
    low_water: int = 32  # and resumed
    commit_seconds: float = 1.0
    drain_seconds: float = 20.0  # after a stop, until the work that goes on is cancelled


async def run_keyed(
    edge: Edge,
    handle: Handle,
    stop: asyncio.Event,
    *,
    flow: Flow | None = None,
    topics: Sequence[Topic] | None = None,
) -> None:
    """For a heart whose events take long (validator, copier): one after another within a key, side by side across keys.

    What the heart yields is published at once, not when it ends; a heart that finds its lease held raises Occupied.
    After a rebalance work goes on; what was really lost is cancelled. A redelivered event joins the work in flight
    for its `event_id`.
    """
    read = READERS[edge.bus.service] if topics is None else topics
    keyed = KeyedConsumer(edge, handle, flow or Flow(), [PREFIX + topic.name for topic in read])
    await tended(edge, lambda: keyed.run(stop), stop)


@dataclass(slots=True)
class _Work:
    """One event and every record that brought it."""

    received: Received
    places: list[Record]


@dataclass(slots=True)
class _Partition:
    tracker: OffsetTracker = field(default_factory=OffsetTracker)
    queues: dict[bytes, deque[_Work]] = field(default_factory=dict)
    tasks: dict[bytes, asyncio.Task[None]] = field(default_factory=dict)
    paused: bool = False


class KeyedConsumer:
    """The machinery of `run_keyed`; its fetch loop never waits for a heart, so the group never gives it up."""

    def __init__(self, edge: Edge, handle: Handle, flow: Flow, topics: Sequence[str]) -> None:
        self._edge = edge
        self._handle = handle
        self._flow = flow
        self._consumer: Consumer = edge.bus.consumer(edge.bus.service, topics, self)
        self._slots = asyncio.Semaphore(flow.at_once)
        self._open = asyncio.Event()  # cleared between revoke and assignment: nothing new begins meanwhile
        self._open.set()
        self._parts: dict[TopicPartition, _Partition] = {}
        self._flight: dict[str, _Work] = {}
        self._finished: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._ending: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._draining = False
        self._committed_at = 0.0

    @property
    def unfinished(self) -> int:
        """Records that were delivered and are not done with."""
        return sum(part.tracker.unfinished for part in self._parts.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop`, or until a heart fails."""
        await self._consumer.start()
        try:
            while not stop.is_set() and self._failure is None:
                self._edge.liveness.beat()
                for record in await self._consumer.poll(seconds=POLL_SECONDS, limit=POLL_RECORDS):
                    await self._take(record)
                self._regulate()
                await self._commit_in_time()
        finally:
            await self._drain()
            await self._consumer.stop()
        if self._failure is not None:
            raise self._failure

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Commit what is finished; what is in flight goes on under its lease (joint 11)."""
        self._open.clear()
        await self._commit()

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Stop what was really lost; what was kept is delivered again from the commit on and joins."""
        for place in [place for place in self._parts if place not in partitions]:
            self._abandon(place)
        for place in partitions:
            part = self._parts.setdefault(place, _Partition())
            part.tracker, part.paused = OffsetTracker(), False
            self._unqueue(part)
        self._open.set()

    async def _take(self, record: Record) -> None:
        part = self._parts.get(record.source)
        if part is None:
            return  # taken away between the poll and now
        part.tracker.delivered(record.offset)
        if _identity(record) in self._finished:
            part.tracker.finished(record.offset)
            return
        received = await self._edge.read([record])
        if not received:
            part.tracker.finished(record.offset)
            return
        self._enqueue(part, received[0])

    def _enqueue(self, part: _Partition, received: Received) -> None:
        work = self._flight.get(received.event.event_id)
        if work is not None:
            work.places.append(received.record)
            return
        work = self._flight[received.event.event_id] = _Work(received, [received.record])
        key = received.record.key
        part.queues.setdefault(key, deque()).append(work)
        if key not in part.tasks:
            task = part.tasks[key] = asyncio.create_task(self._work(part, key))
            task.add_done_callback(self._watch)

    async def _work(self, part: _Partition, key: bytes) -> None:
        """One key's queue, front to back."""
        queue = part.queues[key]
        try:
            while queue:
                await self._open.wait()
                if queue and not await self._one(queue[0]):
                    return
                if queue:
                    self._finish(queue.popleft())
        finally:
            del part.tasks[key], part.queues[key]
            for left in queue:
                self._forget(left)

    def _watch(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._failure = self._failure or task.exception()

    async def _one(self, work: _Work) -> bool:
        """Whether the event is done with; False when the process is about to end and it has not begun."""
        received = work.received
        while not self._draining:
            token = traceparent.set(received.trace)
            try:
                async with self._slots:
                    if not self._draining:
                        await publish_beside(self._handle(received.event), self._edge.publish)
                        return True
            except Occupied as error:
                await self._edge.clock.sleep(error.seconds)
            except InvalidEvent as error:
                await self._edge.refuse(received.record, error)
                return True
            finally:
                traceparent.reset(token)
        return False

    def _forget(self, work: _Work) -> None:
        """Nothing joins it any more; a later delivery may have begun anew under the same id."""
        if self._flight.get(work.received.event.event_id) is work:
            del self._flight[work.received.event.event_id]

    def _finish(self, work: _Work) -> None:
        self._forget(work)
        for record in work.places:
            self._finished[_identity(record)] = None
            part = self._parts.get(record.source)
            if part is not None:
                part.tracker.finished(record.offset)
        while len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)

    def _unqueue(self, part: _Partition) -> None:
        """Forget what has not begun: it is delivered again."""
        for queue in part.queues.values():
            while len(queue) > 1:
                self._forget(queue.pop())

    def _abandon(self, place: TopicPartition) -> None:
        part = self._parts.pop(place)
        self._unqueue(part)
        for queue in part.queues.values():
            for work in queue:
                self._forget(work)
        for task in part.tasks.values():
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        if part.tasks:
            log.info("partition_lost", partition=f"{place.topic}/{place.partition}", cancelled=len(part.tasks))

    def _regulate(self) -> None:
        held = self._consumer.assignment()
        for place, part in self._parts.items():
            if place not in held:
                continue
            if not part.paused and part.tracker.unfinished >= self._flow.high_water:
                part.paused = True
                self._consumer.pause([place])
            elif part.paused and part.tracker.unfinished <= self._flow.low_water:
                part.paused = False
                self._consumer.resume([place])

    async def _commit_in_time(self) -> None:
        instant = self._edge.clock.monotonic()
        if instant - self._committed_at >= self._flow.commit_seconds:
            self._committed_at = instant
            await self._commit()

    async def _commit(self) -> None:
        positions = {place: part.tracker.due for place, part in self._parts.items()}
        due = {place: offset for place, offset in positions.items() if offset is not None}
        if due and await self._consumer.commit(due):
            for place, offset in due.items():
                if place in self._parts:
                    self._parts[place].tracker.committed = offset

    async def _drain(self) -> None:
        """Let what is in the heart's hands end, begin nothing more, then cancel."""
        self._draining = True
        self._open.set()
        for part in self._parts.values():
            self._unqueue(part)
        tasks = self._tasks()
        if tasks and self._failure is None:
            await asyncio.wait(tasks, timeout=self._flow.drain_seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._ending, return_exceptions=True)
        await self._commit()

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for part in self._parts.values() for task in part.tasks.values()]


def _identity(record: Record) -> tuple[str, str]:
    # With its id, so that a topic deleted and made anew does not pass for the old one.
    return record.place, header(record.headers, "ce_id")
