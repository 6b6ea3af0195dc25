"""Who signs in where, with what, and for whom."""

from dataclasses import dataclass, field
from enum import StrEnum


class MasterStyle(StrEnum):
    """How a server lets a master user in: by SASL's authorization id, or by a name such as `user*master`."""

    AUTHZID = "authzid"
    SEPARATOR = "separator"


@dataclass(frozen=True, slots=True)
class Credentials:
    """`user` owns the mailbox; with a `master`, the password is the master's. The password is never shown."""

    user: str
    password: str = field(repr=False)
    master: str = ""
    style: MasterStyle = MasterStyle.AUTHZID
    separator: str = "*"

    @property
    def authentication(self) -> str:
        """The name that the password belongs to."""
        if not self.master:
            return self.user
        return self.master if self.style is MasterStyle.AUTHZID else f"{self.user}{self.separator}{self.master}"

    @property
    def authorization(self) -> str:
        """The authorization id; empty where the name says it all."""
        return self.user if self.master and self.style is MasterStyle.AUTHZID else ""
