"""The connection against servers that answer out of turn, flood, stall, lie and hang up."""

import asyncio
from collections.abc import Callable

import pytest

from mailhaul.dial import DialPolicy, dial
from mailhaul.errors import Fenced, MailhaulError, ProtocolBroken, ServerRefused, Side, Throttled, Unreachable
from mailhaul.events import Endpoint
from mailhaul.imap import commands, messages
from mailhaul.imap.answers import Answer
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.encoder import String
from mailhaul.imap.fetches import Fetched, parse_fetch
from mailhaul.imap.limits import Limits
from mailhaul.imap.reader import Part, Sink
from tests.fixtures_imap import Conversation, Peer, Scripted, ScriptedServers


async def connected(server: Scripted, policy: DialPolicy) -> IMAPConnection:
    endpoint = Endpoint(host="localhost", port=server.port, tls="none", address="127.0.0.1")
    return await dial(endpoint, policy, side=Side.SOURCE)


class Bodies:
    """Claims the bodies of its own UIDs, as the engine does."""

    def __init__(self, *uids: int) -> None:
        self.found: dict[int, bytes] = {}
        self.wanted = set(uids)

    def literal(self, parts: list[Part], size: int) -> Sink | None:
        fetched = parse_fetch(parts)
        if not fetched or fetched.coming != b"BODY[]" or fetched.uid not in self.wanted:
            return None
        uid = fetched.uid
        self.wanted.discard(uid)
        self.found[uid] = b""

        def sink(chunk: memoryview) -> None:
            self.found[uid] += bytes(chunk)

        return sink


