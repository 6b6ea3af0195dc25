"""Message bodies on their way in: each literal goes to whoever asked for its UID, in whatever order it comes."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from mailhaul.errors import MailhaulError
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.fetches import Fetched, parse_fetch
from mailhaul.imap.reader import Part, Sink
from mailhaul.imap.uids import split_uids
from services.copier.digests import Hash, cut, new_hash
from services.copier.packing import Content

BODY, HEADER = b"BODY[]", b"BODY[HEADER]"
UNDATED = -(2**62)  # stands for an INTERNALDATE that the server does not have


def discard(chunk: memoryview) -> None:
    """A sink for a message that nobody wants."""


class BodyReader:
    """Callbacks for pipelined FETCHes of one folder; `open(fetched, size)` gives the sink of a message.

    RFC 9051 §7.5.2 sets no order of items: where UID or flags come only after the body, the body waits for them, held
    in memory. A body sent as a quoted string is a body; NIL is none.
    """

    def __init__(self, open_sink: Callable[[Fetched, int], Sink], section: bytes = BODY) -> None:
        self._open = open_sink
        self._section = section
        self._waiting: list[bytes] | None = None

    def on_literal(self, parts: list[Part], size: int) -> Sink | None:
        fetched = parse_fetch(parts)
        if fetched is None or fetched.coming != self._section:
            return None
        if fetched.uid is not None and fetched.flags is not None:
            self._waiting = None
            return self._open(fetched, size)
        held = self._waiting = []

        def keep(chunk: memoryview) -> None:
            held.append(bytes(chunk))

        return keep

    def on_untagged(self, parts: list[Part]) -> bool:
        if len(parts) > 1 and self._waiting is None and None in parts:
            return True  # streamed already
        fetched = parse_fetch(parts)
        if fetched is None or fetched.uid is None or self._section not in fetched.bodies:
            return False
        waiting, self._waiting = self._waiting, None
        body = b"".join(waiting) if waiting is not None else fetched.bodies[self._section]
        if isinstance(body, bytes):
            self._open(fetched, len(body))(memoryview(body))
        return True


def fetch_bodies(
    connection: IMAPConnection, uids: bytes, reader: BodyReader, on_done: Callable[[Any], Any], section: bytes = BODY
) -> "asyncio.Future[Any]":
    """UID FETCH that leaves no mark at the source (joint 28: BODY.PEEK), sent at once."""
    item = section.replace(b"BODY[", b"BODY.PEEK[")
    return connection.command(
        b"UID FETCH %b (UID FLAGS INTERNALDATE %b)" % (uids, item),
        on_untagged=reader.on_untagged,
        on_literal=reader.on_literal,
        on_done=on_done,
    )


async def read_contents(connection: IMAPConnection, uids: Collection[int], section: bytes = BODY) -> dict[int, Content]:
    """{UID: content} of the selected folder, read by streaming; messages that are gone or empty are left out."""
    found: dict[int, tuple[Hash, int, int, bytes]] = {}
    wanted = set(uids)

    def open_sink(fetched: Fetched, size: int) -> Sink:
        if fetched.uid is None or fetched.uid not in wanted or not size:
            return discard
        date = UNDATED if fetched.date is None else fetched.date
        hasher = new_hash()
        found[fetched.uid] = hasher, size, date, fetched.flags or b""
        return hasher.update

    reader = BodyReader(open_sink, section)
    errors: list[MailhaulError] = []
    for part in split_uids(wanted):
        try:
            await fetch_bodies(connection, part, reader, lambda answer: None, section)
        except MailhaulError as error:
            if connection.lost:
                raise
            errors.append(error)
    if errors and not found and wanted:
        raise errors[0]
    return {uid: Content(cut(hasher), size, date, flags) for uid, (hasher, size, date, flags) in found.items()}
