"""A scripted IMAP server: a test writes the conversation that no honest server would hold."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from mailhaul.dial import DialPolicy, parse_networks, tls_context
from mailhaul.imap.limits import Limits
from mailhaul.stack.certificates import Authority


@dataclass
class Peer:
    """The server's end of one connection; everything that the client said stands in `heard`."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[bytes] = field(default_factory=list)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def greet(self, capabilities: bytes = b"IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN") -> None:
        await self.send(b"* OK [CAPABILITY %b] ready\r\n" % capabilities)

    async def line(self) -> bytes:
        line = await self.reader.readline()
        if not line:
            raise ConnectionError("the client went away")
        self.heard.append(line)
        return line.removesuffix(b"\r\n")

    async def expect(self, pattern: bytes) -> bytes:
        """The next command's tag, once its words match."""
        tag, _, words = (await self.line()).partition(b" ")
        assert re.fullmatch(pattern, words), (pattern, words)
        return tag

    async def answer(self, pattern: bytes, *untagged: bytes, result: bytes = b"OK done") -> None:
        tag = await self.expect(pattern)
        await self.send(b"".join(line + b"\r\n" for line in (*untagged, tag + b" " + result)))

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context)

    async def end(self) -> None:
        """Waits until the client is gone."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


Conversation = Callable[[Peer], Awaitable[None]]


@dataclass
class Scripted:
    """Where the scripted server listens, and what its conversations came to."""

    port: int
    peers: list[Peer]
    failures: list[BaseException]


class ScriptedServers:
    """`await scripted(conversation)` starts one; `context` makes it speak TLS at once."""

    def __init__(self) -> None:
        self._servers: list[tuple[asyncio.Server, Scripted]] = []

    async def __call__(self, conversation: Conversation, *, context: ssl.SSLContext | None = None) -> Scripted:
        scripted = Scripted(0, [], [])

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = Peer(reader, writer)
            scripted.peers.append(peer)
            try:
                await conversation(peer)
            except (ConnectionError, ssl.SSLError):
                pass
            except AssertionError as error:
                scripted.failures.append(error)
            finally:
                writer.close()
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    await writer.wait_closed()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
        scripted.port = server.sockets[0].getsockname()[1]
        self._servers.append((server, scripted))
        return scripted

    async def close(self) -> None:
        for server, scripted in self._servers:
            server.close()
            assert not scripted.failures, scripted.failures
        await asyncio.sleep(0)


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServers]:
    servers = ScriptedServers()
    yield servers
    await servers.close()


@pytest.fixture(scope="session")
def server_tls(mail_authority: Authority) -> ssl.SSLContext:
    """A server's TLS context with a certificate for `localhost` and 127.0.0.1."""
    chain, key = mail_authority.issue("scripted", "localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


@pytest.fixture
def loopback_policy(mail_authority: Authority) -> DialPolicy:
    """Loopback allowed on any port, the tests' authority trusted, impatient."""
    return DialPolicy(
        allow=parse_networks(["127.0.0.0/8"]),
        ports=None,
        connect_timeout=5.0,
        limits=Limits(stall_window=5.0),
        context=tls_context(mail_authority.ca_file),
    )
