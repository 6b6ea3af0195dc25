"""A process's loops live and die together; a signal ends them; the health signal says what is wrong."""

import asyncio
import os
import signal

import pytest

from mailhaul.clock import VirtualClock
from mailhaul.kafka.liveness import Liveness
from mailhaul.kafka.memory_bus import MemoryBroker, MemoryBus
from mailhaul.kafka.process import serve, together


async def until_stopped(stop: asyncio.Event) -> None:
    await stop.wait()


async def test_sigterm_ends_every_loop() -> None:
    ended = []

    async def loop(stop: asyncio.Event) -> None:
        await stop.wait()
        ended.append(1)

    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
    await serve(loop, loop)
    assert ended == [1, 1]


async def test_a_loop_that_fails_ends_the_others_and_its_error_is_raised() -> None:
    cancelled = []

    async def forever(stop: asyncio.Event) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async def failing(stop: asyncio.Event) -> None:
        raise ArithmeticError("a bug")

    with pytest.raises(ArithmeticError, match="a bug"):
        await serve(forever, failing)
    assert cancelled == [1]


async def test_a_loop_that_does_not_end_is_cancelled_after_its_grace() -> None:
    async def deaf(stop: asyncio.Event) -> None:
        await asyncio.sleep(60)

    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(5):
        await serve(deaf, stop=stop, grace=0.05)


async def test_loops_that_end_by_themselves_are_waited_for_together() -> None:
    stop = asyncio.Event()
    order: list[str] = []

    async def quick() -> None:
        order.append("quick")

    async def slow() -> None:
        await asyncio.sleep(0.02)
        order.append("slow")

    await together(stop, slow(), quick())
    assert order == ["quick", "slow"]


async def test_joint_18_no_acknowledgement_is_a_health_signal() -> None:
    clock = VirtualClock()
    broker = MemoryBroker(clock=clock)
    bus = MemoryBus(broker, "scheduler")
    liveness = Liveness(bus, clock, silent_seconds=30.0, still_seconds=60.0)
    assert liveness.fault() == ""
    broker.reachable.clear()
    waiting = asyncio.create_task(bus.publish_raw([]))
    await asyncio.sleep(0)
    clock.advance(31.0)
    liveness.beat()
    assert liveness.fault() == "no_acknowledgement"
    liveness.tell()
    broker.reachable.set()
    await waiting
    assert liveness.fault() == ""
    liveness.tell()
    clock.advance(61.0)
    assert liveness.fault() == "no_turn"
    liveness.beat()
    assert liveness.fault() == ""
