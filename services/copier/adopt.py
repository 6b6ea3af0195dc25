"""First sight of a destination folder that is not empty: what is there already is matched, not copied again."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from mailhaul.failpoints import failpoint
from mailhaul.imap import commands
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.dates import clamp_date
from mailhaul.imap.encoder import append_flags
from mailhaul.imap.fetches import Fetched
from mailhaul.imap.messages import fetch_metadata
from services.copier import entries
from services.copier import ledger as books
from services.copier.batches import Listed
from services.copier.bodies import HEADER, read_contents
from services.copier.ledger import ADOPTED, Ledger
from services.copier.ledger import HEADER as BY_HEADER
from services.copier.matching import Shape, alike, match_headers, match_push
from services.copier.packing import Content, MapRow
from services.copier.transfer import examine
from services.copier.work import Folder

ADOPTING = failpoint("copier.adopting")
ADOPTED_PLACE = failpoint("copier.adopted")


def shape(message: Listed) -> Shape:
    """Size and date as the destination would show them after a copy."""
    return Shape(message.size, None if message.date is None else clamp_date(message.date))


async def adopt(
    ledger: Ledger, source: IMAPConnection, target: IMAPConnection, folder: Folder, listed: Mapping[int, Listed]
) -> int:
    """Enter what stands at the destination already into the ledger; how many messages that were.

    Matched as a multiset by size, date and header digest; by bytes where two messages are alike in all of that.
    """
    rows: list[Fetched] = []
    opening = commands.examine(target, folder.target_name)
    fetching = fetch_metadata(target, b"1:*", rows)
    opened = await opening
    await fetching
    known = await ledger.read(books.known, ledger.mailbox_id, folder.target_name, opened.uidvalidity)
    there = {row.uid: Shape(row.size or 0, row.date) for row in rows if row.uid and row.uid not in known}
    mine = {uid: shape(message) for uid, message in listed.items()}
    near, far = alike(mine, there)
    if not near:
        return 0
    examine(source, folder)
    headers = await read_contents(source, near, HEADER)
    others = await read_contents(target, far, HEADER)
    matched, unclear, unclear_there = match_headers(
        {uid: (mine[uid], headers[uid].digest) for uid in near & headers.keys()},
        {uid: (there[uid], others[uid].digest) for uid in far & others.keys()},
    )
    by_header = [_row(uid, matched[uid], headers[uid], mine[uid]) for uid in sorted(matched)]
    by_bytes = await _by_bytes(source, target, unclear, unclear_there, mine, there)
    ADOPTING()
    await ledger.write(_enter, ledger, folder, by_header, by_bytes, opened.uidvalidity)
    ADOPTED_PLACE()
    return len(by_header) + len(by_bytes)


async def _by_bytes(
    source: IMAPConnection,
    target: IMAPConnection,
    unclear: Iterable[int],
    unclear_there: Iterable[int],
    mine: Mapping[int, Shape],
    there: Mapping[int, Shape],
) -> list[MapRow]:
    bodies = await read_contents(source, set(unclear))
    others = await read_contents(target, set(unclear_there))
    wanted = {uid: _content(content, mine[uid]) for uid, content in bodies.items()}
    present = {uid: _content(content, there[uid]) for uid, content in others.items()}
    found = match_push(wanted, present)
    return [_row(uid, found[uid], bodies[uid], mine[uid]) for uid in sorted(found)]


def _content(content: Content, listed: Shape) -> Content:
    return Content(content.digest, listed.size, listed.date or 0, append_flags(content.flags))


def _row(uid: int, target_uid: int, content: Content, listed: Shape) -> MapRow:
    # The flags are the source's: from here on a change there is carried over, and what stands at the destination stays.
    return MapRow(uid, target_uid, listed.date or 0, listed.size, content.digest, append_flags(content.flags))


def _enter(
    tx: Connection,
    ledger: Ledger,
    folder: Folder,
    by_header: list[MapRow],
    by_bytes: list[MapRow],
    target_validity: int,
) -> None:
    entries.add_rows(tx, ledger, folder, by_header, target_validity=target_validity, kind=BY_HEADER)
    entries.add_rows(tx, ledger, folder, by_bytes, target_validity=target_validity, kind=ADOPTED)
