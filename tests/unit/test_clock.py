"""The virtual clock."""

from datetime import UTC, datetime, timedelta

import pytest

from mailhaul.clock import Clock, SystemClock, VirtualClock


async def test_a_virtual_clock_moves_only_when_told() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    clock = VirtualClock(start)
    await clock.sleep(90.5)
    clock.advance(0.5)
    assert clock.now() == start + timedelta(seconds=91)
    assert clock.monotonic() == 91.0
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


async def test_the_system_clock_is_in_utc() -> None:
    clock: Clock = SystemClock()
    await clock.sleep(0)
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
