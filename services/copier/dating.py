"""A date for a message whose server has no INTERNALDATE: its top Received, else its Date, else the hour of the plan."""

import asyncio
import re
from collections.abc import Collection
from email.utils import parsedate_to_datetime

from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.fetches import parse_fetch
from mailhaul.imap.reader import Part
from mailhaul.imap.uids import split_uids

_FIELDS = b"BODY.PEEK[HEADER.FIELDS (RECEIVED DATE)]"
_FOLD = re.compile(rb"\r?\n[ \t]")
_FIELD = re.compile(rb"^(received|date):(.*)", re.IGNORECASE | re.MULTILINE)


def date_of(header: bytes) -> int | None:
    """Seconds since 1970 from the topmost Received or, failing that, from Date (RFC 5322 §3.6), or None."""
    found: dict[bytes, int] = {}
    for name, value in _FIELD.findall(_FOLD.sub(b" ", header)):
        word = name.lower()
        text = value.rpartition(b";")[2] if word == b"received" else value
        seconds = _seconds(text)
        if seconds is not None:
            found.setdefault(word, seconds)
    return found.get(b"received", found.get(b"date"))


def _seconds(text: bytes) -> int | None:
    try:
        return int(parsedate_to_datetime(b" ".join(text.split()).decode("ascii", "replace")).timestamp())
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


async def read_dates(source: IMAPConnection, uids: Collection[int]) -> dict[int, int]:
    """{UID: date} of messages of the selected folder, from their headers; those without a date are left out."""
    found: dict[int, int] = {}

    def take(parts: list[Part]) -> bool:
        fetched = parse_fetch(parts)
        if fetched is None or fetched.uid not in uids or not fetched.bodies:
            return False
        header = next(iter(fetched.bodies.values()))
        seconds = date_of(header) if isinstance(header, bytes) else None
        if seconds is not None and fetched.uid is not None:
            found[fetched.uid] = seconds
        return True

    wanted = [b"UID FETCH %b (UID %b)" % (part, _FIELDS) for part in split_uids(uids)]
    await asyncio.gather(*(source.command(line, on_untagged=take) for line in wanted))
    return found
