"""How much a server may send before it is taken for broken, and how long it may be silent."""

from dataclasses import dataclass

MAX_INT = 2**63 - 1
"""RFC 9051 §9: numbers may have 63 bits; some servers count beyond 32 of them, none beyond these."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Octets, seconds and counts; the defaults leave room for every server known and none for a bomb."""

    line: int = 8 << 20
    """One line of text between two literals: a SEARCH answer over a million UIDs fits."""

    held_literal: int = 1 << 20
    """A literal nobody streams (a folder name, a header) is held in memory up to this size."""

    response: int = 16 << 20
    """All text and held literals of one response."""

    streamed_literal: int = MAX_INT
    """A literal that goes to a sink costs no memory; the engine has looked at its size."""

    stall_window: float = 120.0
    """A window without one octet read or written while an answer is due means that the server is gone."""

    write_high: int = 1 << 20
    """From this many unsent octets on the feeder is not read."""

    write_low: int = 1 << 18
    """Below this many it is read again."""
