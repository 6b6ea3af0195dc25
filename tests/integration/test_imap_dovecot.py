"""The wire, dialling and signing in against a real Dovecot over TLS."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from mailhaul.dial import DialPolicy, dial
from mailhaul.errors import MailhaulError, Side, SignInRefused
from mailhaul.events import Endpoint
from mailhaul.imap import commands, messages
from mailhaul.imap.answers import Answer, appended
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.encoder import append_flags, append_head, append_message
from mailhaul.imap.fetches import parse_fetch
from mailhaul.imap.names import encode_name
from mailhaul.imap.reader import Part, Sink
from mailhaul.imap.uids import parse_uids
from mailhaul.signin.credentials import Credentials, MasterStyle
from mailhaul.signin.imap import sign_in
from mailhaul.stack.dovecot import Dovecot, DovecotSettings

MakeDovecot = Callable[..., Dovecot]
PASSWORD = 'pä"ss\\w:ord'
USER = "alice@example.org"
OLD = "IMAP4rev1 LITERAL+ UIDPLUS NAMESPACE QUOTA"


@pytest.fixture
def server(make_dovecot: MakeDovecot) -> Dovecot:
    dovecot = make_dovecot("wire", DovecotSettings(quota=True, master_users={"migration": "master-password"}))
    dovecot.add_user(USER, PASSWORD, quota="10M")
    return dovecot


@asynccontextmanager
async def session(server: Dovecot, policy: DialPolicy, who: Credentials | None = None) -> AsyncIterator[IMAPConnection]:
    endpoint = Endpoint(host="localhost", port=server.imaps_port, tls="implicit", address=server.address)
    connection = await dial(endpoint, policy, side=Side.SOURCE)
    try:
        await sign_in(connection, who or Credentials(USER, PASSWORD))
        yield connection
    finally:
        await commands.logout(connection)


def append(
    connection: IMAPConnection, folder: bytes, letters: list[tuple[bytes, bytes, int]]
) -> "asyncio.Future[Answer]":
    """MULTIAPPEND of (body, flags, date) with LITERAL+, written by hand as the engine does."""
    tag, future = connection.begin(b"APPEND")
    out = [tag + b" " + append_head(folder)]
    for body, flags, date in letters:
        out += [append_message(append_flags(flags), date, len(body), plus=True), body]
    connection.write(b"".join([*out, b"\r\n"]))
    return future


async def bodies(connection: IMAPConnection, uids: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}

    def literal(parts: list[Part], size: int) -> Sink | None:
        fetched = parse_fetch(parts)
        if fetched is None or fetched.uid is None:
            return None
        uid = fetched.uid
        found[uid] = b""

        def sink(chunk: memoryview) -> None:
            found[uid] += bytes(chunk)

        return sink

    await connection.command(b"UID FETCH %b (UID FLAGS INTERNALDATE BODY.PEEK[])" % uids, on_literal=literal)
    return found


async def test_append_and_fetch_give_back_every_octet(server: Dovecot, loopback_policy: DialPolicy) -> None:
    letters = [
        (b"Subject: one\r\n\r\n" + bytes({*range(1, 256)} - {10, 13}) * 20, b"\\seen $Forwarded Work", 1_000_000_000),
        (b"x: {5}\r\n\r\nA1 OK {12}\r\n)\r\n* BYE\r\n", b"\\Recent \\Foo \\Draft", 0),
        (b"s: 3\r\n\r\n" + b"y" * 300_000, b"", 1_700_000_000),
    ]
    async with session(server, loopback_policy) as connection:
        assert await commands.create(connection, b"a")
        uidvalidity, uids = appended(await append(connection, b"a", letters)) or (0, b"")
        opened = await commands.examine(connection, b"a")
        found = await messages.metadata(connection, parse_uids(uids, 10))
        assert (opened.uidvalidity, opened.messages, opened.uidnext) == (uidvalidity, 3, 4)
        assert opened.read_only
        assert list((await bodies(connection, uids)).values()) == [body for body, _, _ in letters]
        assert [row.date for row in found] == [date for _, _, date in letters]
        assert [row.size for row in found] == [len(body) for body, _, _ in letters]
        kept = [set((row.flags or b"").split()) - {b"\\Recent"} for row in found]
        assert kept == [{b"\\Seen", b"$Forwarded", b"Work"}, {b"\\Draft"}, set()]


async def test_every_character_of_an_atom_is_let_through_harmlessly(
    server: Dovecot, loopback_policy: DialPolicy
) -> None:
    every = append_flags(b" ".join(b"k%ck" % code for code in range(33, 127) if not 65 <= code <= 90))
    assert len(every.split()) == 94 - 26 - len(b'(){%*"\\]')
    async with session(server, loopback_policy) as connection:
        await append(connection, b"INBOX", [(b"a: b\r\n\r\nX1 CREATE evil\r\n", every, 5)])
        opened = await commands.select(connection, b"INBOX")
        assert opened.permanent_flags is not None
        assert b"\\*" in opened.permanent_flags
        found = await messages.metadata(connection, [1])
        # Keywords are the same in any case, and Dovecot keeps the first spelling.
        assert set((found[0].flags or b"").lower().split()) - {b"\\recent"} == set(every.lower().split())
        assert [folder.name for folder in await commands.list_folders(connection)] == [b"INBOX"]


@pytest.mark.parametrize("capability", ["", OLD])
async def test_folders_with_attributes_and_numbers(
    server: Dovecot, loopback_policy: DialPolicy, capability: str
) -> None:
    if capability:
        server.change(replace(server.settings, capability=capability))
    name = encode_name("Entwürfe/Ça & là")
    async with session(server, loopback_policy) as connection:
        assert await commands.create(connection, name)
        assert not await commands.create(connection, name)
        await commands.create(connection, b"Trash")
        await commands.create(connection, b'quo"te\\')
        await commands.subscribe(connection, b"Trash")
        await append(connection, b"Trash", [(b"a: b\r\n\r\n", b"", 1), (b"c: d\r\n\r\n", b"", 1)])
        folders = {folder.name: folder for folder in await commands.list_folders(connection)}
        assert set(folders) == {b"INBOX", b"Trash", encode_name("Entwürfe"), name, b'quo"te\\'}
        trash = folders[b"Trash"]
        assert trash.subscribed
        assert not folders[name].subscribed
        assert (trash.numbers["MESSAGES"], trash.numbers["UIDNEXT"]) == (2, 3)
        assert trash.delimiter == b"/"
        assert not folders[encode_name("Entwürfe")].selectable or folders[encode_name("Entwürfe")].numbers
        if not capability:
            assert b"\\trash" in trash.attributes
            assert trash.numbers["SIZE"] == 16
        assert (await commands.namespace(connection)).personal == ((b"", b"/"),)
        assert (await commands.quota(connection))["STORAGE"][1] == 10 * 1024
        with pytest.raises(MailhaulError) as caught:
            await commands.examine(connection, b"missing")
        assert caught.value.code in ("folder_missing", "command_refused")


async def test_flags_are_stored_and_messages_removed_by_uid(server: Dovecot, loopback_policy: DialPolicy) -> None:
    async with session(server, loopback_policy) as connection:
        await append(connection, b"INBOX", [(b"n: %d\r\n\r\n" % n, b"", n) for n in range(1, 6)])
        await commands.select(connection, b"INBOX")
        await messages.store_flags(connection, [1, 2, 3], "+", [b"\\Deleted", b"\\Seen"])
        await messages.store_flags(connection, [3], "-", [b"\\Deleted"])
        await messages.expunge(connection, [1, 3])
        found = await messages.metadata(connection, range(1, 6))
        assert [row.uid for row in found] == [2, 3, 4, 5]
        assert (await commands.status(connection, b"inbox"))["MESSAGES"] == 4
        assert (await commands.identify(connection))[b"name"] == b"Dovecot"


@pytest.mark.parametrize("style", list(MasterStyle))
async def test_a_master_user_opens_a_mailbox(server: Dovecot, loopback_policy: DialPolicy, style: MasterStyle) -> None:
    who = Credentials(USER, "master-password", master="migration", style=style)
    async with session(server, loopback_policy, who) as connection:
        assert [folder.name for folder in await commands.list_folders(connection)] == [b"INBOX"]
    missing = replace(who, user="nobody@example.org")
    with pytest.raises(SignInRefused) as caught:
        async with session(server, loopback_policy, missing):
            pass
    assert caught.value.code in ("sign_in_refused", "authorization_refused")


async def test_a_wrong_password(server: Dovecot, loopback_policy: DialPolicy) -> None:
    with pytest.raises(SignInRefused) as caught:
        async with session(server, loopback_policy, Credentials(USER, "wrong-canary")):
            pass
    assert caught.value.code == "sign_in_refused"
    assert "canary" not in repr(caught.value.__dict__)


async def test_starttls_before_the_password_where_the_server_insists(
    make_dovecot: MakeDovecot, loopback_policy: DialPolicy
) -> None:
    server = make_dovecot("strict", DovecotSettings(address="127.0.0.2"))
    server.add_user(USER, PASSWORD)
    endpoint = Endpoint(host="localhost", port=server.imap_port, tls="none", address=server.address)
    in_clear = await dial(endpoint, loopback_policy, side=Side.SOURCE)
    with pytest.raises(SignInRefused) as caught:
        await sign_in(in_clear, Credentials(USER, PASSWORD))
    assert caught.value.code == "login_disabled"
    in_clear.abort()
    connection = await dial(replace(endpoint, tls="starttls"), loopback_policy, side=Side.SOURCE)
    await sign_in(connection, Credentials(USER, PASSWORD))
    assert "MULTIAPPEND" in connection.capabilities
    await commands.logout(connection)
