"""What is in a mailbox: numbers by folder, what the rules leave out, and whether it fits where it goes; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mailhaul.folders import Action, FolderDecision, Reason

KIBI = 1024  # RFC 9208 §5.1: STORAGE counts units of 1024 octets


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One source folder with what it holds and what becomes of it."""

    decision: FolderDecision
    messages: int = 0
    octets: int = 0
    oversize: int = 0  # messages over the size limit, in a folder that is copied

    @property
    def counted(self) -> bool:
        """Another user's folder, or a view on messages that lie elsewhere, is none of this mailbox's mail."""
        return self.decision.reason not in (Reason.FOREIGN, Reason.VIRTUAL, Reason.NOT_SELECTABLE)

    @property
    def copied(self) -> bool:
        return self.decision.action is Action.COPY


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Sums over the mailbox: what is left out is part of the whole, what is oversize part of what is not left out."""

    lines: tuple[Line, ...] = ()

    @property
    def folders(self) -> int:
        return sum(line.counted for line in self.lines)

    @property
    def messages(self) -> int:
        return sum(line.messages for line in self.lines if line.counted)

    @property
    def octets(self) -> int:
        return sum(line.octets for line in self.lines if line.counted)

    @property
    def left_out_messages(self) -> int:
        return sum(line.messages for line in self.lines if line.counted and not line.copied)

    @property
    def left_out_octets(self) -> int:
        return sum(line.octets for line in self.lines if line.counted and not line.copied)

    @property
    def oversize_messages(self) -> int:
        return sum(line.oversize for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the destination mailbox holds and may hold: (usage, limit) by quota resource (RFC 9208)."""

    messages: int = 0
    quota: Mapping[str, tuple[int, int]]


def messages_of(folders: Iterable[Mapping[str, int]]) -> int:
    """MESSAGES over the STATUS numbers of folders."""
    return sum(numbers.get("MESSAGES", 0) for numbers in folders)


def fits(inventory: Inventory, held: Held) -> bool:
    """Whether the destination has room for what will be copied.

    A mailbox that holds half as many messages as the source or more may hold the very mail already, from an earlier
    run or migration: then only its whole size counts. What does not fit in the end parks the run and is told.
    """
    messages = inventory.messages - inventory.left_out_messages
    octets = inventory.octets - inventory.left_out_octets
    again = messages > 0 and 2 * held.messages >= messages
    for resource, needed in (("STORAGE", -(-octets // KIBI)), ("MESSAGE", messages)):
        if resource in held.quota:
            used, limit = held.quota[resource]
            if limit and needed > (limit if again else limit - used):
                return False
    return True
