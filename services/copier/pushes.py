"""Pushes to the destination: MULTIAPPEND, pipelined LITERAL+ APPENDs, or synchronising literals over connections."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from mailhaul.failpoints import failpoint
from mailhaul.imap.answers import Answer
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.encoder import append_head, append_message, is_quotable
from mailhaul.imap.reader import Sink
from services.copier.batches import Listed
from services.copier.digests import Hash, new_hash
from services.copier.work import Folder

PUSHING = failpoint("copier.pushing")
PUSHED = failpoint("copier.pushed")


@dataclass(slots=True, eq=False)
class Item:
    """A message under way; `target_uid` 0 until the destination named it."""

    uid: int
    size: int
    date: int
    flags: bytes
    hasher: Hash = field(default_factory=new_hash)
    target_uid: int = 0
    stored: bool = False


@dataclass(slots=True, eq=False)
class Batch:
    """Messages asked for together; done when its FETCHes are tagged and its pushes answered."""

    folder: Folder
    listed: Sequence[Listed]
    tries: int = 0  # how often a push of exactly this batch was refused
    intent: int = 0
    items: list[Item] = field(default_factory=list)
    too_large: list[tuple[int, int]] = field(default_factory=list)
    empty: set[int] = field(default_factory=set)
    fetches: int = 0
    open_pushes: int = 0
    refused: list[tuple[Answer, list[Item]]] = field(default_factory=list)
    unread: Answer | None = None  # the source refused to read
    target_validity: int = 0

    @property
    def uids(self) -> list[int]:
        return [message.uid for message in self.listed]


Answered = Callable[[Batch, list[Item], Answer], None]


class Pusher(Protocol):
    """Takes messages as they begin; `answered` is called in the step that parses the destination's answer."""

    single: bool

    def open(self, batch: Batch, item: Item) -> Sink:
        """The sink for the octets of a message."""
        ...

    def end(self, batch: Batch) -> None:
        """The source has nothing more for this batch."""
        ...

    def flush(self) -> None:
        """Write what has gathered."""
        ...


class StreamingPusher:
    """LITERAL+ on one connection: a whole batch as one MULTIAPPEND (RFC 3502) or each message as its own APPEND."""

    def __init__(self, connection: IMAPConnection, *, multi: bool, answered: Answered) -> None:
        self.single = not multi
        self._connection, self._multi, self._answered = connection, multi, answered
        self._out: list[bytes | memoryview] = []
        self._batch: Batch | None = None
        self._items: list[Item] = []

    def open(self, batch: Batch, item: Item) -> Sink:
        if self._batch is not batch or not self._multi:
            self._close()
            self._batch, self._items = batch, []
            batch.open_pushes += 1
            PUSHING()
            tag, _ = self._connection.begin(on_done=partial(self._answered, batch, self._items))
            self._out.append(tag + b" " + append_head(batch.folder.target_name))
        self._items.append(item)
        self._out.append(append_message(item.flags, item.date, item.size, plus=True))
        update, put = item.hasher.update, self._out.append

        def sink(chunk: memoryview) -> None:
            update(chunk)
            put(chunk)

        return sink

    def _close(self) -> None:
        # The CR LF that ends the command has to be written in the step that knows it is over: one step later the next
        # message's announcement could slip in front of it.
        if self._batch is not None:
            self._out.append(b"\r\n")
            self._batch = None

    def end(self, batch: Batch) -> None:
        if self._batch is batch:
            self._close()

    def flush(self) -> None:
        if self._out:
            self._connection.write(b"".join(self._out))
            self._out.clear()


class WaitingPusher:
    """Synchronising literals: whole messages wait for one of several connections, bounded in octets."""

    single = True
    AT_ONCE = 2  # on a connection: the next announcement does not wait for the last answer

    def __init__(
        self, connections: Sequence[IMAPConnection], source: IMAPConnection, *, most_held: int, answered: Answered
    ) -> None:
        self._source, self._most, self._answered = source, most_held, answered
        self._held = 0
        self._queue: asyncio.Queue[tuple[Batch, Item, list[bytes]]] = asyncio.Queue()
        self._tasks = [
            asyncio.create_task(self._push(connection)) for connection in connections for _ in range(self.AT_ONCE)
        ]

    def open(self, batch: Batch, item: Item) -> Sink:
        batch.open_pushes += 1
        self._held += item.size
        if self._held > self._most:
            self._source.hold_reading(self)
        chunks: list[bytes] = []
        left = item.size

        def sink(chunk: memoryview) -> None:
            nonlocal left
            item.hasher.update(chunk)
            chunks.append(bytes(chunk))
            left -= len(chunk)
            if not left:
                self._queue.put_nowait((batch, item, chunks))

        return sink

    async def _push(self, connection: IMAPConnection) -> None:
        while connection.lost is None:
            batch, item, chunks = await self._queue.get()
            PUSHING()
            told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            head = append_message(item.flags, item.date, item.size, plus=False)
            connection.command(
                [*announce(batch.folder.target_name, head), b"".join(chunks)],
                on_done=partial(self._told, told, batch, item),
            )
            chunks.clear()
            await asyncio.wait({told, connection.closed}, return_when=asyncio.FIRST_COMPLETED)
            self._held -= item.size
            if self._held <= self._most:
                self._source.release_reading(self)

    def _told(self, told: "asyncio.Future[None]", batch: Batch, item: Item, answer: Answer) -> None:
        self._answered(batch, [item], answer)
        if not told.done():
            told.set_result(None)

    def end(self, batch: Batch) -> None:
        """Each message is its own push."""

    def flush(self) -> None:
        """Nothing gathers here."""

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()


def announce(folder: bytes, head: bytes) -> list[bytes]:
    """`APPEND folder head` in pieces; a name that cannot be quoted goes as a literal of its own (RFC 9051 §6.3.12)."""
    if is_quotable(folder):
        return [append_head(folder) + head]
    return [b"APPEND {%d}" % len(folder), folder + head]
