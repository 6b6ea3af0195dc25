"""What the checker knows of a message, a folder and a mailbox, wherever it was read."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

Path = tuple[str, ...]  # a folder's name, one decoded component per level, the namespace's prefix taken off


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """A message as its server shows it: `instant` in seconds since 1970 UTC, `flags` in lower case without \\Recent."""

    digest: str
    instant: int
    flags: tuple[str, ...]
    size: int = field(default=0, compare=False)


@dataclass(slots=True)
class Folder:
    """A folder as its server shows it; `role` is its special-use attribute, "" when it has none."""

    messages: list[Message] = field(default_factory=list)
    subscribed: bool = False
    role: str = ""


Mailbox = dict[Path, Folder]


@dataclass(slots=True)
class Expectation:
    """What one destination mailbox must hold, and the digests that a rule keeps out with the rule's word."""

    folders: dict[Path, Counter[Message]] = field(default_factory=dict)
    subscribed: set[Path] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """One move to be judged: which source account became which destination account."""

    source: str
    destination: str


def normal_flags(flags: Iterable[str]) -> tuple[str, ...]:
    """Return flags as a comparable value: RFC 9051 §2.3.2 has them case-insensitive, and \\Recent is the session's."""
    return tuple(sorted({flag.lower() for flag in flags} - {"\\recent"}))


def shown(path: Path) -> str:
    """Return a folder's name for a person."""
    return "/".join(path)
