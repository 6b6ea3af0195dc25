"""Whole commands about messages: their metadata, flags and removal, always by UID."""

import asyncio
from collections.abc import Iterable, Sequence

from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.encoder import flag_list
from mailhaul.imap.fetches import Fetched, parse_fetch
from mailhaul.imap.reader import Part
from mailhaul.imap.uids import format_uids, split_uids

METADATA = b"(UID FLAGS INTERNALDATE RFC822.SIZE)"


def fetch_metadata(connection: IMAPConnection, uids: bytes, found: list[Fetched]) -> "asyncio.Future[object]":
    """UID FETCH of metadata, sent at once; rows are added to `found` as they come, one a message, UIDs as asked.

    `uids` is a set (`1:*`, `5,7:9`). RFC 9051 §9: `9:*` names the last message even when its UID is below 9; the
    caller drops it. A row is claimed only with UID, size and flags, so an unsolicited FETCH of flags is none.
    """

    def take(parts: list[Part]) -> bool:
        fetched = parse_fetch(parts)
        if fetched is None or fetched.uid is None or fetched.size is None or fetched.flags is None:
            return False
        found.append(fetched)
        return True

    return connection.command(b"UID FETCH %b %b" % (uids, METADATA), on_untagged=take)  # type: ignore[return-value]


async def metadata(connection: IMAPConnection, uids: Iterable[int]) -> list[Fetched]:
    """The metadata of these UIDs, in as many pipelined commands as servers' line limits need."""
    found: list[Fetched] = []
    await asyncio.gather(*(fetch_metadata(connection, part, found) for part in split_uids(uids)))
    return found


async def store_flags(connection: IMAPConnection, uids: Sequence[int], sign: str, flags: Iterable[bytes]) -> None:
    """UID STORE +FLAGS.SILENT or -FLAGS.SILENT; `sign` is `+` or `-`."""
    item = {"+": b"+FLAGS.SILENT", "-": b"-FLAGS.SILENT"}[sign]
    listed = flag_list(flags)
    parts = list(split_uids(uids))
    await asyncio.gather(*(connection.command(b"UID STORE %b %b %b" % (part, item, listed)) for part in parts))


async def expunge(connection: IMAPConnection, uids: Iterable[int]) -> None:
    """UID EXPUNGE (RFC 4315, UIDPLUS): removes these messages, where marked \\Deleted, and no others."""
    await asyncio.gather(*(connection.command(b"UID EXPUNGE " + part) for part in split_uids(uids)))


__all__ = ["METADATA", "expunge", "fetch_metadata", "format_uids", "metadata", "store_flags"]
