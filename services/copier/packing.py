"""The UID map as packed rows: one ledger row a batch, 38 octets a message."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_ROW = struct.Struct("<IIqI16sH")
_MAX_SIZE = 2**32 - 1
MOST_ROWS = 1000  # flag sets are counted in 16 bits, and a row that SQL rewrites should stay small


class Content(NamedTuple):
    """A message as recovery and settling compare it; `date` in seconds since 1970, `flags` sorted and spaced."""

    digest: bytes
    size: int
    date: int
    flags: bytes


class MapRow(NamedTuple):
    """One message that stands at the destination: `target_uid` 0 where it was there once and is no more."""

    source_uid: int
    target_uid: int
    date: int
    size: int
    digest: bytes
    flags: bytes

    @property
    def content(self) -> Content:
        return Content(self.digest, self.size, self.date, self.flags)


def pack(rows: Sequence[MapRow]) -> tuple[bytes, bytes]:
    """Rows as (packed rows, the flag sets they point into, one a line)."""
    if len(rows) > MOST_ROWS:
        raise ValueError(f"a packed row holds at most {MOST_ROWS} messages")
    sets = sorted({row.flags for row in rows})
    index = {flags: number for number, flags in enumerate(sets)}
    packed = b"".join(
        _ROW.pack(row.source_uid, row.target_uid, row.date, min(row.size, _MAX_SIZE), row.digest, index[row.flags])
        for row in rows
    )
    return packed, b"\n".join(sets)


def unpack(packed: bytes, sets: bytes) -> Iterator[MapRow]:
    """The rows that `pack` made."""
    flags = sets.split(b"\n")
    for source_uid, target_uid, date, size, digest, index in _ROW.iter_unpack(packed):
        yield MapRow(source_uid, target_uid, date, size, digest, flags[index])


def slices(rows: Sequence[MapRow]) -> Iterator[Sequence[MapRow]]:
    """Rows in portions that fit `pack`."""
    for start in range(0, len(rows), MOST_ROWS):
        yield rows[start : start + MOST_ROWS]


def pack_uids(uids: Iterable[int]) -> bytes:
    """UIDs in their order, 4 octets each, little-endian on every machine."""
    numbers = list(uids)
    return struct.pack(f"<{len(numbers)}I", *numbers)


def unpack_uids(packed: bytes) -> list[int]:
    """What `pack_uids` made."""
    if len(packed) % 4:
        raise ValueError("not a list of UIDs")
    return list(struct.unpack(f"<{len(packed) // 4}I", packed))


def fits(uid: int) -> bool:
    """Whether a number can be a UID (RFC 9051 §2.3.1.1: 32 bits, never 0)."""
    return 0 < uid < 2**32


__all__ = ["MOST_ROWS", "Content", "MapRow", "fits", "pack", "pack_uids", "slices", "unpack", "unpack_uids"]