async def test_data_belong_to_who_asked_for_that_uid(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.greet()
        first, second = await peer.expect(b"UID FETCH 1 .*"), await peer.expect(b"UID FETCH 2 .*")
        # Dovecot sends data of the second FETCH before it tags the first.
        await peer.send(
            b"* 1 FETCH (UID 1 BODY[] {3}\r\none)\r\n* 2 FETCH (UID 2 BODY[] {3}\r\ntwo)\r\n* 9 EXISTS\r\n"
            b"* 2 FETCH (FLAGS (\\Seen))\r\n%b OK\r\n%b OK\r\n" % (first, second)
        )
        await peer.end()

    connection = await connected(await scripted(conversation), loopback_policy)
    one, two = Bodies(1), Bodies(2)
    await asyncio.gather(
        connection.command(b"UID FETCH 1 (UID BODY.PEEK[])", on_literal=one.literal),
        connection.command(b"UID FETCH 2 (UID BODY.PEEK[])", on_literal=two.literal),
    )
    assert (one.found, two.found) == ({1: b"one"}, {2: b"two"})
    connection.abort()


async def test_only_a_folder_change_is_a_barrier(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.greet()
        tags = [await peer.expect(words) for words in (b"EXAMINE a", b"UID FETCH.*", b"EXAMINE b", b"UID FETCH.*")]
        await peer.send(b"%b OK\r\n* 1 FETCH (UID 5 BODY[] {1}\r\na)\r\n%b OK\r\n* OK [CLOSED]\r\n" % tuple(tags[:2]))
        await peer.send(b"%b OK\r\n* 1 FETCH (UID 5 BODY[] {1}\r\nb)\r\n%b OK\r\n" % tuple(tags[2:]))
        await peer.end()

    connection = await connected(await scripted(conversation), loopback_policy)
    a, b = Bodies(5), Bodies(5)
    connection.command(b"EXAMINE a", barrier=True)
    connection.command(b"UID FETCH 5 (UID BODY.PEEK[])", on_literal=a.literal)
    connection.command(b"EXAMINE b", barrier=True)
    await connection.command(b"UID FETCH 5 (UID BODY.PEEK[])", on_literal=b.literal)
    assert (a.found, b.found) == ({5: b"a"}, {5: b"b"})
    connection.abort()


async def test_tags_may_come_out_of_turn_and_answers_at_once(
    scripted: ScriptedServers, loopback_policy: DialPolicy
) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.greet()
        one, two = await peer.expect(b"NOOP"), await peer.expect(b"CHECK")
        await peer.send(b"%b NO [ALREADYEXISTS] there\r\n%b OK [APPENDUID 7 3] x\r\n" % (two, one))
        await peer.end()

    connection = await connected(await scripted(conversation), loopback_policy)
    order: list[Answer] = []
    one = connection.command(b"NOOP", on_done=order.append)
    two = connection.command(b"CHECK", on_done=order.append)
    with pytest.raises(ServerRefused) as caught:
        await two
    assert caught.value.code == "folder_exists"
    assert caught.value.side is Side.SOURCE
    assert (await one).code == "APPENDUID"
    assert [answer.status for answer in order] == ["NO", "OK"]
    connection.abort()


async def test_synchronising_literals_wait_and_hold_others_back(
    scripted: ScriptedServers, loopback_policy: DialPolicy
) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.greet(b"IMAP4rev1")
        tag = await peer.expect(rb"CREATE \{3\}")
        await peer.send(b"+ go on\r\n")
        assert await peer.line() == "aß".encode()
        refused = await peer.expect(rb"CREATE \{2\}")
        await peer.send(tag + b" OK\r\n" + refused + b" NO no\r\n")
        await peer.answer(b"NOOP")
        await peer.end()

    connection = await connected(await scripted(conversation), loopback_policy)
    one = commands.ask(connection, [b"CREATE", String("aß".encode())])
    two = commands.ask(connection, [b"CREATE", String("ß".encode())])
    three = connection.command(b"NOOP")
    await one
    with pytest.raises(ServerRefused):
        await two
    await three
    connection.abort()


async def test_an_engine_writes_its_own_literal_after_the_go_ahead(
    scripted: ScriptedServers, loopback_policy: DialPolicy
) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.greet(b"IMAP4rev1")
        tag = await peer.expect(rb"APPEND INBOX \{5\}")
        await peer.send(b"+\r\n")
        assert await peer.line() == b"hello"
        await peer.send(tag + b" OK [APPENDUID 9 4] x\r\n")
        await peer.end()

    connection = await connected(await scripted(conversation), loopback_policy)

    def go(text: bytes) -> None:
        connection.write(b"hello\r\n")

    assert (await connection.command(b"APPEND INBOX {5}", on_continue=go)).argument == b"9 4"
    connection.abort()


async def test_a_feeder_is_not_read_while_the_other_side_is_full(
    scripted: ScriptedServers, loopback_policy: DialPolicy
) -> None:
    body, count = b"x" * 100_000, 400
    release = asyncio.Event()
    taken = 0

    async def source(peer: Peer) -> None:
        await peer.greet()
        tag = await peer.expect(b"UID FETCH.*")
        for uid in range(1, count + 1):
            await peer.send(b"* 1 FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (uid, len(body), body))
        await peer.send(tag + b" OK\r\n")
        await peer.end()

    async def slow(peer: Peer) -> None:
        nonlocal taken
        await peer.greet()
        await release.wait()
        while data := await peer.reader.read(1 << 20):
            taken += len(data)

    src = await connected(await scripted(source), loopback_policy)
    dst = await connected(await scripted(slow), loopback_policy)
    dst.feeder = src
    out: list[memoryview] = []

    def flush() -> None:
        dst.write(b"".join(out))
        out.clear()

    src.after_read = flush
    fetched = src.command(b"UID FETCH 1:* (UID BODY.PEEK[])", on_literal=lambda parts, size: out.append)
    await asyncio.sleep(0.5)
    unsent = dst.transport.get_write_buffer_size()
    assert src.received < 0.5 * len(body) * count
    assert unsent < 2 * dst.limits.write_high
    release.set()
    await fetched
    while dst.transport.get_write_buffer_size():
        await asyncio.sleep(0.01)
    src.abort()
    dst.abort()
    await asyncio.sleep(0.05)
    assert taken == len(body) * count


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"* BYE [UNAVAILABLE] shutting down\r\n", "server_unavailable"),
        (b"* BYE Too many connections\r\n", "throttled"),
        (b"* BYE see you\r\n", "disconnected"),
        (b"", "disconnected"),
        (b"* 1 FETCH (UID 1 BODY[] {10}\r\nhalf", "disconnected"),
        (b"Z9 OK who\r\n", "protocol_broken"),
        (b"A1 MAYBE\r\n", "protocol_broken"),
        (b"+ go\r\n", "protocol_broken"),
        (b"* LIST (\r\n", "protocol_broken"),
        (b"* 1 FETCH (BODY[] {99999999}\r\n", "protocol_broken"),
        (b"* 1 FETCH (BODY[] {-1}\r\nA1 O\r\n", "protocol_broken"),
        (b"* X {99999999999999999999}\r\n", "protocol_broken"),
    ],
)
async def test_every_end_has_a_name(
    scripted: ScriptedServers, loopback_policy: DialPolicy, said: bytes, code: str
) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.greet()
        await peer.line()
        await peer.send(said)

    connection = await connected(await scripted(conversation), loopback_policy)
    lost: list[MailhaulError] = []
    connection.on_lost = lost.append
    with pytest.raises(MailhaulError) as caught:
        await commands.list_folders(connection)
    assert caught.value.code == code
    assert caught.value.side is Side.SOURCE
    assert lost == [caught.value]
    with pytest.raises(type(caught.value)):
        await connection.command(b"NOOP")


