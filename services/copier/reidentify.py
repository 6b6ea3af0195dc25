"""A new UIDVALIDITY: the same messages under other numbers are found again by the ledger's digests, on either side."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from mailhaul.imap import commands
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.dates import clamp_date
from mailhaul.imap.encoder import append_flags
from mailhaul.imap.fetches import Fetched
from mailhaul.imap.messages import fetch_metadata
from services.copier import entries
from services.copier.batches import Listed
from services.copier.bodies import BODY, HEADER, UNDATED, read_contents
from services.copier.ledger import HEADER as BY_HEADER
from services.copier.ledger import Batch, Ledger
from services.copier.matching import match_again
from services.copier.packing import Content
from services.copier.transfer import examine
from services.copier.work import Folder


async def renumber_source(
    ledger: Ledger, source: IMAPConnection, folder: Folder, listed: Mapping[int, Listed], batches: Sequence[Batch]
) -> None:
    """Give the rows of an earlier UIDVALIDITY their messages' new UIDs, so that only what is new is copied.

    Rows whose message is gone at the source stay under the old one: the ledger goes on knowing their copies.
    """
    examine(source, folder)
    sizes = {uid: message.size for uid, message in listed.items()}
    moved = await _match(source, batches, sizes)
    await ledger.write(_renumber, ledger, folder, batches, moved)


async def renumber_target(ledger: Ledger, target: IMAPConnection, folder: Folder, batches: Sequence[Batch]) -> int:
    """The same for a destination folder that was made anew; what is not found was its owner's doing: UID 0."""
    rows: list[Fetched] = []
    opening = commands.examine(target, folder.target_name)
    fetching = fetch_metadata(target, b"1:*", rows)
    opened = await opening
    await fetching
    old = [batch for batch in batches if batch.target_validity != opened.uidvalidity]
    if old and opened.uidvalidity:
        taken = {row.target_uid for batch in batches if batch not in old for row in batch.rows}
        sizes = {row.uid: row.size or 0 for row in rows if row.uid is not None and row.uid not in taken}
        moved = await _match(target, old, sizes)
        await ledger.write(_retarget, ledger, folder, old, moved, opened.uidvalidity)
    return opened.uidvalidity


Moved = dict[tuple[int, int], int]
"""(batch, place in it) -> new UID."""


async def _match(connection: IMAPConnection, batches: Sequence[Batch], sizes: Mapping[int, int]) -> Moved:
    moved: Moved = {}
    for header in (False, True):
        places = [
            ((batch.id, place), row.content)
            for batch in batches
            if (batch.kind == BY_HEADER) is header
            for place, row in enumerate(batch.rows)
        ]
        wanted_sizes = {content.size for _, content in places}
        taken = set(moved.values())
        candidates = [uid for uid, size in sizes.items() if size in wanted_sizes and uid not in taken]
        contents = await read_contents(connection, candidates, HEADER if header else BODY)
        seen = {uid: _plain(content, sizes[uid]) for uid, content in contents.items()}
        found = match_again({number: content for number, (_, content) in enumerate(places)}, seen)
        moved.update({places[number][0]: uid for number, uid in found.items()})
    return moved


def _plain(content: Content, size: int) -> Content:
    date = 0 if content.date == UNDATED else clamp_date(content.date)
    return Content(content.digest, size, date, append_flags(content.flags))


def _renumber(tx: Connection, ledger: Ledger, folder: Folder, batches: Sequence[Batch], moved: Moved) -> None:
    for batch in batches:
        found = [
            row._replace(source_uid=moved[batch.id, place])
            for place, row in enumerate(batch.rows)
            if (batch.id, place) in moved
        ]
        if not found:
            continue
        rest = [row for place, row in enumerate(batch.rows) if (batch.id, place) not in moved]
        entries.drop_batches(tx, [batch.id])
        for rows, validity in ((found, folder.source.validity), (rest, batch.source_validity)):
            entries.add_rows(
                tx,
                ledger,
                folder,
                rows,
                target_validity=batch.target_validity,
                kind=batch.kind,
                source_validity=validity,
                verified=batch.verified,
            )


def _retarget(
    tx: Connection, ledger: Ledger, folder: Folder, batches: Sequence[Batch], moved: Moved, validity: int
) -> None:
    for batch in batches:
        rows = [row._replace(target_uid=moved.get((batch.id, place), 0)) for place, row in enumerate(batch.rows)]
        entries.drop_batches(tx, [batch.id])
        entries.add_rows(
            tx,
            ledger,
            folder,
            rows,
            target_validity=validity,
            kind=batch.kind,
            source_validity=batch.source_validity,
            verified=batch.verified,
        )
