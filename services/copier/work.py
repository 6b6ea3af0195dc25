"""A folder in a run: what is known of it on both sides, what is left to do, and the account of its messages."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Self

from mailhaul.ids import FolderId
from mailhaul.statement import Account
from services.copier.batches import Listed


@dataclass(frozen=True, slots=True)
class Status:
    """A folder's numbers (RFC 9051 §6.3.11); `modseq` 0 where the server has none (RFC 7162)."""

    validity: int = 0
    uidnext: int = 0
    modseq: int = 0
    messages: int = 0

    def unchanged(self, earlier: "Status") -> bool:
        """Whether nothing at all happened since; only a server with HIGHESTMODSEQ can say so."""
        return self.modseq > 0 and self == earlier


@dataclass(slots=True)
class Tally:
    """Counts of messages and octets; the first seven columns are one equation (see `statement.Account`)."""

    found: int = 0
    copied: int = 0
    already_there: int = 0
    skipped: int = 0
    vanished: int = 0
    failed: int = 0
    left: int = 0
    removed_by_owner: int = 0
    surplus: int = 0
    mismatched: int = 0
    octets_found: int = 0
    octets_copied: int = 0
    flags_changed: int = 0

    def account(self) -> Account:
        """The account in the words of the statement."""
        return Account(**{f.name: getattr(self, f.name) for f in fields(Account)})

    def add(self, other: "Tally") -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def copy(self) -> "Tally":
        return replace(self)

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})


def sum_up(tallies: Iterable[Tally]) -> Tally:
    """The sums of a mailbox."""
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return total


@dataclass(slots=True, eq=False)
class Folder:
    """One source folder in this run. Names are as on the wire; `key` is the ledger's number, 0 where there is none."""

    folder_id: FolderId
    source_name: bytes
    target_name: bytes
    source_text: str
    target_text: str
    role: str
    copied: bool  # False: a rule leaves it out
    reason: str
    subscribed: bool
    source: Status
    target: Status | None  # the destination's numbers when the run began; None: it had no such folder
    key: int = 0
    saved: Status = field(default_factory=Status)  # the source's numbers at the end of the last run
    saved_target: Status = field(default_factory=Status)
    first_sight: bool = False  # the ledger knows nothing of it yet
    unchanged: bool = False
    todo: list[Listed] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    digest: str = ""
    low: int = 1  # a lower bound of the destination's UIDNEXT
    permanent: frozenset[bytes] | None = None  # the destination's PERMANENTFLAGS, in lower case
    proven: frozenset[bytes] = frozenset()  # flags that the destination took in an APPEND, in lower case
    plus: bool = False  # whether a LITERAL+ APPEND of this shape is known to be harmless
    unreadable: bool = False  # the source refused to open it
    absent: bool = False  # the destination has no such folder: its owner removed it, or it takes none of that name
    suspects: list[Listed] = field(default_factory=list)  # to be sent alone: a session was lost over one of them
    progressed: bool = False
    expected_octets: int = 0  # as STATUS said, 0 where it did not

    @property
    def waiting(self) -> list[Listed]:
        """Every message that is to be copied, alone or with others."""
        return [*self.todo, *self.suspects]
