"""The settling audit: surplus copies that an old session delivered late. It never guesses (joint 27)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from mailhaul.db import Microseconds
from mailhaul.errors import ServerRefused
from mailhaul.failpoints import failpoint
from mailhaul.imap import commands
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.dates import clamp_date
from mailhaul.imap.encoder import append_flags
from mailhaul.imap.fetches import Fetched
from mailhaul.imap.messages import expunge, fetch_metadata, metadata, store_flags
from services.copier import entries
from services.copier import ledger as books
from services.copier.bodies import UNDATED, read_contents
from services.copier.late import Push, Surplus, find_surplus, keepers
from services.copier.ledger import Ledger
from services.copier.packing import Content, MapRow

REMOVING = failpoint("copier.surplus_removing")
REMOVED = failpoint("copier.surplus_removed")
REPAIR = "repair"
_DELETED = b"\\deleted"


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settling did: when the rest can be settled (None: nothing is left), and how many copies it found."""

    due: Microseconds | None = None
    removed: int = 0
    reported: int = 0


async def settle(
    ledger: Ledger,
    target: IMAPConnection,
    *,
    settle_after: Microseconds,
    at: Microseconds,
    here: Collection[int],
    policy: str,
    run_no: int,
) -> Settled:
    """Settle every folder whose last ambiguity is old enough; the others say when they will be.

    `here` are the folders that the source has now: the open pushes of others wait for their folder, and nothing waits
    for them.
    """
    begun, places = await ledger.read(_ambiguities, ledger.pair_id)
    if begun.intersection(here):
        return Settled(due=at + settle_after)
    due = [since + settle_after for _, since in places.values() if since + settle_after > at]
    removed = reported = 0
    for (folder_key, name), (pushes, since) in places.items():
        if since + settle_after <= at:
            done = await _settle_folder(ledger, target, folder_key, name, pushes, policy, run_no)
            removed, reported = removed + done[0], reported + done[1]
    return Settled(max(due, default=None), removed, reported)


def _ambiguities(
    tx: Connection, pair_id: str
) -> tuple[set[int], dict[tuple[int, bytes], tuple[list[Push], Microseconds]]]:
    return {intent.folder_key for intent in books.intents(tx, pair_id)}, books.pushes(tx, pair_id)


async def _settle_folder(
    ledger: Ledger,
    target: IMAPConnection,
    folder_key: int,
    name: bytes,
    pushes: Sequence[Push],
    policy: str,
    run_no: int,
) -> tuple[int, int]:
    try:
        opened = await commands.select(target, name)
    except ServerRefused:
        await ledger.write(entries.drop_pushes, folder_key, name)  # the folder is gone, and every late copy with it
        return 0, 0
    rows = await ledger.read(books.known, ledger.mailbox_id, name, opened.uidvalidity)
    known = {uid: row.digest for uid, row in rows.items()}
    kept = keepers(pushes, known)
    first = min([*(push.low for push in pushes), *(min(uids) for uids in kept.values() if uids)])
    seen: list[Fetched] = []
    await fetch_metadata(target, b"%d:*" % first, seen)
    shapes = {(row.size, row.date) for push in pushes for row in push.rows}
    candidates = [row.uid for row in seen if row.uid and row.uid not in known and (row.size, row.date) in shapes]
    present = {uid: _plain(content) for uid, content in (await read_contents(target, candidates)).items()}
    surplus = find_surplus(pushes, known, present, _alive(seen, rows))
    remove: list[Surplus] = []
    if policy == REPAIR and "UIDPLUS" in target.capabilities:
        remove = await _remove(ledger, target, [copy for copy in surplus if copy.late], kept, rows)
    gone = {copy.uid for copy in remove}
    copies = [(copy.uid, copy.digest, copy.size, "removed" if copy.uid in gone else "reported") for copy in surplus]
    await ledger.write(_enter, ledger, folder_key, (name, opened.uidvalidity), copies, run_no)
    return len(remove), len(surplus) - len(remove)


def _alive(seen: Sequence[Fetched], rows: Mapping[int, MapRow]) -> set[int]:
    """The UIDs that stand there for good; `\\Deleted` announces an end, unless the source had it and we wrote it."""
    ours = {uid for uid, row in rows.items() if _DELETED in row.flags.lower().split()}
    return {row.uid for row in seen if row.uid and (row.uid in ours or _DELETED not in _words(row))}


def _words(row: Fetched) -> list[bytes]:
    return (row.flags or b"").lower().split()


async def _remove(
    ledger: Ledger,
    target: IMAPConnection,
    late: Sequence[Surplus],
    kept: dict[bytes, set[int]],
    rows: Mapping[int, MapRow],
) -> list[Surplus]:
    """Look once more, then remove: reading took time, and its owner may have deleted the other copy meanwhile."""
    if not late:
        return []
    await ledger.write(lambda tx: None)  # still the owner?
    keeping = set().union(*(kept[copy.digest] for copy in late))
    alive = _alive(await metadata(target, keeping), rows)
    sure = [copy for copy in late if kept[copy.digest] <= alive]
    uids = [copy.uid for copy in sure]
    if not uids:
        return []
    REMOVING()
    await store_flags(target, uids, "+", [b"\\Deleted"])
    await expunge(target, uids)
    REMOVED()
    return sure


def _plain(content: Content) -> Content:
    date = 0 if content.date == UNDATED else clamp_date(content.date)
    return content._replace(date=date, flags=append_flags(content.flags))


def _enter(
    tx: Connection,
    ledger: Ledger,
    folder_key: int,
    target: tuple[bytes, int],
    copies: Sequence[tuple[int, bytes, int, str]],
    run_no: int,
) -> None:
    entries.add_surplus(tx, ledger, folder_key, target, copies, run_no)
    entries.drop_pushes(tx, folder_key, target[0])
