"""One IMAP connection: commands pipelined, literals streamed to sinks, back-pressure coupled, nothing trusted.

What belongs to whom is decided in `waiting`; what may be read at all in `reader`.
"""

import asyncio
import functools
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailhaul.errors import MailhaulError, ProtocolBroken, Side, Unreachable
from mailhaul.imap.answers import Answer, clean, parse_status
from mailhaul.imap.limits import Limits
from mailhaul.imap.reader import Breach, Part, ResponseReader, Sink
from mailhaul.imap.refusals import disconnected, refusal
from mailhaul.imap.stall import StallWatch
from mailhaul.imap.waiting import Command, OnContinue, OnDone, OnLiteral, OnUntagged, WaitingCommands


@functools.cache
def _keep_pages() -> None:
    """Teaches glibc's allocator, once, that large buffers come and go.

    Reads are a quarter of a megabyte each. With its first settings malloc may hand their pages back to the system after
    every read and fault them in again for the next, which more than doubled the CPU spent (measured). Freeing one block
    of this size lifts both of its thresholds; the block is never touched and costs no memory.
    """
    bytes(4 << 20)


def _whole_word(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![A-Za-z0-9])" + re.escape(name.encode()) + rb"(?![A-Za-z0-9])", re.IGNORECASE)


@dataclass(slots=True)
class _Awaited:
    """The one command that waits for a `+`; RFC 9051 §2.2.1 forbids to send anything else meanwhile."""

    tag: bytes
    go: OnContinue
    backlog: list[tuple[bytes, Sequence[bytes], OnContinue | None]] = field(default_factory=list)


