"""SASL mechanisms as pure values: what is said first, and what to each challenge (RFC 4422, RFC 4616)."""

from dataclasses import dataclass, field
from typing import Protocol


class Mechanism(Protocol):
    """One way to sign in; XOAUTH2 and OAUTHBEARER have the same shape."""

    @property
    def name(self) -> str: ...

    def initial(self) -> bytes:
        """The first response, before base64."""

    def answer(self, challenge: bytes) -> bytes | None:
        """The response to a later challenge, or None to give up (`*`)."""

    def secrets(self) -> tuple[bytes, ...]:
        """What must not come back in an error, before base64."""


@dataclass(frozen=True, slots=True)
class Plain:
    """RFC 4616: authorization id (whose mailbox; empty for one's own), authentication id, password."""

    user: str
    password: str = field(repr=False)
    authorization: str = ""
    name: str = "PLAIN"

    def initial(self) -> bytes:
        return b"\0".join((self.authorization.encode(), self.user.encode(), self.password.encode()))

    def answer(self, challenge: bytes) -> bytes | None:
        return None if challenge else self.initial()

    def secrets(self) -> tuple[bytes, ...]:
        return self.password.encode(), self.initial()
