"""Manners towards source servers: how many at once, when a server is left alone, and for whom again."""

import asyncio
from datetime import datetime, timedelta

from mailhaul.clock import VirtualClock
from mailhaul.errors import Side, Unreachable
from mailhaul.events import Endpoint
from mailhaul.ids import MigrationId
from services.validator.gate import REMEMBERED, Gate

ONE, OTHER = MigrationId("m1"), MigrationId("m2")
SERVER = Endpoint(host="imap.example.com", port=993, tls="implicit")
ASKED = VirtualClock().now()


def gate(clock: VirtualClock) -> Gate:
    return Gate(clock, at_once=2, in_all=3, refused_in_a_row=3)


def later(clock: VirtualClock) -> datetime:
    return clock.now() + timedelta(seconds=1)


async def test_a_slow_server_never_holds_up_another() -> None:
    door, running, most = gate(VirtualClock()), dict.fromkeys("ab", 0), dict.fromkeys("ab", 0)
    release = asyncio.Event()

    async def check(server: str) -> None:
        async with door.turn(server):
            running[server] += 1
            most[server] = max(most[server], running[server])
            if server == "a":
                await release.wait()
            running[server] -= 1

    slow = [asyncio.create_task(check("a")) for _ in range(20)]
    await asyncio.gather(*(check("b") for _ in range(20)))
    assert most["a"] == 2
    release.set()
    await asyncio.gather(*slow)
    assert most == {"a": 2, "b": 1}


def test_a_server_is_left_alone_after_refusals_in_a_row() -> None:
    clock = VirtualClock()
    door = gate(clock)
    for _ in range(2):
        door.refused(ONE, "a")
    door.accepted(ONE, "a")
    for _ in range(2):
        door.refused(ONE, "a")
    assert not door.halted(ONE, "a", ASKED)
    door.refused(ONE, "a")
    assert door.halted(ONE, "a", ASKED)
    assert not door.halted(OTHER, "a", ASKED)
    assert not door.halted(ONE, "b", ASKED)


def test_whoever_asks_anew_gets_another_try_and_only_that() -> None:
    clock = VirtualClock()
    door = gate(clock)
    for _ in range(3):
        door.refused(ONE, "a")
    again = later(clock)
    assert not door.halted(ONE, "a", again)
    clock.advance(5)
    for _ in range(3):
        door.refused(ONE, "a")
    assert door.halted(ONE, "a", again)
    door.forget(ONE)
    assert not door.halted(ONE, "a", again)


def test_a_dead_server_is_remembered_for_a_while() -> None:
    clock = VirtualClock()
    door = gate(clock)
    down = Unreachable("connection_refused", "down", side=Side.SOURCE)
    door.unreachable(SERVER, down)
    assert door.dead(SERVER, ASKED) is None
    door.unreachable(SERVER, down)
    assert door.dead(SERVER, ASKED) is down
    assert door.dead(SERVER, later(clock)) is None
    for _ in range(2):
        door.unreachable(SERVER, down)
    clock.advance(REMEMBERED.total_seconds() + 1)
    assert door.dead(SERVER, ASKED) is None


def test_a_session_that_breaks_is_no_dead_server() -> None:
    door = gate(VirtualClock())
    for _ in range(3):
        door.unreachable(SERVER, Unreachable("disconnected", "bye", side=Side.SOURCE))
    assert door.dead(SERVER, ASKED) is None
    for _ in range(2):
        door.unreachable(SERVER, Unreachable("connect_timed_out", "late", side=Side.SOURCE))
        door.reached(SERVER)
    assert door.dead(SERVER, ASKED) is None
