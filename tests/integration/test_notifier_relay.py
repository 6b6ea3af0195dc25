"""The conversation with a relay that asks for TLS and a password: verified, signed in, and failures told by name."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from mailhaul.errors import ServerRefused, Unreachable
from mailhaul.stack.ports import free_ports
from services.notifier.relay import Relay, RelaySettings

PASSWORD = "canary-smtp-9fK2"


@dataclass
class Server:
    """What the relay was given."""

    port: int
    ca_file: Path
    contents: list[bytes]


class Keep:
    def __init__(self, contents: list[bytes]) -> None:
        self.contents = contents

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        if b"poison" in (envelope.original_content or b""):
            return "554 5.6.0 Not this one"
        self.contents.append(envelope.original_content or b"")
        return "250 OK"


def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"mailhaul", PASSWORD.encode())
    return AuthResult(success=good, handled=False)


@asynccontextmanager
async def serving(directory: Path, tls: str) -> AsyncIterator[Server]:
    authority = trustme.CA()
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    contents: list[bytes] = []

    def protocol() -> SMTP:
        later = context if tls == "starttls" else None
        return SMTP(
            Keep(contents),
            hostname="relay.test",
            tls_context=later,
            require_starttls=tls == "starttls",
            authenticator=check,
            auth_require_tls=tls == "starttls",
        )

    port = free_ports(1)[0]
    implicit = context if tls == "implicit" else None
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port, ssl=implicit)
    async with server:
        yield Server(port, ca_file, contents)


def settings(server: Server, tls: str) -> RelaySettings:
    return RelaySettings(
        host="127.0.0.1", port=server.port, tls=tls, username="mailhaul", password=PASSWORD, ca_file=server.ca_file
    )


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_mail_leaves_over_tls_with_a_password(tmp_path: Path, tls: str) -> None:
    async with serving(tmp_path, tls) as server:
        async with Relay(settings(server, tls)) as relay:
            await relay.send("mailhaul@platform.test", "a@example.com", b"Subject: x\r\n\r\n.dot\r\n")
        assert server.contents == [b"Subject: x\r\n\r\n.dot\r\n"]


Change = Callable[[RelaySettings], RelaySettings]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("unknown authority", lambda given: replace(given, ca_file=None)),
        ("wrong password", lambda given: replace(given, password=f"{PASSWORD}x")),
        ("nobody there", lambda given: replace(given, port=free_ports(1)[0])),
    ],
)
async def test_relay_that_cannot_be_used_is_told_without_the_password(
    tmp_path: Path, name: str, change: Change
) -> None:
    async with serving(tmp_path, "starttls") as server:
        with pytest.raises(Unreachable) as caught:
            async with Relay(change(settings(server, "starttls"))):
                raise AssertionError(name)
    error = caught.value
    assert (error.code, error.retryable) == ("smtp_unreachable", True)
    assert PASSWORD not in f"{error} {error!r} {error.server_text} {settings(server, 'starttls')!r}"


@pytest.mark.parametrize(("password", "retryable"), [(PASSWORD, False), ("", True)])
async def test_refusal_is_permanent_only_where_it_is_about_the_mail(
    tmp_path: Path, password: str, retryable: bool
) -> None:
    async with serving(tmp_path, "implicit") as server:
        given = replace(settings(server, "implicit"), username="mailhaul" if password else "", password=password)
        async with Relay(given) as relay:
            with pytest.raises(ServerRefused) as caught:
                await relay.send("mailhaul@platform.test", "a@example.com", b"poison\r\n")
    assert (caught.value.code, caught.value.retryable) == ("smtp_refused", retryable)
    assert ("554" if password else "530") in caught.value.text