class IMAPConnection(asyncio.Protocol):
    """Made by `mailhaul.dial`; every callback runs in the step that parses what it is told.

    Hooks: `after_read()` when a piece of input is digested; `feeder`, the connection whose reading stops while this
    one's write buffer is full; `on_lost(error)`, once. Futures of commands give an `Answer` with status OK or raise
    `ServerRefused`, `SignInRefused`, `Throttled`, `ProtocolBroken` or `Unreachable`, always with this side.
    """

    transport: asyncio.Transport

    def __init__(self, *, side: Side, server: str, limits: Limits | None = None) -> None:
        self.side, self.server, self.limits = side, server, limits or Limits()
        self.loop = asyncio.get_running_loop()
        self.greeting: asyncio.Future[Answer] = self.loop.create_future()
        self.closed: asyncio.Future[None] = self.loop.create_future()
        self.capabilities: frozenset[str] = frozenset()
        self.lost: MailhaulError | None = None
        self.peer_address = ""
        self.feeder: IMAPConnection | None = None
        self.after_read: Callable[[], Any] | None = None
        self.on_lost: Callable[[MailhaulError], Any] | None = None
        self.received = self.learned = 0
        self._secrets: list[bytes] = []
        self._names: list[re.Pattern[bytes]] = []
        self._open = WaitingCommands()
        self._serial = 0
        self._awaited: _Awaited | None = None
        self._holds: set[object] = set()
        self._bye: Answer | None = None
        self._watch = StallWatch(
            self.loop,
            window=lambda: self.limits.stall_window,
            progress=self._progress,
            busy=lambda: bool(self._open) or not self.greeting.done(),
            held=lambda: bool(self._holds),  # reading that we stopped ourselves is no silence
            stalled=self._stalled,
        )
        self.reader = ResponseReader(self.limits, self._literal, self._response)

    # --- asking ---------------------------------------------------------------------------------------------------

    def begin(
        self,
        name: bytes = b"APPEND",
        *,
        on_untagged: OnUntagged | None = None,
        on_literal: OnLiteral | None = None,
        on_done: OnDone | None = None,
        barrier: bool = False,
    ) -> tuple[bytes, asyncio.Future[Answer]]:
        """Registers a command whose bytes the caller writes: its tag, and the future of its answer."""
        self._serial += 1
        tag, future = b"A%d" % self._serial, self.loop.create_future()
        if self.lost:
            future.set_exception(self.lost)
            future.exception()  # whoever awaits it is told; nobody has to
            return tag, future
        self._open.add(tag, name, future, barrier, on_untagged, on_literal, on_done)
        self._watch.start()
        return tag, future

    def command(
        self,
        line: bytes | Sequence[bytes],
        *,
        on_untagged: OnUntagged | None = None,
        on_literal: OnLiteral | None = None,
        on_done: OnDone | None = None,
        on_continue: OnContinue | None = None,
        barrier: bool = False,
    ) -> asyncio.Future[Answer]:
        """Sends a command without its tag and last CR LF.

        In a sequence every piece but the last ends with a synchronising literal's announcement and waits for `+`.
        """
        pieces: Sequence[bytes] = (line,) if isinstance(line, bytes) else line
        name = b" ".join(pieces[0].split(b" ", 2)[: 2 if pieces[0][:4] == b"UID " else 1])
        tag, future = self.begin(
            name.strip(), on_untagged=on_untagged, on_literal=on_literal, on_done=on_done, barrier=barrier
        )
        if self._awaited:
            self._awaited.backlog.append((tag, pieces, on_continue))
        else:
            self._send(tag, pieces, on_continue)
        return future

    def _send(self, tag: bytes, pieces: Sequence[bytes], on_continue: OnContinue | None) -> None:
        rest = list(pieces[1:])

        def next_piece(text: bytes) -> bool | None:
            if not rest:
                return on_continue(text) if on_continue else False
            self.write(rest.pop(0) + b"\r\n")
            return bool(rest) or on_continue is not None

        if rest or on_continue:
            self._awaited = _Awaited(tag, next_piece)
        self.write(b"%b %b\r\n" % (tag, pieces[0]))

    def write(self, data: bytes) -> None:
        """Bytes as they are: the engine's own APPENDs and literals."""
        if self.lost is None:
            self.transport.write(data)

    def redact(self, *secrets: str | bytes, names: Sequence[str] = ()) -> None:
        """Never lets these through in an error, whatever the server echoes: secrets anywhere, names as whole words."""
        self._secrets += [secret.encode() if isinstance(secret, str) else secret for secret in secrets if secret]
        self._secrets.sort(key=len, reverse=True)  # a long one may hold a short one
        self._names += [_whole_word(name) for name in sorted(names, key=len, reverse=True) if name]

    # --- back-pressure --------------------------------------------------------------------------------------------

    def hold_reading(self, reason: object) -> None:
        """Stops reading until every reason to hold is released."""
        if not self._holds and self.lost is None:
            self.transport.pause_reading()
        self._holds.add(reason)

    def release_reading(self, reason: object) -> None:
        if reason in self._holds:
            self._holds.discard(reason)
            if not self._holds and self.lost is None:
                self.transport.resume_reading()

    def pause_writing(self) -> None:
        if self.feeder:
            self.feeder.hold_reading(self)

    def resume_writing(self) -> None:
        if self.feeder:
            self.feeder.release_reading(self)

    # --- the end --------------------------------------------------------------------------------------------------

    def fail(self, error: MailhaulError) -> None:
        """Ends the connection at once; nothing more is sent or read, every open command raises `error`."""
        if self.lost is not None:
            return
        self.lost, self.reader.stopped = error, True
        self._watch.stop()
        self.resume_writing()
        if not self.closed.done():
            self.closed.set_result(None)
        for future in (self.greeting, *(command.future for command in self._open.clear())):
            if not future.done():
                future.set_exception(error)
                future.exception()
        if hasattr(self, "transport"):
            self.transport.abort()
        if self.on_lost:
            self.on_lost(error)

    def abort(self) -> None:
        """Drops the socket: unsent bytes are forgotten, nothing more of ours reaches the server."""
        self.fail(Unreachable("closed", "we closed the connection", side=self.side))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._bye:
            self.fail(refusal(self._bye, "the session", self.side, self.shown(self._bye.text)))
        else:
            self.fail(disconnected(self.side))

    def breach(self, what: str) -> ProtocolBroken:
        text = f"the {self.side} server broke the protocol: {what}"
        return ProtocolBroken("protocol_broken", text, side=self.side)

    def shown(self, text: bytes) -> str:
        """The server's words without the secrets that were sent to it."""
        for secret in self._secrets:
            text = text.replace(secret, b"***")
        for name in self._names:
            text = name.sub(b"***", text)
        return clean(text)

    # --- what comes back ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        _keep_pages()
        self.transport = transport
        transport.set_write_buffer_limits(high=self.limits.write_high, low=self.limits.write_low)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self.peer_address = transport.get_extra_info("peername")[0]
        self._watch.start()

    def seal(self) -> None:
        """STARTTLS was answered: an octet in clear from now on is somebody else's (RFC 9051 §6.2.1)."""
        self.reader.sealed = True

    def secured(self, transport: asyncio.Transport) -> None:
        """TLS began: what was said in clear is forgotten."""
        self.reader.sealed, self.capabilities = False, frozenset()
        self.transport = transport
        transport.set_write_buffer_limits(high=self.limits.write_high, low=self.limits.write_low)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        try:
            self.reader.feed(data)
        except Breach as error:
            self.fail(self.breach(str(error)))
        except MailhaulError as error:  # a callback's verdict, such as Fenced
            self.fail(error)
        if self.after_read:
            self.after_read()

    def _literal(self, parts: list[Part], size: int) -> Sink | None:
        for command in self._open.listening():
            if command.on_literal and (sink := command.on_literal(parts, size)) is not None:
                return sink
        return None

    def _response(self, parts: list[Part]) -> None:
        line = parts[0]
        assert isinstance(line, bytes)
        if line[:2] == b"* ":
            if not self.greeting.done():
                self._greeted(line)
            else:
                self._untagged(line, parts)
        elif line[:1] == b"+":
            self._continue(line[2:])
        elif line:  # some servers send an empty line now and then
            self._tagged(line)

    def _greeted(self, line: bytes) -> None:
        answer = parse_status(line[2:])
        if answer is None or answer.status not in ("OK", "PREAUTH", "BYE"):
            raise Breach("no IMAP greeting")
        if answer.code == "CAPABILITY":
            self._learn(answer.argument)
        if answer.status == "BYE":
            self._bye = answer
        self.greeting.set_result(answer)

    def _untagged(self, line: bytes, parts: list[Part]) -> None:
        if not line[2:3].isdigit():
            word = line[2:].split(b" ", 1)[0].upper()
            if word == b"CAPABILITY":
                self._learn(line[13:])
            elif word in (b"OK", b"BYE") and (answer := parse_status(line[2:])):
                if answer.code == "CAPABILITY":
                    self._learn(answer.argument)
                if word == b"BYE":
                    self._bye = answer
        for command in self._open.listening():
            if command.on_untagged and command.on_untagged(parts):
                return

    def _learn(self, words: bytes) -> None:
        self.capabilities = frozenset(words.decode("ascii", "replace").upper().split())
        self.learned += 1

    def _continue(self, text: bytes) -> None:
        awaited = self._awaited
        if awaited is None:
            # A stale `+` would be taken for the go-ahead of a later literal, which the server may then refuse.
            raise Breach("a continuation that nothing asked for")
        if not awaited.go(text) and self._awaited is awaited:
            self._release(awaited)

    def _release(self, awaited: _Awaited) -> None:
        self._awaited = None
        while awaited.backlog and self._awaited is None:
            self._send(*awaited.backlog.pop(0))
        if self._awaited:
            self._awaited.backlog = awaited.backlog + self._awaited.backlog

    def _tagged(self, line: bytes) -> None:
        tag, _, rest = line.partition(b" ")
        answer = parse_status(rest)
        if answer is None or answer.status not in ("OK", "NO", "BAD"):
            raise Breach("a tagged response that is no answer")
        command = self._open.answered(tag)
        if command is None:
            raise Breach("an answer to no command of ours")
        if answer.code == "CAPABILITY" and answer.ok:
            self._learn(answer.argument)
        try:
            if command.on_done:
                command.on_done(answer)
        finally:
            self._settle(command, answer)
        if self._awaited and self._awaited.tag == tag:
            self._release(self._awaited)

    def _settle(self, command: Command, answer: Answer) -> None:
        if command.future.done():
            return
        if answer.ok:
            command.future.set_result(answer)
            return
        name = command.name.decode("ascii", "replace")
        command.future.set_exception(refusal(answer, name, self.side, self.shown(answer.text)))
        if command.on_done:
            command.future.exception()  # told already: nobody has to await it

    # --- time -----------------------------------------------------------------------------------------------------

    def _progress(self) -> tuple[int, int]:
        unsent = 0 if self.lost else self.transport.get_write_buffer_size()
        return self.received, unsent

    def _stalled(self) -> None:
        text = f"the {self.side} server was silent for {self.limits.stall_window:g} s"
        self.fail(Unreachable("stalled", text, side=self.side))
