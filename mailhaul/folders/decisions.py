"""A plan's line: what becomes of one source folder, and why."""

from dataclasses import dataclass
from enum import StrEnum

from mailhaul.folders.roles import Role


class Action(StrEnum):
    COPY = "copy"
    SKIP = "skip"


class Reason(StrEnum):
    """Why a folder is left out, or why its name is another at the destination."""

    NONE = ""
    # left out
    TRASH = "trash"
    JUNK = "junk"
    SKIP_RULE = "skip_rule"
    NOT_SELECTABLE = "not_selectable"  # RFC 9051 §7.3.1: a level of the tree that holds no mail
    FOREIGN = "foreign"  # another user's or a shared folder
    VIRTUAL = "virtual"  # RFC 6154 §2 \Flagged: a view on messages that are in other folders
    # renamed
    TRANSLATED = "translated"
    SPECIAL_USE = "special_use"
    NAMESPACE = "namespace"  # below INBOX there, beside it here
    ESCAPED = "escaped"
    SHORTENED = "shortened"
    EXISTING = "existing"  # the destination has it in another case or Unicode form
    COLLISION = "collision"
    KNOWN = "known"  # decided in an earlier run


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderDecision:
    """What becomes of one source folder; the destination's names are empty where it is left out."""

    source: bytes  # on the wire
    source_name: str  # for people, levels joined by `/`
    role: Role
    action: Action
    reason: Reason
    destination: bytes = b""  # on the wire
    destination_name: str = ""
    exists: bool = False  # at the destination already
    subscribed: bool = False  # at the source; the destination follows
