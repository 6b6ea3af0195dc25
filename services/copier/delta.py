"""Flags that changed at the source since the last run, carried over where the destination's owner left ours alone."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from mailhaul.errors import ServerRefused
from mailhaul.failpoints import failpoint
from mailhaul.imap import commands
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.encoder import append_flags
from mailhaul.imap.fetches import parse_fetch
from mailhaul.imap.messages import store_flags
from mailhaul.imap.reader import Part
from mailhaul.imap.uids import split_uids
from services.copier import entries
from services.copier.flags import changes, same
from services.copier.ledger import Batch, Ledger
from services.copier.packing import MapRow
from services.copier.transfer import examine
from services.copier.work import Folder

STORING = failpoint("copier.flags_storing")
STORED = failpoint("copier.flags_stored")
_DELETED = b"\\Deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """A row whose message has other flags at the source now."""

    batch: Batch
    place: int
    row: MapRow
    now: bytes


async def carry_flags(
    ledger: Ledger, source: IMAPConnection, target: IMAPConnection, folder: Folder, batches: Sequence[Batch]
) -> int:
    """Write what changed; how many messages of the destination got other flags."""
    mine = [batch for batch in batches if batch.source_validity == folder.source.validity]
    if not mine:
        return 0
    flags = await _source_flags(source, folder)
    changed = list(_changes(mine, flags))
    if not changed:
        return 0
    opened = await commands.select(target, folder.target_name)
    there = await fetch_flags(target, split_uids(each.row.target_uid for each in changed if each.row.target_uid))
    orders: defaultdict[tuple[str, bytes], list[int]] = defaultdict(list)
    touched: set[int] = set()
    for each in changed:
        uid = each.row.target_uid
        if uid not in there:
            continue  # moved or deleted by its owner
        add, remove = changes(each.row.flags, each.now, there[uid])
        for sign, words in (("+", append_flags(_undeleted(add), opened.permanent_flags)), ("-", _undeleted(remove))):
            if words:
                orders[sign, words].append(uid)
                touched.add(uid)
    await ledger.write(lambda tx: None)  # still the owner?
    STORING()
    for (sign, words), uids in orders.items():
        await _store(target, sorted(uids), sign, words.split())
    STORED()
    await ledger.write(_enter, changed)
    return len(touched)


async def _store(target: IMAPConnection, uids: Sequence[int], sign: str, words: Sequence[bytes]) -> None:
    """A keyword that the destination does not take is left out, as at the copy; the others are written."""
    try:
        await store_flags(target, uids, sign, words)
    except ServerRefused:
        if len(words) > 1:
            for word in words:
                await _store(target, uids, sign, [word])


def _undeleted(flags: bytes) -> bytes:
    # Deletions at the source are not mirrored, and \Deleted is the first half of one.
    return b" ".join(flag for flag in flags.split() if flag != _DELETED)


async def _source_flags(source: IMAPConnection, folder: Folder) -> dict[int, bytes]:
    examine(source, folder)
    same_numbers = folder.saved.validity == folder.source.validity
    modifier = b""
    if same_numbers and folder.saved.modseq and commands.has(source, "CONDSTORE"):
        modifier = b" (CHANGEDSINCE %d)" % folder.saved.modseq  # RFC 7162 §3.1.4.1
    return await fetch_flags(source, [b"1:*"], modifier)


async def fetch_flags(connection: IMAPConnection, sets: Iterable[bytes], modifier: bytes = b"") -> dict[int, bytes]:
    """{UID: flags} of the selected folder."""
    found: dict[int, bytes] = {}

    def take(parts: list[Part]) -> bool:
        fetched = parse_fetch(parts)
        if fetched is None or fetched.uid is None or fetched.flags is None:
            return False
        found[fetched.uid] = fetched.flags
        return True

    await asyncio.gather(
        *(connection.command(b"UID FETCH %b (UID FLAGS)%b" % (part, modifier), on_untagged=take) for part in sets)
    )
    return found


def _changes(batches: Sequence[Batch], flags: dict[int, bytes]) -> Iterable[Change]:
    for batch in batches:
        for place, row in enumerate(batch.rows):
            now = flags.get(row.source_uid)
            if now is not None and not same(append_flags(now), row.flags):
                yield Change(batch, place, row, append_flags(now))


def _enter(tx: Connection, changed: Sequence[Change]) -> None:
    by_batch: defaultdict[int, list[Change]] = defaultdict(list)
    for each in changed:
        by_batch[each.batch.id].append(each)
    for group in by_batch.values():
        rows = list(group[0].batch.rows)
        for each in group:
            rows[each.place] = each.row._replace(flags=each.now)
        entries.replace_rows(tx, group[0].batch, rows)