def _trickle(seconds: float, count: int) -> Conversation:
    async def conversation(peer: Peer) -> None:
        await peer.greet()
        tag = await peer.expect(b"UID FETCH.*")
        await peer.send(b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % count)
        for _ in range(count):
            await peer.send(b"x")
            await asyncio.sleep(seconds)
        await peer.send(b")\r\n%b OK\r\n" % tag)
        await peer.end()

    return conversation


async def test_slow_but_alive_is_not_dead(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    connection = await connected(await scripted(_trickle(0.1, 10)), loopback_policy)
    connection.limits = Limits(stall_window=0.5)
    bodies = Bodies(1)
    await connection.command(b"UID FETCH 1 (UID BODY.PEEK[])", on_literal=bodies.literal)
    assert bodies.found == {1: b"x" * 10}
    connection.abort()


async def test_silence_in_the_middle_is_a_stall(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    connection = await connected(await scripted(_trickle(2, 2)), loopback_policy)
    connection.limits = Limits(stall_window=0.4)
    with pytest.raises(Unreachable) as caught:
        await connection.command(b"UID FETCH 1 (UID BODY.PEEK[])", on_literal=Bodies(1).literal)
    assert caught.value.code == "stalled"
    assert caught.value.retryable


async def test_reading_that_we_stopped_is_no_stall(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    connection = await connected(await scripted(_trickle(0, 5)), loopback_policy)
    connection.limits = Limits(stall_window=0.2)
    connection.hold_reading("memory")
    fetched = connection.command(b"UID FETCH 1 (UID BODY.PEEK[])", on_literal=Bodies(1).literal)
    await asyncio.sleep(0.6)
    assert not fetched.done()
    connection.release_reading("memory")
    await fetched
    connection.abort()


async def test_a_flood_of_lines_is_digested(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.greet()
        tag = await peer.expect(b"UID FETCH.*")
        line = b'* %d FETCH (UID %d FLAGS () INTERNALDATE "01-Jan-2020 00:00:00 +0000" RFC822.SIZE 10)\r\n'
        await peer.send(b"".join(line % (n, n) for n in range(1, 20_001)) + b"* 5 EXISTS\r\n" * 20_000)
        await peer.send(tag + b" OK\r\n")
        await peer.end()

    connection = await connected(await scripted(conversation), loopback_policy)
    found: list[Fetched] = []
    await messages.fetch_metadata(connection, b"1:*", found)
    assert [row.uid for row in found] == list(range(1, 20_001))
    connection.abort()


def _throttled(words: bytes) -> Conversation:
    async def conversation(peer: Peer) -> None:
        await peer.greet()
        await peer.answer(b".*", result=words)
        await peer.end()

    return conversation


async def test_a_servers_words_come_without_our_secrets(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    words = b"NO Request is throttled for hunter2-canary. Suggested Backoff Time: 5000 milliseconds"
    connection = await connected(await scripted(_throttled(words)), loopback_policy)
    connection.redact("hunter2-canary")
    with pytest.raises(Throttled) as caught:
        await connection.command(b"NOOP")
    assert "hunter2" not in repr(caught.value) + str(caught.value) + caught.value.server_text
    assert "5000 milliseconds" in caught.value.server_text
    connection.abort()


async def test_logout_never_raises_and_always_ends(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    async def polite(peer: Peer) -> None:
        await peer.greet()
        await peer.answer(b"LOGOUT", b"* BYE")

    async def mute(peer: Peer) -> None:
        await peer.greet()
        await peer.end()

    ends: list[Callable[[], bool]] = []
    for conversation in (polite, mute):
        connection = await connected(await scripted(conversation), loopback_policy)
        await commands.logout(connection, 0.2)
        ends.append(connection.closed.done)
    assert all(end() for end in ends)


async def test_a_callback_may_end_the_connection(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.greet()
        tag = await peer.expect(b"APPEND.*")
        await peer.send(tag + b" BAD flags\r\n* 1 EXISTS\r\n" * 3)
        await peer.end()

    connection = await connected(await scripted(conversation), loopback_policy)
    tag, future = connection.begin(on_done=lambda answer: connection.abort() if answer.status == "BAD" else None)
    connection.write(tag + b" APPEND INBOX () {3+}\r\n")
    with pytest.raises(ServerRefused):
        await future
    assert isinstance(connection.lost, Unreachable)


async def test_a_callback_may_raise_a_verdict(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    connection = await connected(await scripted(_throttled(b"OK")), loopback_policy)

    def fenced(answer: Answer) -> None:
        raise Fenced("m1")

    first = connection.command(b"NOOP", on_done=fenced)
    second = connection.command(b"NOOP")
    assert (await first).ok
    with pytest.raises(Fenced):
        await second


async def test_no_imap_greeting(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.send(b"220 mail.example.com ESMTP\r\n")
        await peer.end()

    with pytest.raises(ProtocolBroken) as caught:
        await connected(await scripted(conversation), loopback_policy)
    assert caught.value.code == "not_imap"
