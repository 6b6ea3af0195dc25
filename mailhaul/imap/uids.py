"""UID sets: written in ascending runs, cut to what servers take, read with a cap (RFC 9051 §9 sequence-set)."""

import re
from collections.abc import Iterable, Iterator

_SET = re.compile(rb"\d{1,10}(?::\d{1,10})?(?:,\d{1,10}(?::\d{1,10})?)*")
MAX_UID = 2**32 - 1


def _runs(uids: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = 0
    for uid in uids:
        if last and uid == last + 1:
            last = uid
            continue
        if last:
            yield first, last
        first = last = uid
    if last:
        yield first, last


def _text(first: int, last: int) -> bytes:
    return b"%d" % first if first == last else b"%d:%d" % (first, last)


def format_uids(uids: Iterable[int]) -> bytes:
    """The set that names these UIDs in this order; neighbours that ascend by one share a run."""
    return b",".join(_text(*run) for run in _runs(uids))


def split_uids(uids: Iterable[int], octets: int = 900) -> Iterator[bytes]:
    """Ascending sets of at most `octets` each: UW and Yahoo refuse command lines over 1,000 characters."""
    held: list[bytes] = []
    size = 0
    for run in _runs(sorted(set(uids))):
        text = _text(*run)
        if held and size + len(text) > octets:
            yield b",".join(held)
            held, size = [], 0
        held.append(text)
        size += len(text) + 1
    if held:
        yield b",".join(held)


def parse_uids(text: bytes, at_most: int) -> list[int]:
    """The UIDs that a set names, in its order, both ends of a run in either order.

    Raises ValueError when it is no set of UIDs or names more than `at_most` (a server's `1:4294967295` costs nothing).
    """
    if not _SET.fullmatch(text):
        raise ValueError("not a set of UIDs")
    found: list[int] = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        first, last = int(low), int(high or low)
        if not 0 < min(first, last) <= max(first, last) <= MAX_UID:
            raise ValueError("a UID out of range")
        if len(found) + abs(last - first) + 1 > at_most:
            raise ValueError(f"more than {at_most} UIDs")
        # RFC 9051 §9 seq-range: 4:2 and 2:4 are the same messages, always in ascending order.
        found.extend(range(min(first, last), max(first, last) + 1))
    return found
