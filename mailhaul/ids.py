"""Identifiers: derived, never random, so that a repeat finds the first (joints 1 to 3)."""

from contextlib import suppress
from typing import NewType
from unicodedata import normalize
from uuid import UUID, uuid5

import idna

MigrationId = NewType("MigrationId", str)
MailboxId = NewType("MailboxId", str)
RowId = NewType("RowId", str)
RunId = NewType("RunId", str)
CustomerId = NewType("CustomerId", str)
FolderId = NewType("FolderId", str)
SecretRef = NewType("SecretRef", str)

NAMESPACE = UUID("3d0fb2a4-6ad2-5a0e-9a53-6f1c1d3f7c11")

# Crockford's alphabet without vowels that make words: a code is read aloud on the telephone.
CODE_ALPHABET = "23456789BCDFGHJKMNPQRSTVWXYZ"


def derive(kind: str, *parts: object) -> str:
    """The id of a thing from what it is; parts are joined by a byte that no part may hold."""
    text = "\x1f".join((kind, *(str(part) for part in parts)))
    return str(uuid5(NAMESPACE, text))


def canonical_address(address: str) -> str:
    """An address as an identity: the domain in ASCII and lower case, the local part in lower case and NFC.

    RFC 5321 lets local parts differ by case; no hosting platform does, and two writers for one mailbox would be worse.
    The domain follows IDNA 2008 (RFC 5891): Python's own codec takes `faß.de` for `fass.de`, another domain.
    """
    local, _, domain = address.strip().rpartition("@")
    with suppress(UnicodeError):  # refused elsewhere as a bad address; the identity stays stable meanwhile
        domain = idna.encode(domain, uts46=True).decode("ascii") if not domain.isascii() else domain
    return f"{normalize('NFC', local).lower()}@{domain.lower()}"


def mailbox_id(destination: str) -> MailboxId:
    """Joint 1: a destination has one writer, whoever's migration it is."""
    return MailboxId(derive("mailbox", canonical_address(destination)))


def row_id(migration: MigrationId, line: int) -> RowId:
    """A row of a file, by its physical line number."""
    return RowId(derive("row", migration, line))


def run_id(migration: MigrationId, run_no: int) -> RunId:
    """Joint 2: a rescheduled run is the same run."""
    return RunId(derive("run", migration, run_no))


def folder_id(mailbox: MailboxId, wire_name: bytes) -> FolderId:
    """A source folder of a mailbox by its name on the wire, so that no folder name leaves the topic `plans`."""
    return FolderId(derive("folder", mailbox, wire_name.hex()))


def migration_code(migration: MigrationId) -> str:
    """A code such as `M-7K2QX`; the panel appends a character while another migration has it."""
    number, letters = UUID(migration).int, ""
    for _ in range(5):
        number, digit = divmod(number, len(CODE_ALPHABET))
        letters += CODE_ALPHABET[digit]
    return f"M-{letters}"
