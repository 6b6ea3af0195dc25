"""Publishes what was asked: at once, after a crash, and after a broker's absence however long (joint 6)."""

import asyncio

from sqlalchemy import Connection, delete

from mailhaul.kafka.process import wait_until
from mailhaul.vault import shred_orphans
from services.panel.desk import Desk
from services.panel.tables import panel_repeat

LOOK = 1.0  # seconds until another process's leftovers are looked for
TIDY_EVERY = 3600.0


async def publish(desk: Desk, stop: asyncio.Event) -> None:
    """Send whatever waits in the outbox until `stop`; a send that waits for the broker is left to the next start."""
    while not stop.is_set():
        desk.asked.clear()
        await _unless(stop, asyncio.create_task(_sent(desk)))
        await _woken(desk.asked, stop)


async def tidy(desk: Desk, stop: asyncio.Event) -> None:
    """Once an hour: forget old answers, payloads long sent, and secrets whose submission never came."""
    while not stop.is_set():
        await desk.outbox.purge()
        await desk.db.write(_forget, desk)
        await wait_until(stop, TIDY_EVERY)


async def _sent(desk: Desk) -> None:
    await desk.outbox.relay(desk.bus)


async def _unless(stop: asyncio.Event, work: "asyncio.Task[None]") -> None:
    """Wait for the work, or give it up when asked to stop."""
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        for task in (work, stopped):
            task.cancel()
        await asyncio.gather(work, stopped, return_exceptions=True)


async def _woken(asked: asyncio.Event, stop: asyncio.Event) -> None:
    waits = {asyncio.create_task(event.wait()) for event in (asked, stop)}
    try:
        await asyncio.wait(waits, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def _forget(tx: Connection, desk: Desk) -> None:
    tx.execute(delete(panel_repeat).where(panel_repeat.c.forget_at <= desk.now))
    shred_orphans(tx, desk.now)
