"""Digests of messages and of folders: SHA-256, cut to 16 octets a message (half of BLAKE2b's CPU on most machines)."""

import hashlib
from collections.abc import Iterable
from typing import Any, Protocol

OCTETS = 16


class Hash(Protocol):
    """What the engine needs of a hash object."""

    def update(self, data: Any, /) -> None: ...

    def digest(self) -> bytes: ...


def new_hash() -> Hash:
    """A hash that is fed a message chunk by chunk."""
    return hashlib.sha256()


def cut(hasher: Hash) -> bytes:
    """The digest of a message as the ledger keeps it."""
    return hasher.digest()[:OCTETS]


def folder_digest(digests: Iterable[bytes], adopted: Iterable[bytes]) -> str:
    """One hash over a folder: sorted message digests, then those known by their header alone, marked so."""
    total = hashlib.sha256()
    for digest in sorted(digests):
        total.update(b"m" + digest)
    for digest in sorted(adopted):
        total.update(b"h" + digest)
    return total.hexdigest()
