"""FETCH responses: what a server says about one message, read fast where it writes as most do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mailhaul.imap.dates import parse_date
from mailhaul.imap.reader import Breach, Part
from mailhaul.imap.values import STREAMED, Atom, Value, number, parse_values, words

# One pass over the items that the engine asks for, in any order, up to the end or to the announcement of a body.
# `.fullmatch` keeps a keyword named `UID` from being taken for an item.
_USUAL = re.compile(
    rb"\* (\d{1,10}) FETCH \("
    rb"(?:(?:UID (?P<uid>\d{1,10})|FLAGS \((?P<flags>[^()\"]*)\)|INTERNALDATE \"(?P<date>[^\"]*)\""
    rb"|RFC822\.SIZE (?P<size>\d{1,19})|MODSEQ \((?P<modseq>\d{1,19})\))(?: |(?=\))))*"
    rb"(?:\)|(?P<section>BODY\[[A-Z]*\]) ~?\{\d+\})"
)


@dataclass(slots=True)
class Fetched:
    """One FETCH response or, from the parts before a literal, its beginning. What was not said is None.

    `flags` are the bytes between the parentheses as sent; `date` is INTERNALDATE in seconds since 1970, None also when
    it was no date; `bodies` maps a section (`BODY[]`) to its bytes, to None for NIL, or to STREAMED; `coming` names the
    section whose literal comes next.
    """

    number: int
    uid: int | None = None
    flags: bytes | None = None
    date: int | None = None
    size: int | None = None
    modseq: int | None = None
    bodies: dict[bytes, Value] = field(default_factory=dict)
    coming: bytes | None = None


def parse_fetch(parts: Sequence[Part]) -> Fetched | None:
    """A FETCH response, whole or up to a literal; None for any other response. Raises Breach when it is garbled."""
    line = parts[0]
    if len(parts) == 1 and (found := _USUAL.fullmatch(line or b"")):
        uid, flags, date, size, modseq, section = found.group("uid", "flags", "date", "size", "modseq", "section")
        return Fetched(
            int(found[1]),
            None if uid is None else int(uid),
            flags,
            None if date is None else parse_date(date),
            None if size is None else int(size),
            None if modseq is None else int(modseq),
            coming=section,
        )
    head = bytes(line or b"")[:40].split(b" ", 3)
    if len(head) < 3 or head[0] != b"*" or not head[1].isdigit() or head[2].upper() != b"FETCH":
        return None
    return _parse_slowly(parts)


def _parse_slowly(parts: Sequence[Part]) -> Fetched:
    cut_off = len(parts) % 2 == 1 and bool(re.search(rb"\{\d+\+?\}$", bytes(parts[-1] or b"")))
    values = parse_values(parts, cut_off=cut_off)
    if len(values) != 4 or not isinstance(items := values[3], list):
        raise Breach("a FETCH without a list")
    fetched = Fetched(number(values[1]))
    if len(items) % 2:
        last = items.pop()
        if not cut_off or not isinstance(last, Atom):
            raise Breach("a FETCH item without a value")
        fetched.coming = last.upper()
    for name, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(name, Atom):
            raise Breach("a FETCH item without a name")
        _take(fetched, name.upper(), value)
    return fetched


def _take(fetched: Fetched, name: bytes, value: Value) -> None:
    match name:
        case b"UID":
            fetched.uid = number(value)
        case b"FLAGS":
            fetched.flags = b" ".join(words(value))
        case b"INTERNALDATE":
            fetched.date = parse_date(value) if isinstance(value, bytes) else None
        case b"RFC822.SIZE":
            fetched.size = number(value)
        case b"MODSEQ":
            fetched.modseq = number(value[0]) if isinstance(value, list) and value else None
        case _ if name.startswith((b"BODY[", b"BINARY[")) or value is STREAMED:
            # RFC 9051 §7.5.2: BODY[]<0> answers BODY[]<0.n>; the section alone says what was asked.
            fetched.bodies[name] = value
        case _:
            pass
