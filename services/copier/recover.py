"""Recovery: which messages of open pushes arrived? The destination's tail against the source, by bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from mailhaul.db import SECOND, now
from mailhaul.failpoints import failpoint
from mailhaul.imap import commands
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.dates import clamp_date
from mailhaul.imap.encoder import append_flags
from mailhaul.imap.fetches import Fetched
from mailhaul.imap.messages import fetch_metadata
from services.copier import entries
from services.copier import ledger as books
from services.copier.bodies import UNDATED, read_contents
from services.copier.dating import read_dates
from services.copier.late import torn
from services.copier.ledger import Batch, Intent, Ledger
from services.copier.matching import match_push
from services.copier.packing import MOST_ROWS, Content, MapRow
from services.copier.reidentify import renumber_target
from services.copier.session import Seen
from services.copier.work import Folder

RECOVERING = failpoint("copier.recovering")
RECOVERED = failpoint("copier.recovered")


async def recover(
    ledger: Ledger,
    source: IMAPConnection,
    target: IMAPConnection,
    folders: Mapping[int, Folder],
    there: Seen,
    intents: Sequence[Intent],
    *,
    confirmed: bool = False,
) -> int:
    """Close every open push; how many messages were found to have arrived.

    `confirmed` pushes were answered OK without APPENDUID: there is nothing ambiguous about them.
    """
    arrived = 0
    for place in sorted({(intent.folder_key, intent.target_name) for intent in intents}):
        mine = [intent for intent in intents if (intent.folder_key, intent.target_name) == place]
        folder = folders.get(place[0])
        if folder is None:
            continue  # not at the source now, or left out: nothing can say what arrived until it is there again
        arrived += await _recover_folder(ledger, source, target, folder, there, mine, confirmed)
    return arrived


async def _recover_folder(
    ledger: Ledger,
    source: IMAPConnection,
    target: IMAPConnection,
    folder: Folder,
    there: Seen,
    intents: Sequence[Intent],
    confirmed: bool,
) -> int:
    name = intents[0].target_name
    status = there.status(name)
    low = min(intent.low for intent in intents)
    validity = status.validity if status else 0
    batches = await ledger.read(books.batches_of, folder.key)
    if status and (status.uidnext < low or any(batch.target_validity != validity for batch in batches)):
        # A folder of that name was made anew meanwhile, with UIDs of its own: first whoever is known, then the push.
        await renumber_target(ledger, target, folder, batches)
        low = 1
    known = await ledger.read(books.known, ledger.mailbox_id, name, validity)
    tail = await _tail(target, name, low) if status else {}
    strangers = {uid: row for uid, row in tail.items() if uid not in known}
    wanted = await _wanted(source, folder, intents, batches, await ledger.read(now) // SECOND)
    sizes = {content.size for content in wanted.values()}
    candidates = [uid for uid, row in strangers.items() if row.size in sizes]
    present = {uid: _plain(content) for uid, content in (await read_contents(target, candidates)).items()}
    found = match_push(wanted, present, UNDATED, [intent.uids for intent in intents])
    rows = [
        MapRow(uid, found[uid], present[found[uid]].date, content.size, content.digest, content.flags)
        for uid, content in sorted(wanted.items())
        if uid in found
    ]
    RECOVERING()
    await ledger.write(_close, ledger, folder, intents, wanted, rows, validity, confirmed)
    RECOVERED()
    return len(rows)


async def _tail(target: IMAPConnection, name: bytes, low: int) -> dict[int, Fetched]:
    opening = commands.examine(target, name)
    rows: list[Fetched] = []
    fetching = fetch_metadata(target, b"%d:*" % low, rows)
    await opening
    await fetching
    return {row.uid: row for row in rows if row.uid is not None and row.uid >= low}


async def _wanted(
    source: IMAPConnection, folder: Folder, intents: Sequence[Intent], batches: Sequence[Batch], at: int
) -> dict[int, Content]:
    """The messages of the pushes as the source has them now, with date and flags as we write them.

    One whose date is still to come was written with the date of its push: for it the bytes alone decide.
    """
    opened = await commands.examine(source, folder.source_name)
    uids = {uid for intent in intents for uid in intent.uids}
    if any(intent.source_validity != opened.uidvalidity for intent in intents):
        # New UIDs: what arrived will be recognised by its bytes among everything the folder holds.
        rows: list[Fetched] = []
        await fetch_metadata(source, b"1:*", rows)
        uids = {row.uid for row in rows if row.uid is not None}
    uids -= {row.source_uid for batch in batches if batch.source_validity == opened.uidvalidity for row in batch.rows}
    contents = await read_contents(source, uids)
    bare = [uid for uid, content in contents.items() if content.date == UNDATED]
    dates = await read_dates(source, bare) if bare else {}
    dates |= {uid: UNDATED for uid, content in contents.items() if content.date > at}
    return {uid: _plain(content._replace(date=dates.get(uid, content.date))) for uid, content in contents.items()}


def _plain(content: Content) -> Content:
    date = UNDATED if content.date == UNDATED else clamp_date(content.date)
    return content._replace(date=date, flags=append_flags(content.flags))


def _close(
    tx: Connection,
    ledger: Ledger,
    folder: Folder,
    intents: Sequence[Intent],
    wanted: Mapping[int, Content],
    rows: Sequence[MapRow],
    target_validity: int,
    confirmed: bool,
) -> None:
    entries.add_rows(tx, ledger, folder, rows, target_validity=target_validity)
    entries.drop_intents(tx, [intent.id for intent in intents])
    entries.drop_outcomes(tx, folder.key, folder.source.validity, [row.source_uid for row in rows])
    if confirmed:
        return
    at = now(tx)
    found = {row.source_uid for row in rows}
    for intent in intents:
        if intent.source_validity != folder.source.validity:
            # Which of the messages it held nobody can say any more: a second copy of any of them is reported.
            held = list(wanted.values())
            for start in range(0, len(held), MOST_ROWS):
                entries.add_push(tx, ledger, replace(intent, single=True), held[start : start + MOST_ROWS], at)
            continue
        push = [uid for uid in intent.uids if uid in wanted]
        for part in (push, torn(push, found)):
            if part:
                entries.add_push(tx, ledger, intent, [wanted[uid] for uid in part], at)
