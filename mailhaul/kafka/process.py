"""A service process: several loops that live and die together, until SIGTERM asks them to finish."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeAlias

GRACE_SECONDS = 30.0
Loop: TypeAlias = Callable[[asyncio.Event], Awaitable[None]]


async def together(stop: asyncio.Event, *work: Coroutine[None, None, None]) -> None:
    """Run all until each has ended; the first that fails cancels the others, and its error is raised."""
    tasks = {asyncio.ensure_future(each) for each in work}
    pending = tasks
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        stop.set()
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def wait_until(stop: asyncio.Event, seconds: float) -> None:
    """Wait for `stop`, at most so long."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def serve(*loops: Loop, stop: asyncio.Event | None = None, grace: float = GRACE_SECONDS) -> None:
    """Run a service's loops until SIGTERM or SIGINT; a loop that fails ends the process with its error.

    What has not ended `grace` seconds after the signal is cancelled: a publication waits for its broker for ever, and
    nothing is lost by leaving it, for its cause is not committed.
    """
    ending = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    work = asyncio.ensure_future(together(ending, *(_started(each, ending) for each in loops)))
    asked = asyncio.ensure_future(ending.wait())
    try:
        await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
        done, _ = await asyncio.wait({work}, timeout=grace)
        if done:
            work.result()
        else:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
    finally:
        asked.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _started(loop: Loop, stop: asyncio.Event) -> None:
    await loop(stop)
