"""Long work on both buses: order within a key, contiguous commits, back-pressure, rebalances (promise 4, joint 11)."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from mailhaul import events, topics
from mailhaul.clock import SystemClock
from mailhaul.events import Event
from mailhaul.kafka.bus import Bus, Message
from mailhaul.kafka.codec import decode
from mailhaul.kafka.keyed_consumer import Flow, KeyedConsumer, Occupied, run_keyed
from mailhaul.kafka.run_loop import Edge
from tests.event_samples import sample
from tests.fixtures_bus import SECONDS, Stage

REQUESTS, MIGRATIONS = "mailhaul.requests", "mailhaul.migrations"
READ = [topics.REQUESTS]
QUICK = Flow(at_once=8, high_water=64, low_water=32, commit_seconds=0.1, drain_seconds=0.5)


def asked(count: int, *, keys: int = 4, start: int = 0) -> list[Event]:
    return [
        sample(events.PauseRequested, n, migration_id=f"m{n % keys}", event_id=f"e{n}")
        for n in range(start, start + count)
    ]


class Heart:
    """Begins, waits at the gates that the test closed, ends; and remembers all of it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.at_once = 0
        self.peak = 0

    def close(self, *ids: str) -> None:
        self.gates |= {name: asyncio.Event() for name in ids}

    def open(self, *ids: str) -> None:
        for name in ids or list(self.gates):
            self.gates[name].set()

    async def __call__(self, event: Event) -> AsyncIterator[Event | Message]:
        name = event.event_id
        self.begun.append(name)
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        try:
            async with asyncio.timeout(60):  # spans the yield, as a real heart's does
                yield answer(event, "begun")
                if name in self.gates:
                    await self.gates[name].wait()
                yield answer(event, "ended")
            self.ended.append(name)
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        finally:
            self.at_once -= 1


def answer(event: Event, word: str) -> Event:
    return sample(events.MigrationPaused, 1, migration_id="m", event_id=f"{word}-{event.event_id}")


@asynccontextmanager
async def running(bus: Bus, heart: Heart, flow: Flow = QUICK) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_keyed(Edge(bus, SystemClock()), heart, stop, flow=flow, topics=READ))
    yield stop
    stop.set()
    async with asyncio.timeout(SECONDS):
        await task


