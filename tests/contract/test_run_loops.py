"""The run loops on both buses: publish, then commit; bad records go aside; a cause is decided once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection

from mailhaul import events, failpoints, topics
from mailhaul.clock import SystemClock
from mailhaul.db import Database
from mailhaul.errors import InvalidEvent
from mailhaul.events import Event
from mailhaul.kafka.bus import Bus, Message, Record
from mailhaul.kafka.codec import decode, encode, header
from mailhaul.kafka.dead_letters import (
    Limit,
    TooManyDeadLetters,
    drop_letter,
    list_letters,
    retry_letter,
    show_letter,
)
from mailhaul.kafka.outbox import Outbox
from mailhaul.kafka.run_loop import Edge, run, run_decisions
from tests.event_samples import changed, sample
from tests.fixtures_bus import SECONDS, Stage

REQUESTS, MIGRATIONS = "mailhaul.requests", "mailhaul.migrations"
READ = [topics.REQUESTS]
Loop = Callable[[asyncio.Event], Coroutine[None, None, None]]


def asked(count: int) -> list[Event]:
    return [sample(events.PauseRequested, n, migration_id=f"m{n % 5}", event_id=f"e{n}") for n in range(count)]


def answer(event: Event) -> events.MigrationPaused:
    return sample(
        events.MigrationPaused, 1, migration_id=getattr(event, "migration_id", ""), event_id=f"a-{event.event_id}"
    )


async def answering(event: Event) -> AsyncIterator[Event | Message]:
    yield answer(event)


def junk(number: int) -> Message:
    return Message(topic=REQUESTS, key=b"m1", value=f"junk {number}".encode(), headers=(("ce_id", b"j"), ("x", b"1")))


async def everything(bus: Bus, topic: str) -> list[Record]:
    return [record async for record in bus.scan([topic])]


async def published(bus: Bus, topic: str, count: int) -> list[Record]:
    """Wait until the topic holds so many records."""
    async with asyncio.timeout(SECONDS):
        while len(records := await everything(bus, topic)) < count:
            await asyncio.sleep(0.05)
    return records


@asynccontextmanager
async def running(loop: Loop) -> AsyncIterator[asyncio.Task[None]]:
    """A loop that is asked to stop at the end, and must end well."""
    stop = asyncio.Event()
    task = asyncio.create_task(loop(stop))
    yield task
    stop.set()
    async with asyncio.timeout(SECONDS):
        await task


async def test_what_the_heart_yields_is_published_and_then_committed(stage: Stage) -> None:
    bus = await stage.bus("scheduler")
    await bus.publish(asked(10))
    async with running(lambda stop: run(Edge(bus, SystemClock()), answering, stop, topics=READ)):
        answers = await published(bus, MIGRATIONS, 10)
    assert {decode(record).event_id for record in answers} == {f"a-e{n}" for n in range(10)}
    async with running(lambda stop: run(Edge(bus, SystemClock()), answering, stop, topics=READ)):
        await asyncio.sleep(0.5)
    assert len(await everything(bus, MIGRATIONS)) == 10


async def test_the_trace_of_the_cause_is_carried_on(stage: Stage) -> None:
    bus = await stage.bus("scheduler")
    [event] = asked(1)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await bus.publish_raw([encode(event, source="panel", trace=trace)])
    async with running(lambda stop: run(Edge(bus, SystemClock()), answering, stop, topics=READ)):
        [record] = await published(bus, MIGRATIONS, 1)
    assert header(record.headers, "traceparent") == trace


class Halting:
    """A heart with a bug: it fails at its third event."""

    def __init__(self) -> None:
        self.seen = 0

    async def __call__(self, event: Event) -> AsyncIterator[Event | Message]:
        self.seen += 1
        if self.seen == 3:
            raise ArithmeticError("a bug")
        yield answer(event)


async def test_a_bug_stops_the_process_and_its_event_is_delivered_again(stage: Stage) -> None:
    bus = await stage.bus("scheduler")
    await bus.publish(asked(5))
    with pytest.raises(ArithmeticError, match="a bug"):
        await run(Edge(bus, SystemClock()), Halting().__call__, asyncio.Event(), topics=READ)
    assert len(await everything(bus, MIGRATIONS)) == 2
    async with running(lambda stop: run(Edge(bus, SystemClock()), answering, stop, topics=READ)):
        answers = await published(bus, MIGRATIONS, 5)
    assert sorted(decode(record).event_id for record in answers) == [f"a-e{n}" for n in range(5)]


async def test_an_undecodable_record_goes_aside_and_its_partition_goes_on(stage: Stage) -> None:
    bus = await stage.bus("scheduler")
    await bus.publish_raw([junk(1), encode(asked(2)[1], source="panel"), junk(2)])
    async with running(lambda stop: run(Edge(bus, SystemClock()), answering, stop, topics=READ)):
        await published(bus, MIGRATIONS, 1)
        letters = await published(bus, "dlq.mailhaul.scheduler", 2)
    assert [letter.value for letter in letters] == [b"junk 1", b"junk 2"]
    headers = dict(letters[0].headers)
    assert headers | {"__dlq.errors.partition": b"", "__dlq.errors.message": b""} == {
        "ce_id": b"j",
        "x": b"1",
        "__dlq.errors.topic": REQUESTS.encode(),
        "__dlq.errors.partition": b"",
        "__dlq.errors.offset": b"0",
        "__dlq.errors.group": b"scheduler",
        "__dlq.errors.delivery.count": b"1",
        "__dlq.errors.message": b"",
        "error.code": b"no_event_headers",
        "error.side": b"platform",
    }


async def test_too_many_dead_letters_stop_the_process_and_lose_nothing(stage: Stage) -> None:
    bus = await stage.bus("scheduler")
    await bus.publish_raw([junk(number) for number in range(9)])
    with pytest.raises(TooManyDeadLetters):
        await run(Edge(bus, SystemClock(), limit=Limit(in_a_row=4)), answering, asyncio.Event(), topics=READ)
    assert len(await everything(bus, "dlq.mailhaul.scheduler")) == 4
    with pytest.raises(TooManyDeadLetters):
        await run(Edge(bus, SystemClock(), limit=Limit(a_minute=3)), answering, asyncio.Event(), topics=READ)
    assert [record.value for record in await everything(bus, "dlq.mailhaul.scheduler")] == [
        f"junk {number}".encode() for number in range(7)
    ]


async def test_dead_letters_are_listed_shown_retried_and_dropped(stage: Stage) -> None:
    bus = await stage.bus("scheduler")
    original = encode(asked(1)[0], source="panel")
    impossible = [original, junk(1), junk(2)]
    await bus.publish_raw(impossible)

    async def refusing(event: Event) -> AsyncIterator[Event | Message]:
        raise InvalidEvent("impossible", "that cannot be")
        yield event

    async with running(lambda stop: run(Edge(bus, SystemClock()), refusing, stop, topics=READ)):
        await published(bus, "dlq.mailhaul.scheduler", 3)
    letters = await list_letters(bus, services=["scheduler"])
    first = next(letter for letter in letters if letter.event_id == "e0")
    assert (first.code, first.side, first.event_type) == ("impossible", "platform", "PauseRequested")
    assert (await show_letter(bus, first.place)).reason == "that cannot be"

    await retry_letter(bus, first.place)
    again = [record for record in await everything(bus, REQUESTS) if record.value == original.value]
    assert [(record.key, record.headers) for record in again] == [(original.key, original.headers)] * 2
    await drop_letter(bus, next(letter for letter in letters if letter.event_id == "j").place)
    assert len(await list_letters(bus, services=["scheduler"])) == 1
    handled = await list_letters(bus, services=["scheduler"], handled=True)
    assert sorted(letter.handled for letter in handled) == ["", "dropped", "retried"]


@pytest.mark.parametrize("schema_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("place", ["kafka.decided", "kafka.flagged"])
async def test_joint_05_a_process_that_dies_in_between_sends_the_same_bytes_again(
    stage: Stage, outbox: Outbox, place: str
) -> None:
    bus, heart = await stage.bus("scheduler"), Scheduler()
    await bus.publish([changed(event, migration_id="m1") for event in asked(3)])  # one partition, one batch
    failpoints.configure(f"{place}=error@1")
    try:
        with pytest.raises(failpoints.FailpointError):
            await run_decisions(Edge(bus, SystemClock(), outbox), heart, asyncio.Event(), topics=READ)
    finally:
        failpoints.configure("")
    async with running(lambda stop: run_decisions(Edge(bus, SystemClock(), outbox), heart, stop, topics=READ)):
        await published(bus, MIGRATIONS, 3 if place == "kafka.decided" else 6)
    records = await everything(bus, MIGRATIONS)
    assert sorted(heart.decided) == ["e0", "e1", "e2"]
    assert len({record.value for record in records}) == 3
    assert {decode(record).event_id for record in records} == {"a-e0", "a-e1", "a-e2"}


class Scheduler:
    """A heart with tables; here it only counts what it decides."""

    def __init__(self) -> None:
        self.decided: list[str] = []

    def __call__(self, tx: Connection, event: Event) -> list[Event]:
        self.decided.append(event.event_id)
        if event.event_id == "e3":
            raise InvalidEvent("impossible", "that cannot be")
        return [] if event.event_id == "e4" else [answer(event)]


@pytest.fixture
async def outbox(database: Database) -> Outbox:
    return Outbox(database, "scheduler")


@pytest.mark.parametrize("schema_url", ["sqlite"], indirect=True)
async def test_joint_05_a_redelivered_cause_is_not_decided_twice(stage: Stage, outbox: Outbox) -> None:
    bus, heart = await stage.bus("scheduler"), Scheduler()
    sent = asked(6)
    await bus.publish(sent)
    async with running(lambda stop: run_decisions(Edge(bus, SystemClock(), outbox), heart, stop, topics=READ)):
        before = await published(bus, MIGRATIONS, 4)
        await published(bus, "dlq.mailhaul.scheduler", 1)
        await bus.publish(sent)
        after = await published(bus, MIGRATIONS, 8)
    assert sorted(heart.decided) == ["e0", "e1", "e2", "e3", "e3", "e4", "e5"]
    bytes_before = {record.value: record.headers for record in before}
    assert {record.value: record.headers for record in after} == bytes_before
