"""Errors say whose fault they are, whether trying again can help, and when."""

from datetime import datetime
from enum import StrEnum


class Side(StrEnum):
    """Whose fault an error is, in the words of the row check and of every mail."""

    SOURCE = "source"
    DESTINATION = "destination"
    PLATFORM = "platform"  # Mailhaul itself, its broker or its database
    REQUEST = "request"  # what the admin asked for, or the file that was uploaded


class MailhaulError(Exception):
    """A failure with a catalogued code.

    `code` is a key of the error catalogue (`mailhaul/texts/`), where the customer's words and remedy stand;
    `text` is a sentence for the operator and never holds a secret; `server_text` is what the server said, cleaned.
    """

    retryable = False
    back_off: float | None = None
    """Seconds that the server itself asked to be left alone, where it named a time."""

    def __init__(
        self,
        code: str,
        text: str,
        *,
        side: Side,
        retryable: bool | None = None,
        server_text: str = "",
        retry_at: datetime | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.side = side
        self.server_text = server_text
        self.retry_at = retry_at
        if retryable is not None:
            self.retryable = retryable


class Unreachable(MailhaulError):
    """No conversation with the server: name, route, port, time-out, TLS; worth another try unless said otherwise."""

    retryable = True


class SignInRefused(MailhaulError):
    """The server refused the user, the password or the mechanism."""


class ServerRefused(MailhaulError):
    """The server answered NO or BAD to a command it should have carried out."""


class Throttled(MailhaulError):
    """The server asked for patience or is out of room; `retry_at` holds its own words when it gave any."""

    retryable = True


class ProtocolBroken(MailhaulError):
    """The server sent what no RFC allows, or more than the caps allow."""


class Fenced(MailhaulError):
    """Another owner holds the lease: stop at once and emit nothing more."""

    def __init__(self, mailbox_id: str) -> None:
        super().__init__("fenced", f"another worker took over mailbox {mailbox_id}", side=Side.PLATFORM)


class SecretUnavailable(MailhaulError):
    """The sealed secret is gone, belongs to another row, or was bound to other endpoints."""


class InvalidEvent(MailhaulError):
    """A record that cannot be decoded or that cannot be true: it goes to the dead letters."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text, side=Side.PLATFORM)


class RequestInvalid(MailhaulError):
    """What was asked cannot be done; the text says what to do instead."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text, side=Side.REQUEST)


class StackFailed(MailhaulError):
    """A part of the embedded stack did not start or did not answer; the text says what to look at or install."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text, side=Side.PLATFORM)
