"""Dialling: what the policy forbids is never connected to, and every failure has its own name."""

import asyncio
import base64
import datetime
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from mailhaul.dial import DialPolicy, dial
from mailhaul.errors import MailhaulError, Side, SignInRefused
from mailhaul.events import Endpoint
from mailhaul.imap.connection import IMAPConnection
from mailhaul.signin.credentials import Credentials, MasterStyle
from mailhaul.signin.imap import sign_in
from mailhaul.stack.certificates import Authority
from tests.fixtures_imap import Conversation, Peer, ScriptedServers


def endpoint(port: int, tls: str, host: str = "localhost", address: str = "127.0.0.1") -> Endpoint:
    return Endpoint(host=host, port=port, tls=tls, address=address)


async def refused(where: Endpoint, policy: DialPolicy) -> MailhaulError:
    with pytest.raises(MailhaulError) as caught:
        await dial(where, policy, side=Side.SOURCE)
    assert caught.value.side is Side.SOURCE
    return caught.value


async def silent(peer: Peer) -> None:
    await peer.end()


async def plain(peer: Peer) -> None:
    await peer.greet()
    await peer.end()


def resolving(*addresses: str) -> DialPolicy:
    async def resolve(host: str) -> list[str]:
        return list(addresses)

    return DialPolicy(resolve=resolve, connect_timeout=1.0)


async def test_every_address_of_a_name_must_be_allowed(scripted: ScriptedServers) -> None:
    server = await scripted(silent)
    for addresses in (
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%lo"],
    ):
        error = await refused(endpoint(993, "none", "rebound.test", ""), resolving(*addresses))
        assert (error.code, error.retryable) == ("address_forbidden", False)
    error = await refused(endpoint(server.port, "none"), DialPolicy())
    assert error.code == "port_forbidden"
    error = await refused(endpoint(993, "none", "127.0.0.1", ""), DialPolicy())
    assert error.code == "address_forbidden"
    error = await refused(endpoint(993, "none", "imap.example.com", "10.0.0.1"), DialPolicy())
    assert error.code == "address_forbidden"
    assert not server.peers


