"""What can be learned from a destination that refuses a name: one look at its words, then another plan."""

import re

from mailhaul.folders.rules import Refusals

# Dovecot 2.3: `[CANNOT] Character not allowed in mailbox name: '.'` (Maildir++ keeps levels apart by dots in one
# directory, so with `/` as its delimiter a dot in a name is refused: `v1.2`, `Example s.r.l.`).
_NAMED = re.compile(r"not allowed in mailbox name: '(.)'")
_TOO_LONG = re.compile(r"too long", re.IGNORECASE)
# What other servers refuse without saying it (RFC 9051 §5.1 lets them): wildcards, quotes, what file systems dislike.
OFTEN_REFUSED = ".%*\"\\^'&#:<>|?~"


def learn(refusals: Refusals, level: str, words: str) -> Refusals | None:
    """The refusals with what the server's `words` about `level` add; None where nothing more can be learned.

    Planned again with the answer, the name is another; the caller stops when there is nothing left to learn.
    """
    named = _NAMED.search(words)
    found = set(named[1]) if named else set(level) & set(OFTEN_REFUSED)
    if _TOO_LONG.search(words) and refusals.level_octets > 100:
        return Refusals(characters=refusals.characters, level_octets=100, name_octets=min(refusals.name_octets, 255))
    if found <= refusals.characters:
        return None
    return Refusals(
        characters=refusals.characters | found,
        level_octets=refusals.level_octets,
        name_octets=refusals.name_octets,
    )
