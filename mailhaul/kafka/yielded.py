"""What a heart yields, published beside it: the heart goes on in its own task while the broker acknowledges."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from mailhaul.events import Event
from mailhaul.kafka.bus import Message

UNPUBLISHED = 1_000  # yielded and not yet acknowledged, before the heart has to wait


async def publish_beside(
    items: AsyncIterator[Event | Message], publish: Callable[[Sequence[Event | Message]], Awaitable[None]]
) -> None:
    """Iterate `items` in this very task, so that its time-outs and task groups may span a yield; return when all
    is acknowledged."""
    stream = _Stream(publish)
    publishing = asyncio.create_task(stream.run())
    try:
        async for item in items:
            await stream.put(item, publishing)
        stream.end()
        await publishing
    finally:
        publishing.cancel()
        # A generator left in the middle closes its sockets now, not when it is collected.
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()


class _Stream:
    def __init__(self, publish: Callable[[Sequence[Event | Message]], Awaitable[None]]) -> None:
        self._publish = publish
        self._waiting: list[Event | Message] = []
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False

    async def put(self, item: Event | Message, publishing: asyncio.Task[None]) -> None:
        self._waiting.append(item)
        self._more.set()
        while len(self._waiting) >= UNPUBLISHED and not publishing.done():
            self._room.clear()
            room = asyncio.ensure_future(self._room.wait())
            await asyncio.wait({room, publishing}, return_when=asyncio.FIRST_COMPLETED)
            room.cancel()
        if publishing.done():
            publishing.result()

    def end(self) -> None:
        self._ended = True
        self._more.set()

    async def run(self) -> None:
        while self._waiting or not self._ended:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                batch, self._waiting = self._waiting, []
                self._room.set()
                await self._publish(batch)
