"""Flags in three ways: what the source had, what it has now, and what the destination's owner made of it."""

from collections.abc import Collection

_RECENT = b"\\recent"


def flag_set(flags: bytes) -> dict[bytes, bytes]:
    """Flags by their lower-case spelling (RFC 9051 §2.3.2: flags and keywords are case-insensitive)."""
    return {flag.lower(): flag for flag in flags.split() if flag.lower() != _RECENT}


def changes(then: bytes, now: bytes, there: bytes) -> tuple[bytes, bytes]:
    """(flags to add, flags to remove) at the destination.

    Only what changed at the source is carried over, and only where the destination still has what we wrote: a flag that
    its owner set or took away on the new side stays as they left it.
    """
    before, after, at_destination = flag_set(then), flag_set(now), flag_set(there)
    add = [after[flag] for flag in sorted(after.keys() - before.keys()) if flag not in at_destination]
    remove = [before[flag] for flag in sorted(before.keys() - after.keys()) if flag in at_destination]
    return b" ".join(add), b" ".join(remove)


def keep(flags: bytes, allowed: Collection[bytes]) -> bytes:
    """Only the flags in `allowed` (lower case), sorted; the destination would refuse the others."""
    return b" ".join(sorted(flag for lower, flag in flag_set(flags).items() if lower in allowed))


def same(one: bytes, other: bytes) -> bool:
    """Whether two lists of flags mean the same."""
    return flag_set(one).keys() == flag_set(other).keys()