async def becomes(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not true():
            await asyncio.sleep(0.02)


async def said(bus: Bus) -> list[str]:
    return [decode(record).event_id async for record in bus.scan([MIGRATIONS])]


async def test_a_slow_key_holds_up_no_other_and_keeps_its_own_order(stage: Stage) -> None:
    bus, heart = await stage.bus("scheduler"), Heart()
    heart.close("e0")
    await bus.publish(asked(20))
    async with running(bus, heart):
        await becomes(lambda: len(heart.ended) == 15)
        assert not {f"e{n}" for n in range(0, 20, 4)} & set(heart.ended)
        assert "begun-e0" in await said(bus)  # what was yielded does not wait for the end
        heart.open()
        await becomes(lambda: len(heart.ended) == 20)
    for key in range(4):
        assert [name for name in heart.ended if int(name[1:]) % 4 == key] == [f"e{n}" for n in range(key, 20, 4)]


async def test_no_more_than_at_once_are_in_the_hearts_hands(stage: Stage) -> None:
    bus, heart = await stage.bus("scheduler"), Heart()
    heart.close(*(f"e{n}" for n in range(20)))
    await bus.publish(asked(40, keys=20))
    async with running(bus, heart, Flow(at_once=3, commit_seconds=0.1)):
        await becomes(lambda: heart.at_once == 3)
        await asyncio.sleep(0.2)
        heart.open()
        await becomes(lambda: len(heart.ended) == 40)
    assert heart.peak == 3


async def test_only_what_comes_before_the_first_unfinished_record_is_committed(stage: Stage) -> None:
    bus, first, second = await stage.bus("scheduler"), Heart(), Heart()
    first.close("e4")
    await bus.publish(asked(20))
    async with running(bus, first):
        await becomes(lambda: len(first.ended) == 20 - 4)
        await asyncio.sleep(0.3)
    assert first.cancelled == ["e4"]
    async with running(bus, second):
        await becomes(lambda: {"e4", "e8", "e12", "e16"} <= set(second.ended))
        await asyncio.sleep(0.3)
    # What shares the partition with the unfinished one and came after it is repeated, the rest is not.
    places = {decode(record).event_id: record async for record in bus.scan([REQUESTS])}
    held = places["e4"]
    expected = {
        name for name, place in places.items() if place.partition == held.partition and place.offset >= held.offset
    }
    assert set(second.begun) == expected


async def test_a_partition_is_paused_at_the_high_water_mark_and_resumed(stage: Stage) -> None:
    bus, heart = await stage.bus("scheduler"), Heart()
    await bus.publish(asked(60, keys=1))
    heart.close("e0")
    keyed = KeyedConsumer(
        Edge(bus, SystemClock()), heart, Flow(high_water=10, low_water=5, commit_seconds=0.1), [REQUESTS]
    )
    stop = asyncio.Event()
    task = asyncio.create_task(keyed.run(stop))
    await becomes(lambda: heart.begun == ["e0"])
    await asyncio.sleep(1.0)
    assert 10 <= keyed.unfinished < 40
    heart.open()
    await becomes(lambda: len(heart.ended) == 60)
    assert heart.ended == [f"e{n}" for n in range(60)]
    stop.set()
    await task


async def test_an_occupied_mailbox_is_tried_again_without_a_slot(stage: Stage) -> None:
    bus, tries = await stage.bus("scheduler"), defaultdict[str, int](int)

    async def heart(event: Event) -> AsyncIterator[Event | Message]:
        tries[event.event_id] += 1
        if event.event_id == "e0" and tries["e0"] < 4:
            raise Occupied("somebody else has it", seconds=0.3)
        yield answer(event, "ended")

    await bus.publish(asked(8))
    stop = asyncio.Event()
    edge = Edge(bus, SystemClock())
    task = asyncio.create_task(run_keyed(edge, heart, stop, flow=Flow(at_once=1, commit_seconds=0.1), topics=READ))
    await becomes(lambda: len(tries) == 7)
    assert tries["e4"] == 0  # the same key waits
    await becomes(lambda: tries["e4"] == 1)
    assert tries["e0"] == 4
    stop.set()
    await task


async def test_a_bug_in_the_heart_ends_the_process(stage: Stage) -> None:
    bus = await stage.bus("scheduler")

    async def heart(event: Event) -> AsyncIterator[Event | Message]:
        if event.event_id == "e2":
            raise ArithmeticError("a bug")
        await asyncio.sleep(30)
        yield answer(event, "ended")

    await bus.publish(asked(4))
    with pytest.raises(ArithmeticError, match="a bug"):
        await run_keyed(Edge(bus, SystemClock()), heart, asyncio.Event(), flow=QUICK, topics=READ)


async def test_joint_11_work_in_flight_survives_a_rebalance_and_only_lost_work_stops(stage: Stage) -> None:
    bus, first, second = await stage.bus("scheduler"), Heart(), Heart()
    names = [f"e{n}" for n in range(12)]
    for heart in (first, second):
        heart.close(*names)
    await bus.publish(asked(12, keys=12))
    flow = Flow(at_once=20, commit_seconds=0.1, drain_seconds=0.3)
    async with running(bus, first, flow):
        await becomes(lambda: len(first.begun) == 12)
        async with running(bus, second, flow):
            await becomes(lambda: len(second.begun) > 0)
            await becomes(lambda: len(first.cancelled) == len(second.begun))
            await asyncio.sleep(0.5)
            kept = set(names) - set(first.cancelled)
            assert set(first.cancelled) == set(second.begun)
            assert kept  # went on through the rebalance
            first.open(*kept)
            await becomes(lambda: set(first.ended) == kept)
            assert sorted(first.begun) == sorted(names)  # nothing was begun twice: the redelivered joined
            second.open()
            await becomes(lambda: set(second.ended) == set(second.begun))
            await asyncio.sleep(0.3)
    third = Heart()
    async with running(bus, third):
        await asyncio.sleep(0.7)
    assert third.begun == []  # everything was committed
