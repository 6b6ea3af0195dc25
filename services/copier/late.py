"""Late copies: which messages did an old session of ours deliver after we had given it up? (joint 27)"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.copier.packing import Content

_DELETED = b"\\deleted"


class Push(NamedTuple):
    """One ambiguous push: its messages in their order; `single` where they did not travel as one MULTIAPPEND."""

    low: int
    single: bool
    rows: tuple[Content, ...]


class Surplus(NamedTuple):
    """A message that may be a second copy of ours; only a `late` one may be removed."""

    uid: int
    digest: bytes
    size: int
    late: bool


def torn(push: Sequence[int], found: Collection[int]) -> Sequence[int]:
    """What of a push may still come alone: a session stopped within its commit lays down the rest when it wakes.

    Maildir has no other commit than file by file (seen with Dovecot 2.3.19); what it laid down before is a beginning of
    the push, and the recovery has given it to the ledger. Empty where nothing or not a beginning was found.
    """
    first = next((place for place, uid in enumerate(push) if uid not in found), len(push))
    rest = push[first:]
    return rest if first and not any(uid in found for uid in rest) else ()


def bare(flags: bytes) -> bytes:
    """Flags in lower case without `\\Deleted`: a settling may have been killed between its STORE and its EXPUNGE."""
    return b" ".join(sorted(flag for flag in flags.lower().split() if flag != _DELETED))


def keepers(pushes: Iterable[Push], known: Mapping[int, bytes]) -> dict[bytes, set[int]]:
    """For each ambiguous digest the destination UIDs that the ledger has of it."""
    found: dict[bytes, set[int]] = {row.digest: set() for push in pushes for row in push.rows}
    for uid, digest in known.items():
        if digest in found:
            found[digest].add(uid)
    return found


def _landed(
    pushes: Iterable[Push], known: Collection[int], present: Mapping[int, Content], alive: Collection[int]
) -> dict[int, bytes]:
    """UIDs that lie as a push left them, each with the flags written at its place in that push.

    The push's messages stand at consecutive UIDs in its order with nothing else between, at least half of it and at
    least two messages still there: a message alone bears no mark that it was not its owner's doing.
    """
    landed: dict[int, bytes] = {}
    strangers = set(alive) - present.keys() - set(known)
    for push in pushes:
        if push.single or len(push.rows) < 2:
            continue
        places: defaultdict[bytes, list[int]] = defaultdict(list)
        for place, row in enumerate(push.rows):
            places[row.digest].append(place)
        starts = {uid - place for uid, row in present.items() for place in places.get(row.digest, ())}
        for start in starts:
            if start < push.low:
                continue
            seen = _seen(push, start, known, present, strangers)
            if seen is not None and len(seen) >= 2 and 2 * len(seen) >= len(push.rows):
                landed.update(seen)
    return landed


def _seen(
    push: Push, start: int, known: Collection[int], present: Mapping[int, Content], strangers: Collection[int]
) -> dict[int, bytes] | None:
    """What of a push stands from `start` on, or None where something else stands between."""
    seen: dict[int, bytes] = {}
    for uid, row in enumerate(push.rows, start):
        if uid in known or uid in strangers:
            return None
        there = present.get(uid)
        if there is None:
            continue
        if (there.digest, there.date) != (row.digest, row.date):
            return None
        seen[uid] = row.flags
    return seen


def find_surplus(
    pushes: Collection[Push], known: Mapping[int, bytes], present: Mapping[int, Content], alive: Collection[int]
) -> list[Surplus]:
    """Every message that may be a late copy, in UID order.

    `known` maps the ledger's destination UIDs of this folder to their digests, `present` holds the messages outside the
    ledger that were read, `alive` every UID seen without `\\Deleted` in the same connection. A copy is late only where
    it came as its push went, with the flags we wrote, while every ledger UID of its digest, at least one, is alive.
    """
    kept = keepers(pushes, known)
    landed = _landed(pushes, known.keys(), present, alive)
    lowest: dict[bytes, int] = {}
    for push in pushes:
        for row in push.rows:
            lowest[row.digest] = min(push.low, lowest.get(row.digest, push.low))
    living = set(alive)
    found: list[Surplus] = []
    for uid, content in sorted(present.items()):
        if uid in known or content.digest not in lowest or uid < lowest[content.digest]:
            continue
        mine = kept[content.digest]
        written = landed.get(uid)
        late = bool(mine) and mine <= living and written is not None and bare(written) == bare(content.flags)
        found.append(Surplus(uid, content.digest, content.size, late))
    return found
