"""Stands before every route: whose name the request came under, and how much it may send (joint 37)."""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailhaul.errors import MailhaulError, Side
from mailhaul.settings import PanelSettings
from services.panel.problems import language_of, problem

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
BODY_LIMIT = 2_097_152  # a file has one MiB at most, and a form around it


def check_binding(settings: PanelSettings) -> None:
    """Refuse to listen where passwords would cross a network in clear. Raises MailhaulError(`tls_needed`)."""
    if settings.host == "localhost" or (settings.tls_cert and settings.tls_key):
        return
    try:
        loopback = ip_address(settings.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        text = f"{settings.host} is not a loopback address: give panel.tls_cert and panel.tls_key, or bind to 127.0.0.1"
        raise MailhaulError("tls_needed", text, side=Side.PLATFORM)


def allowed_names(settings: PanelSettings) -> frozenset[str]:
    """The names under which the panel may be asked for: another one means that somebody's DNS points here."""
    public = urlsplit(settings.url).hostname or ""
    return LOOPBACK_NAMES | {name.lower() for name in (*settings.allowed_hosts, public, settings.host) if name}


class Guard:
    """Answers 403 for another Host or Origin, 413 for a body that is too large."""

    def __init__(self, app: ASGIApp, *, names: Iterable[str], body_limit: int = BODY_LIMIT) -> None:
        self._app = app
        self._names = frozenset(names)
        self._limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers)
        if refusal:
            await problem(refusal, language_of(headers))(scope, receive, send)
            return
        await self._app(scope, _Counted(receive, self._limit), send)

    def _refusal(self, headers: Headers) -> str:
        # Exactly one Host (RFC 9112 §3.2); a page of another site can't choose it, nor its Origin (RFC 6454 §7).
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name(f"//{hosts[0]}") not in self._names:
            return "wrong_host"
        if any(_name(origin) not in self._names for origin in headers.getlist("origin")):
            return "wrong_host"
        length = headers.get("content-length", "0")
        return "body_too_large" if not length.isdigit() or int(length) > self._limit else ""


class _Counted:
    """A body without a length is cut off where it grows too large: the connection ends."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                return {"type": "http.disconnect"}
        return message


def _name(url: str) -> str:
    """The host name of a URL, lower case; empty where there is none, as in `Origin: null`."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
