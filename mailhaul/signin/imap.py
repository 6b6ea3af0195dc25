"""Signs an IMAP connection in: SASL PLAIN with SASL-IR, LOGIN only where nothing better is left (RFC 9051 §6.2)."""

import base64
from asyncio import Future

from mailhaul.dial import DialPolicy, dial
from mailhaul.errors import ServerRefused, Side, SignInRefused
from mailhaul.events import Endpoint
from mailhaul.imap import commands
from mailhaul.imap.answers import Answer
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.encoder import String, Unsendable, line, safe
from mailhaul.signin.credentials import Credentials
from mailhaul.signin.mechanisms import Mechanism, Plain


async def open_session(
    endpoint: Endpoint, credentials: Credentials, policy: DialPolicy, *, side: Side
) -> IMAPConnection:
    """A connection that is dialled and signed in; its errors are those of `dial` and `sign_in`."""
    connection = await dial(endpoint, policy, side=side)
    try:
        await sign_in(connection, credentials)
    except BaseException:
        connection.abort()
        raise
    return connection


async def sign_in(connection: IMAPConnection, credentials: Credentials) -> None:
    """Signs in and leaves the connection with the capabilities of the signed-in state.

    Raises SignInRefused (code `sign_in_refused`, `login_disabled`, `no_mechanism` ...), Throttled, or Unreachable.
    """
    greeting = connection.greeting.result()
    if greeting.status == "PREAUTH":
        raise _refused(connection, "preauth", "the server claims that nobody needs to sign in")
    before = connection.learned
    for value in (credentials.user, credentials.master, credentials.password):
        try:
            safe(value.encode())
        except (Unsendable, UnicodeError) as error:
            text = "the user name or password holds a character that cannot be sent"
            raise _refused(connection, "unsendable", text) from error
    names = (credentials.authentication, credentials.user, credentials.master)
    connection.redact(credentials.password, names=names)
    await _attempt(connection, credentials)
    if connection.learned == before:
        # RFC 9051 §6.2.2: capabilities differ after signing in; servers that do not say them are asked.
        await commands.capability(connection)


def _refused(connection: IMAPConnection, code: str, text: str) -> SignInRefused:
    return SignInRefused(code, text, side=connection.side)


async def _attempt(connection: IMAPConnection, credentials: Credentials) -> None:
    offered = connection.capabilities
    if "AUTH=PLAIN" in offered:
        plain = Plain(credentials.authentication, credentials.password, credentials.authorization)
        await authenticate(connection, plain)
    elif credentials.authorization:
        raise _refused(connection, "no_mechanism", "the server offers no SASL PLAIN, which a master user needs")
    elif "LOGINDISABLED" in offered:
        raise _refused(connection, "login_disabled", "the server lets nobody sign in on this connection")
    else:
        await _login(connection, credentials)


async def authenticate(connection: IMAPConnection, mechanism: Mechanism) -> None:
    """AUTHENTICATE with any mechanism; its first response goes along where SASL-IR allows (RFC 4959)."""
    for value in mechanism.secrets():
        connection.redact(value, base64.b64encode(value))
    initial = base64.b64encode(mechanism.initial())
    at_once = "SASL-IR" in connection.capabilities
    said = at_once

    def challenge(text: bytes) -> bool:
        nonlocal said
        if not said:
            said = True
            connection.write(initial + b"\r\n")
            return True
        answer = _answer(mechanism, text)
        # RFC 9051 §6.2.2: a line with `*` gives up, and the server answers with BAD.
        connection.write(b"*\r\n" if answer is None else base64.b64encode(answer) + b"\r\n")
        return True

    words = b"AUTHENTICATE " + mechanism.name.encode("ascii")
    if at_once:
        words += b" " + (initial or b"=")
    await _signed(connection, connection.command(words, on_continue=challenge))


def _answer(mechanism: Mechanism, text: bytes) -> bytes | None:
    try:
        return mechanism.answer(base64.b64decode(text, validate=True))
    except ValueError:
        return None


async def _login(connection: IMAPConnection, credentials: Credentials) -> None:
    user, password = credentials.authentication.encode(), credentials.password.encode()
    connection.redact(password, base64.b64encode(password))
    words = line(b"LOGIN", String(user), String(password), literal_plus=commands.literal_plus(connection))
    await _signed(connection, connection.command(words))


async def _signed(connection: IMAPConnection, answered: "Future[Answer]") -> None:
    try:
        await answered
    except ServerRefused as error:
        # Many servers say NO without RFC 5530's code. BAD means that they did not understand, which is no verdict.
        code = "sign_in_bad" if error.code == "command_bad" else "sign_in_refused"
        text = f"the {connection.side} server refused the sign-in"
        raise SignInRefused(code, text, side=connection.side, server_text=error.server_text) from error
