"""Turns the parts of a response into values: atoms, strings, NIL, lists (RFC 9051 §4, §9)."""

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final

from mailhaul.imap.limits import MAX_INT
from mailhaul.imap.reader import Breach, Part


class Atom(bytes):
    """A word that was not a string: `BODY[]`, `\\Seen`, `42`; NIL becomes None."""


class _Streamed(Enum):
    STREAMED = "streamed"


STREAMED: Final = _Streamed.STREAMED
"""Stands where a literal went to a sink."""

Value = bytes | None | _Streamed | list["Value"]

_MARK = re.compile(rb"~?\{\d+\+?\}$")
# A section may hold blanks and parentheses, `BODY[HEADER.FIELDS (FROM)]<0>`; elsewhere a bracket is any character.
_TOKEN = re.compile(
    rb' *(?:(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\]|\\.)*)"'
    rb"|(?P<atom>(?:BODY|BINARY)(?:\.PEEK|\.SIZE)?\[[^\]]*\](?:<\d+>)?|[^ ()\"]+))",
    re.IGNORECASE | re.DOTALL,
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_DEPTH = 50


def parse_values(parts: Sequence[Part], *, cut_off: bool = False) -> list[Value]:
    """The values of a response, its `*` or tag among them.

    `cut_off` reads the parts before a literal that is still to come: lists may stay open, the announcement is left out.
    Raises Breach when the text is no IMAP data.
    """
    stack: list[list[Value]] = [[]]
    for token, value in _tokens(parts):
        if token == "open":
            if len(stack) > _DEPTH:
                raise Breach("lists nested too deep")
            stack.append([])
            stack[-2].append(stack[-1])
        elif token == "close":
            if len(stack) == 1:
                raise Breach("a list closed that was never opened")
            stack.pop()
        else:
            stack[-1].append(value)
    if len(stack) > 1 and not cut_off:
        raise Breach("a list left open")
    return stack[0]


def _tokens(parts: Sequence[Part]) -> Iterator[tuple[str, Value]]:
    for index, part in enumerate(parts):
        if index % 2:
            yield "literal", STREAMED if part is None else bytes(part)
            continue
        assert part is not None
        text, pos = bytes(part), 0
        if index < len(parts) - 1 or _cut_off(parts, index):
            text = _MARK.sub(b"", text)
        text = text.rstrip(b" ")
        while pos < len(text):
            found = _TOKEN.match(text, pos)
            if not found:
                raise Breach("a quoted string left open")
            pos = found.end()
            yield _token(found)


def _cut_off(parts: Sequence[Part], index: int) -> bool:
    return index == len(parts) - 1 and bool(_MARK.search(bytes(parts[index] or b"")))


def _token(found: re.Match[bytes]) -> tuple[str, Value]:
    if found["open"]:
        return "open", None
    if found["close"]:
        return "close", None
    if found["quoted"] is not None:
        return "string", _ESCAPED.sub(rb"\1", found["quoted"])
    return "atom", None if found["atom"].upper() == b"NIL" else Atom(found["atom"])


def number(value: Value) -> int:
    """A number of up to 63 bits; Breach when it is none."""
    if not isinstance(value, bytes) or not value.isdigit() or len(value) > 19 or int(value) > MAX_INT:
        raise Breach("no number where one belongs")
    return int(value)


def text(value: Value) -> bytes:
    """A string or atom as bytes; NIL as a word reads as `NIL` where only a string can stand."""
    if value is None:
        return b"NIL"
    if not isinstance(value, bytes):
        raise Breach("no string where one belongs")
    return bytes(value)


def words(value: Value) -> list[bytes]:
    """A flat list of atoms and strings."""
    if not isinstance(value, list):
        raise Breach("no list where one belongs")
    return [text(item) for item in value]
