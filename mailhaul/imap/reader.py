"""Cuts a byte stream into responses: text in whole lines, literals streamed on, nothing larger than the limits.

Pure and incremental: the same bytes give the same calls, wherever the network cut them (RFC 9051 §4.3, §7).
"""

import re
from collections.abc import Callable
from typing import Any

from mailhaul.imap.limits import MAX_INT, Limits

Part = bytes | bytearray | None
"""A response in parts: text, literal, text, ...; a literal that went to a sink is None."""
Sink = Callable[[memoryview], Any]

_LITERAL = re.compile(rb"\{(\d{1,20})\+?\}$")
# RFC 9051 §7.1: what stands behind OK, NO, BAD, BYE, PREAUTH or `+` is text; a `{5}` at its end is no literal.
_ONLY_TEXT = re.compile(rb"\+|[^ ]+ (?:OK|NO|BAD|BYE|PREAUTH)(?: |$)", re.IGNORECASE)


class Breach(ValueError):
    """The server sent what no RFC or no limit allows; the text holds nothing that it sent."""


class ResponseReader:
    """`feed` bytes; each literal is offered to `on_literal`, each whole response goes to `on_response`."""

    def __init__(
        self,
        limits: Limits,
        on_literal: Callable[[list[Part], int], Sink | None],
        on_response: Callable[[list[Part]], Any],
    ) -> None:
        self._limits, self._on_literal, self._on_response = limits, on_literal, on_response
        self._rest = bytearray()
        self._parts: list[Part] = []
        self._held = self._left = 0
        self._sink: Sink | None = None
        self.stopped = False
        """Set by a callback: nothing more is read, not even what came in the same piece."""
        self.sealed = False
        """Set when the server must be silent now (STARTTLS was answered): one octet more is a breach."""

    def feed(self, data: bytes) -> None:
        pos, end = 0, len(data)
        while pos < end and not self.stopped:
            if self.sealed:
                raise Breach("data behind the answer to STARTTLS")
            if self._left:
                part = memoryview(data)[pos : pos + self._left]
                pos += len(part)
                self._left -= len(part)
                assert self._sink is not None
                self._sink(part)
                continue
            cut = data.find(b"\n", pos) + 1
            if not cut:
                self._rest += data[pos:] if pos else data
                if len(self._rest) > self._limits.line + 1:  # its CR may have come without its LF
                    raise Breach("a line over the limit")
                return
            line = data[pos:cut]
            pos = cut
            if self._rest:
                line = bytes(self._rest) + line
                self._rest.clear()
            self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        # Every server ends lines with CR LF; a bare LF can only end one as well, so it is let pass.
        line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        if len(line) > self._limits.line:
            raise Breach("a line over the limit")
        self._held += len(line)
        if self._held > self._limits.response:
            raise Breach("a response over the limit")
        self._parts.append(line)
        found = _LITERAL.search(line) if line[-1:] == b"}" else None
        if found and (len(self._parts) > 1 or not _ONLY_TEXT.match(line)):
            self._begin_literal(int(found[1]))
            return
        parts, self._parts, self._held = self._parts, [], 0
        self._on_response(parts)

    def _begin_literal(self, size: int) -> None:
        if size > MAX_INT:
            raise Breach("a literal beyond 63 bits")
        sink = self._on_literal(self._parts, size)
        if sink is not None:
            if size > self._limits.streamed_literal:
                raise Breach("a literal over the limit")
            self._parts.append(None)
        else:
            self._held += size
            if size > self._limits.held_literal:
                raise Breach("a literal over the limit that nobody asked for")
            if self._held > self._limits.response:
                raise Breach("a response over the limit")
            held = bytearray()
            sink = held.extend
            self._parts.append(held)
        self._left, self._sink = size, sink
