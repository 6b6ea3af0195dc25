"""What a folder is for: by its attributes first, else by its exact name where such a folder belongs."""

import unicodedata
from enum import StrEnum


class Role(StrEnum):
    """The words of `FolderPlanned.role` and `FolderProgressed.role`."""

    INBOX = "inbox"
    SENT = "sent"
    DRAFTS = "drafts"
    ARCHIVE = "archive"
    TRASH = "trash"
    JUNK = "junk"
    FLAGGED = "flagged"
    ALL = "all"
    CUSTOM = "custom"


# RFC 6154 §2; servers send the attributes without announcing SPECIAL-USE, so they count wherever they stand.
ATTRIBUTES: dict[bytes, Role] = {
    b"\\sent": Role.SENT,
    b"\\drafts": Role.DRAFTS,
    b"\\archive": Role.ARCHIVE,
    b"\\trash": Role.TRASH,
    b"\\junk": Role.JUNK,
    b"\\spam": Role.JUNK,  # what some servers sent before RFC 6154
    b"\\flagged": Role.FLAGGED,
    b"\\starred": Role.FLAGGED,
    b"\\all": Role.ALL,
    b"\\allmail": Role.ALL,
}

# Where a client keeps its folders without asking: below these a name means what it means at the top.
CONTAINERS = frozenset({"inbox", "[gmail]", "[google mail]", "[imap]"})


def fold(name: str) -> str:
    """A name for comparison: NFC, folded case, blanks trimmed, the dot that folding leaves on a Turkish İ dropped."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return folded.replace("i\u0307", "i").strip()


def by_attribute(attributes: frozenset[bytes]) -> Role | None:
    """The role that the server itself gives a folder, in the order of the table where it gives several."""
    given = {attribute.lower() for attribute in attributes}
    return next((role for attribute, role in ATTRIBUTES.items() if attribute in given), None)