async def test_names_and_hosts_that_lead_nowhere(loopback_policy: DialPolicy) -> None:
    async def fails(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    error = await refused(endpoint(993, "none", "nowhere.invalid", ""), loopback_policy)
    assert error.code == "name_not_resolved"
    error = await refused(endpoint(993, "none", "a.test", ""), replace(loopback_policy, resolve=fails))
    assert (error.code, error.retryable) == ("name_not_resolved", True)
    assert (await refused(endpoint(993, "none", "a.test", ""), resolving())).code == "name_not_resolved"
    assert (await refused(endpoint(993, "none", "127.1", ""), loopback_policy)).code == "host_malformed"


async def test_a_name_is_resolved_once_and_the_address_dialled_is_told(
    scripted: ScriptedServers, loopback_policy: DialPolicy
) -> None:
    asked: list[str] = []

    async def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    server = await scripted(plain)
    policy = replace(loopback_policy, resolve=resolve)
    connection = await dial(endpoint(server.port, "none", "Mail.Example.Test", ""), policy, side=Side.SOURCE)
    assert (asked, connection.peer_address) == (["mail.example.test"], "127.0.0.1")
    connection.abort()
    pinned = await dial(endpoint(server.port, "none", "mail.example.test"), policy, side=Side.SOURCE)
    assert len(asked) == 1
    pinned.abort()


async def test_a_second_address_is_tried_when_the_first_is_down(
    scripted: ScriptedServers, loopback_policy: DialPolicy
) -> None:
    async def resolve(host: str) -> list[str]:
        return ["127.0.0.9", "127.0.0.1"]

    server = await scripted(plain)
    policy = replace(loopback_policy, resolve=resolve)
    connection = await dial(endpoint(server.port, "none", "a.test", ""), policy, side=Side.SOURCE)
    assert connection.peer_address == "127.0.0.1"
    connection.abort()


async def test_nobody_there(loopback_policy: DialPolicy) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        error = await refused(endpoint(held.getsockname()[1], "none"), loopback_policy)
    assert (error.code, error.retryable) == ("connection_refused", True)


async def test_a_server_that_says_nothing(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    server = await scripted(silent)
    hasty = replace(loopback_policy, connect_timeout=0.3)
    assert (await refused(endpoint(server.port, "none"), hasty)).code == "greeting_timed_out"
    assert (await refused(endpoint(server.port, "implicit"), hasty)).code == "connect_timed_out"


async def test_the_platform_may_be_anywhere_but_plaintext_is_for_loopback(loopback_policy: DialPolicy) -> None:
    policy = replace(loopback_policy, everywhere=True, allow=())
    error = await refused(endpoint(143, "none", "mail.example.test", "192.0.2.1"), policy)
    assert error.code == "plaintext_forbidden"


# --- TLS --------------------------------------------------------------------------------------------------------------


async def test_implicit_tls_verifies_the_name_and_says_it(
    scripted: ScriptedServers, loopback_policy: DialPolicy, server_tls: ssl.SSLContext
) -> None:
    server = await scripted(plain, context=server_tls)
    connection = await dial(endpoint(server.port, "implicit"), loopback_policy, side=Side.SOURCE)
    assert "IMAP4REV1" in connection.capabilities
    connection.abort()
    by_address = await dial(endpoint(server.port, "implicit", "127.0.0.1", ""), loopback_policy, side=Side.SOURCE)
    by_address.abort()
    error = await refused(endpoint(server.port, "implicit", "mail.example.test"), loopback_policy)
    assert (error.code, error.retryable) == ("tls_name_mismatch", False)
    error = await refused(endpoint(server.port, "implicit", "127.0.0.2"), loopback_policy)
    assert error.code == "tls_name_mismatch"


def server_context(authority: trustme.CA, issued_at: datetime.datetime | None = None) -> ssl.SSLContext:
    until = issued_at and issued_at + datetime.timedelta(days=1)
    issued = authority.issue_cert("localhost", not_before=issued_at, not_after=until)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


async def test_certificates_that_cannot_be_trusted(
    scripted: ScriptedServers, loopback_policy: DialPolicy, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    loopback_policy.context.load_verify_locations(tmp_path / "ca.pem")
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    for context, code in (
        (server_context(authority, past), "tls_expired"),
        (server_context(trustme.CA()), "tls_untrusted"),
    ):
        server = await scripted(plain, context=context)
        error = await refused(endpoint(server.port, "implicit"), loopback_policy)
        assert (error.code, error.retryable) == (code, False)
        assert all(not peer.heard for peer in server.peers)


async def test_tls_where_none_is_spoken(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    server = await scripted(plain)
    assert (await refused(endpoint(server.port, "implicit"), loopback_policy)).code == "tls_not_spoken"


async def test_plaintext_where_tls_is_spoken(
    scripted: ScriptedServers, loopback_policy: DialPolicy, server_tls: ssl.SSLContext
) -> None:
    server = await scripted(plain, context=server_tls)
    hasty = replace(loopback_policy, connect_timeout=0.3)
    assert (await refused(endpoint(server.port, "none"), hasty)).code in ("greeting_timed_out", "disconnected")


def starttls(context: ssl.SSLContext, injected: bytes = b"") -> Conversation:
    async def conversation(peer: Peer) -> None:
        await peer.greet(b"IMAP4rev1 STARTTLS LOGINDISABLED AUTH=EVIL")
        tag = await peer.expect(b"STARTTLS")
        await peer.send(tag + b" OK begin\r\n" + injected)
        await peer.start_tls(context)
        await peer.answer(b"CAPABILITY", b"* CAPABILITY IMAP4rev1 AUTH=PLAIN")
        await peer.end()

    return conversation


async def test_starttls_forgets_what_was_said_in_clear(
    scripted: ScriptedServers, loopback_policy: DialPolicy, server_tls: ssl.SSLContext
) -> None:
    server = await scripted(starttls(server_tls))
    connection = await dial(endpoint(server.port, "starttls"), loopback_policy, side=Side.SOURCE)
    assert connection.capabilities == {"IMAP4REV1", "AUTH=PLAIN"}
    assert connection.transport.get_extra_info("ssl_object") is not None
    connection.abort()
    error = await refused(endpoint((await scripted(starttls(server_tls))).port, "starttls", "x.test"), loopback_policy)
    assert error.code == "tls_name_mismatch"


async def test_data_injected_before_tls_end_it(
    scripted: ScriptedServers, loopback_policy: DialPolicy, server_tls: ssl.SSLContext
) -> None:
    server = await scripted(starttls(server_tls, b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"))
    assert (await refused(endpoint(server.port, "starttls"), loopback_policy)).code == "protocol_broken"


@pytest.mark.parametrize(
    ("greeting", "tls", "code"),
    [
        (b"* OK [CAPABILITY IMAP4rev1] no tls here\r\n", "starttls", "starttls_unavailable"),
        (b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome\r\n", "starttls", "preauth_in_clear"),
        (b"* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n", "none", "preauth_in_clear"),
        (b"* BYE [UNAVAILABLE] busy\r\n", "none", "server_unavailable"),
        (b"* BYE go away\r\n", "none", "disconnected"),
        (b"HTTP/1.1 400 Bad Request\r\n", "none", "not_imap"),
        (b"+OK POP3 ready\r\n", "none", "not_imap"),
        (b"* NO\r\n", "none", "not_imap"),
    ],
)
async def test_greetings(
    scripted: ScriptedServers, loopback_policy: DialPolicy, greeting: bytes, tls: str, code: str
) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.send(greeting)
        await peer.end()

    server = await scripted(conversation)
    assert (await refused(endpoint(server.port, tls), loopback_policy)).code == code


# --- signing in -------------------------------------------------------------------------------------------------------

PASSWORD = 'canary-"pä\\ss:1'


async def signed_in(
    scripted: ScriptedServers, policy: DialPolicy, capabilities: bytes, talk: Conversation, who: Credentials
) -> IMAPConnection:
    async def conversation(peer: Peer) -> None:
        await peer.greet(capabilities)
        await talk(peer)
        await peer.end()

    server = await scripted(conversation)
    connection = await dial(endpoint(server.port, "none"), policy, side=Side.SOURCE)
    try:
        await sign_in(connection, who)
    finally:
        connection.abort()
        await asyncio.sleep(0.02)
        assert not server.failures, server.failures
    return connection


def b64(*parts: str) -> bytes:
    return base64.b64encode("\0".join(parts).encode())


ALICE = Credentials("alice@example.com", PASSWORD)
BY_AUTHZID = Credentials("alice@example.com", PASSWORD, master="admin")
BY_SEPARATOR = Credentials("alice@example.com", PASSWORD, master="admin", style=MasterStyle.SEPARATOR)


@pytest.mark.parametrize(
    ("who", "words"),
    [
        (ALICE, ("", "alice@example.com", PASSWORD)),
        (BY_AUTHZID, ("alice@example.com", "admin", PASSWORD)),
        (BY_SEPARATOR, ("", "alice@example.com*admin", PASSWORD)),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_sasl_plain(
    scripted: ScriptedServers, loopback_policy: DialPolicy, who: Credentials, words: tuple[str, ...], at_once: bool
) -> None:
    async def talk(peer: Peer) -> None:
        if at_once:
            tag, _, said = (await peer.line()).partition(b" ")
            assert said == b"AUTHENTICATE PLAIN " + b64(*words)
        else:
            tag = await peer.expect(b"AUTHENTICATE PLAIN")
            await peer.send(b"+ \r\n")
            assert await peer.line() == b64(*words)
        await peer.send(tag + b" OK [CAPABILITY IMAP4rev1 MULTIAPPEND] in\r\n")

    offered = b"IMAP4rev1 AUTH=PLAIN" + (b" SASL-IR" if at_once else b"")
    connection = await signed_in(scripted, loopback_policy, offered, talk, who)
    assert connection.capabilities == {"IMAP4REV1", "MULTIAPPEND"}


async def test_login_comes_last_and_capabilities_are_asked(
    scripted: ScriptedServers, loopback_policy: DialPolicy
) -> None:
    async def talk(peer: Peer) -> None:
        tag = await peer.expect(rb'LOGIN "alice@example.com" \{16\}')
        await peer.send(b"+ more\r\n")
        assert await peer.line() == PASSWORD.encode()
        await peer.send(tag + b" OK in\r\n")
        await peer.answer(b"CAPABILITY", b"* CAPABILITY IMAP4rev1 UIDPLUS")

    connection = await signed_in(scripted, loopback_policy, b"IMAP4rev1", talk, ALICE)
    assert connection.capabilities == {"IMAP4REV1", "UIDPLUS"}


@pytest.mark.parametrize(
    ("capabilities", "said", "who", "code"),
    [
        (b"IMAP4rev1 LOGINDISABLED", b"", ALICE, "login_disabled"),
        (b"IMAP4rev1", b"", BY_AUTHZID, "no_mechanism"),
        (b"IMAP4rev1", b"", Credentials("bob\r\nX DELETE b", "x"), "unsendable"),
        (b"IMAP4rev1", b"", Credentials("bob@example.com", "x\0y"), "unsendable"),
        (b"IMAP4rev1 AUTH=PLAIN SASL-IR", b"NO [AUTHENTICATIONFAILED] no", ALICE, "sign_in_refused"),
        (b"IMAP4rev1 AUTH=PLAIN SASL-IR", b"NO no", ALICE, "sign_in_refused"),
        (b"IMAP4rev1 AUTH=PLAIN SASL-IR", b"BAD what", ALICE, "sign_in_bad"),
        (b"IMAP4rev1 AUTH=PLAIN SASL-IR", b"NO [EXPIRED] no", ALICE, "password_expired"),
        (b"IMAP4rev1 AUTH=PLAIN SASL-IR", b"NO [UNAVAILABLE] later", ALICE, "server_unavailable"),
        (b"IMAP4rev1 LITERAL+", b"NO wrong", ALICE, "sign_in_refused"),
    ],
)
async def test_refused_sign_ins(
    scripted: ScriptedServers,
    loopback_policy: DialPolicy,
    capabilities: bytes,
    said: bytes,
    who: Credentials,
    code: str,
) -> None:
    async def talk(peer: Peer) -> None:
        if not said:
            assert not await peer.reader.read(100)
            return
        tag = (await peer.line()).split(b" ")[0]
        if capabilities.endswith(b"LITERAL+"):
            await peer.line()
        echo = base64.b64encode(PASSWORD.encode()) if b"LITERAL+" in capabilities else b64("", who.user, PASSWORD)
        await peer.send(b"%b %b %b %b\r\n" % (tag, said, PASSWORD.encode(), echo))

    with pytest.raises(MailhaulError) as caught:
        await signed_in(scripted, loopback_policy, capabilities, talk, who)
    assert caught.value.code == code
    shown = f"{caught.value!r} {caught.value} {caught.value.server_text} {caught.value.__dict__}"
    for secret in (PASSWORD, "canary", b64("", who.user, PASSWORD).decode(), who.user):
        assert secret not in shown


async def test_a_strange_challenge_is_given_up(scripted: ScriptedServers, loopback_policy: DialPolicy) -> None:
    async def talk(peer: Peer) -> None:
        tag = (await peer.line()).split(b" ")[0]
        await peer.send(b"+ " + base64.b64encode(b'{"status":"401"}') + b"\r\n")
        assert await peer.line() == b"*"
        await peer.send(tag + b" BAD given up\r\n")

    with pytest.raises(SignInRefused):
        await signed_in(scripted, loopback_policy, b"IMAP4rev1 AUTH=PLAIN SASL-IR", talk, ALICE)


def test_credentials_never_show_the_password() -> None:
    assert "canary" not in f"{BY_AUTHZID!r} {BY_AUTHZID}"


def test_an_authority_is_not_trusted_by_default(mail_authority: Authority) -> None:
    assert DialPolicy().context.verify_mode is ssl.CERT_REQUIRED
    assert DialPolicy().context.check_hostname
