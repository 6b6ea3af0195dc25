"""The one way to reach a mail server: policy, name, address, TLS, greeting; validator and copier use it alike.

The name is resolved once, every address it has must be allowed, and the connection is made by address with the name
kept for SNI and verification: between check and use there is no second look-up that could answer otherwise.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mailhaul.addresses import BadHost, Network, is_allowed, parse_address, parse_host
from mailhaul.errors import MailhaulError, ProtocolBroken, ServerRefused, Side, Unreachable
from mailhaul.events import Endpoint
from mailhaul.imap import commands
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.limits import Limits
from mailhaul.imap.refusals import refusal

Resolve = Callable[[str], Awaitable[list[str]]]
"""A host name's addresses, as text; raises OSError when there are none."""

IMPLICIT, STARTTLS, NONE = "implicit", "starttls", "none"


async def resolve_by_system(host: str) -> list[str]:
    """What the machine's own resolver says, hosts file and search rules included."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Verifies certificate and name, TLS 1.2 or better; `ca_file` is trusted beside the system's authorities."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


@dataclass(frozen=True, slots=True)
class DialPolicy:
    """Where may be dialled and how long it may take.

    `allow` are networks open beside the public internet; `everywhere` opens all of them, for the platform that the
    operator configured; then plaintext is for loopback alone. `ports` None means any.
    """

    allow: tuple[Network, ...] = ()
    ports: frozenset[int] | None = frozenset((143, 993, 110, 995))
    everywhere: bool = False
    connect_timeout: float = 15.0
    limits: Limits = field(default_factory=Limits)
    context: ssl.SSLContext = field(default_factory=tls_context, repr=False)
    resolve: Resolve = resolve_by_system


async def dial(endpoint: Endpoint, policy: DialPolicy, *, side: Side) -> IMAPConnection:
    """An IMAP connection that is greeted, as encrypted as `endpoint.tls` says, and knows its capabilities.

    `endpoint.address`, when given, is the pin: it is dialled and nothing is resolved. The address dialled stands in
    `connection.peer_address`. Raises Unreachable, ProtocolBroken or Throttled, codes as in `docs/errors`.
    """
    addresses = await find_addresses(endpoint, policy, side)
    name = _host(endpoint, side)
    failure: MailhaulError | None = None
    for address in addresses:
        try:
            return await _dial_address(address, name, endpoint, policy, side)
        except Unreachable as error:
            failure = failure or error
            if not error.retryable:
                break
    assert failure is not None
    raise failure


async def find_addresses(endpoint: Endpoint, policy: DialPolicy, side: Side) -> list[str]:
    """The addresses that the policy allows for `endpoint`; one that it does not allow condemns them all."""
    host = _host(endpoint, side)
    if policy.ports is not None and endpoint.port not in policy.ports:
        raise _unreachable("port_forbidden", f"port {endpoint.port} is not open to sources", side, retryable=False)
    if endpoint.address:
        found = [endpoint.address]
    elif parse_address(host):
        found = [host]
    else:
        found = await _resolve(host, policy, side)
    parsed = [parse_address(text) for text in found]
    for address in parsed:
        if address is None or not (policy.everywhere or is_allowed(address, policy.allow)):
            raise _unreachable("address_forbidden", "the dial policy forbids this address", side, retryable=False)
        if policy.everywhere and endpoint.tls == NONE and not address.is_loopback:
            raise _unreachable("plaintext_forbidden", "plaintext is for loopback alone", side, retryable=False)
    return [str(address) for address in parsed]


def _host(endpoint: Endpoint, side: Side) -> str:
    try:
        return parse_host(endpoint.host)
    except BadHost as error:
        raise _unreachable("host_malformed", f"the host is {error}", side, retryable=False) from error


def _unreachable(code: str, text: str, side: Side, *, retryable: bool = True) -> Unreachable:
    return Unreachable(code, text, side=side, retryable=retryable)


async def _resolve(host: str, policy: DialPolicy, side: Side) -> list[str]:
    try:
        async with asyncio.timeout(policy.connect_timeout):
            found = await policy.resolve(host)
    except (OSError, UnicodeError, TimeoutError) as error:
        # EAI_AGAIN: the resolver itself is in trouble; fail closed, but trying again may help.
        later = isinstance(error, TimeoutError) or getattr(error, "errno", None) == socket.EAI_AGAIN
        raise _unreachable("name_not_resolved", "the host name has no address", side, retryable=later) from error
    if not found:
        raise _unreachable("name_not_resolved", "the host name has no address", side, retryable=False)
    return found


async def _dial_address(address: str, name: str, endpoint: Endpoint, policy: DialPolicy, side: Side) -> IMAPConnection:
    server = f"{name}:{endpoint.port}"
    connection = IMAPConnection(side=side, server=server, limits=policy.limits)
    try:
        async with asyncio.timeout(policy.connect_timeout):
            await _connect(connection, address, name, endpoint, policy)
    except (OSError, TimeoutError, ValueError) as error:
        connection.abort()
        raise connection_error(error, side) from error
    try:
        async with asyncio.timeout(policy.connect_timeout):
            await _greet(connection, endpoint)
            if endpoint.tls == STARTTLS:
                await _start_tls(connection, name, policy)
            if not connection.capabilities:
                await commands.capability(connection)
    except BaseException as error:
        connection.abort()
        if isinstance(error, TimeoutError):
            text = f"the {side} server said nothing within {policy.connect_timeout:g} s"
            raise _unreachable("greeting_timed_out", text, side) from error
        if isinstance(error, OSError):
            raise connection_error(error, side) from error
        raise
    return connection


async def _connect(connection: IMAPConnection, address: str, name: str, endpoint: Endpoint, policy: DialPolicy) -> None:
    implicit = endpoint.tls == IMPLICIT
    await connection.loop.create_connection(
        lambda: connection,
        address,
        endpoint.port,
        flags=socket.AI_NUMERICHOST,
        ssl=policy.context if implicit else None,
        server_hostname=name if implicit else None,
        ssl_handshake_timeout=policy.connect_timeout if implicit else None,
    )


async def _greet(connection: IMAPConnection, endpoint: Endpoint) -> None:
    try:
        greeting = await connection.greeting
    except ProtocolBroken as error:
        text = f"what answers there is not an IMAP server ({connection.server})"
        raise ProtocolBroken("not_imap", text, side=connection.side) from error
    if greeting.status == "BYE":
        raise refusal(greeting, "the greeting", connection.side, connection.shown(greeting.text))
    if greeting.status == "PREAUTH" and endpoint.tls != IMPLICIT:
        # RFC 9051 §11.2: an attacker in the middle sends PREAUTH to keep a client from STARTTLS and from asking who.
        text = "the server claims in clear text that nobody needs to sign in"
        raise ProtocolBroken("preauth_in_clear", text, side=connection.side)


async def _start_tls(connection: IMAPConnection, name: str, policy: DialPolicy) -> None:
    if not connection.capabilities:
        await commands.capability(connection)
    if "STARTTLS" not in connection.capabilities:
        text = "the server offers no STARTTLS"
        raise _unreachable("starttls_unavailable", text, connection.side, retryable=False)
    try:
        await connection.command(b"STARTTLS", on_done=lambda answer: connection.seal() if answer.ok else None)
    except ServerRefused as error:
        text = "the server refused STARTTLS"
        raise _unreachable("starttls_unavailable", text, connection.side, retryable=False) from error
    transport = await connection.loop.start_tls(
        connection.transport,
        connection,
        policy.context,
        server_hostname=name,
        ssl_handshake_timeout=policy.connect_timeout,
    )
    if connection.lost or transport is None:
        raise connection.lost or _unreachable("tls_failed", "TLS did not begin", connection.side)
    connection.secured(transport)
    await commands.capability(connection)


# X509_V_ERR_... of OpenSSL, by number
_VERIFY = {
    9: ("tls_not_yet_valid", "its certificate is not valid yet"),
    10: ("tls_expired", "its certificate has expired"),
    18: ("tls_untrusted", "its certificate is signed by itself"),
    62: ("tls_name_mismatch", "its certificate is for another name"),
    64: ("tls_name_mismatch", "its certificate is for another address"),
}


def connection_error(error: BaseException, side: Side) -> Unreachable:
    """What went wrong before the server said a word, by name."""
    match error:
        case ssl.SSLCertVerificationError():
            untrusted = ("tls_untrusted", "its certificate is of no authority we trust")
            code, text = _VERIFY.get(error.verify_code, untrusted)
            return _unreachable(code, f"the {side} server cannot be trusted: {text}", side, retryable=False)
        case ssl.SSLError():
            reason = error.reason or ""
            if "WRONG_VERSION" in reason or "UNKNOWN_PROTOCOL" in reason or "HTTP_REQUEST" in reason:
                return _unreachable("tls_not_spoken", f"the {side} server speaks no TLS there", side, retryable=False)
            if "PROTOCOL" in reason or "VERSION" in reason or "HANDSHAKE_FAILURE" in reason:
                return _unreachable("tls_too_old", f"the {side} server's TLS is too old", side, retryable=False)
            return _unreachable("tls_failed", f"TLS with the {side} server failed", side)
        case TimeoutError():
            return _unreachable("connect_timed_out", f"the {side} server did not answer in time", side)
        case ConnectionRefusedError():
            return _unreachable("connection_refused", f"nothing answers at the {side} server's port", side)
        case ConnectionError():
            return _unreachable("disconnected", f"the {side} server closed the connection", side)
        case _:
            return _unreachable("network_unreachable", f"there is no way to the {side} server", side)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """CIDRs of a setting; ValueError when one is none."""
    return tuple(ipaddress.ip_network(text.strip()) for text in texts)
