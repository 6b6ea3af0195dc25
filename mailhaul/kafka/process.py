"""A service process: several loops that live and die together, until SIGTERM asks them to finish."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeAlias

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


async def serve(*loops: Loop, stop: asyncio.Event | None = None) -> None:
    """Run a service's loops until SIGTERM or SIGINT; a loop that fails ends the process with its error."""
    ending = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    try:
        await together(ending, *(_started(each, ending) for each in loops))
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _started(loop: Loop, stop: asyncio.Event) -> None:
    await loop(stop)
