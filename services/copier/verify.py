"""Verification after each run: size and date at the destination for every UID in the map, by one FETCH of metadata."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, update

from mailhaul.imap import commands
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.fetches import Fetched
from mailhaul.imap.messages import fetch_metadata
from services.copier.digests import folder_digest
from services.copier.ledger import COPIED, HEADER, Batch
from services.copier.tables import copier_batch
from services.copier.work import Folder


@dataclass(frozen=True, slots=True)
class Findings:
    """What stands at the destination of a folder's messages."""

    removed_by_owner: int = 0  # seen there once, later removed or moved by their owner
    mismatched: int = 0  # another size or date, or missing without ever having been seen
    seen: tuple[int, ...] = ()  # batches that are whole


def compare(batches: Sequence[Batch], validity: int, there: Sequence[Fetched]) -> Findings:
    """Hold the map against the destination's metadata; `validity` is the destination's, of which UIDs are believed."""
    rows = {row.uid: row for row in there}
    removed = mismatched = 0
    seen = []
    for batch in batches:
        gone = wrong = 0
        for row in batch.rows:
            found = rows.get(row.target_uid) if batch.target_validity == validity else None
            if not row.target_uid or (found is None and batch.verified):
                removed += 1
            elif found is None:
                gone += 1
            elif batch.kind == COPIED and (found.size != row.size or found.date not in (None, row.date)):
                wrong += 1
        mismatched += gone + wrong
        if not gone:
            seen.append(batch.id)
    return Findings(removed, mismatched, tuple(seen))


def digest(batches: Sequence[Batch]) -> str:
    """The hash over a folder's messages as the ledger knows them."""
    return folder_digest(
        (row.digest for batch in batches if batch.kind != HEADER for row in batch.rows),
        (row.digest for batch in batches if batch.kind == HEADER for row in batch.rows),
    )


async def look_at(target: IMAPConnection, folders: Sequence[Folder]) -> dict[int, tuple[int, list[Fetched]]]:
    """{folder: (UIDVALIDITY, metadata)} of the destination folders, all in one burst."""
    rows: dict[int, list[Fetched]] = {folder.key: [] for folder in folders}
    opened = []
    fetched = []
    for folder in folders:
        opened.append(commands.examine(target, folder.target_name))
        fetched.append(fetch_metadata(target, b"1:*", rows[folder.key]))
    numbers = await asyncio.gather(*opened)
    await asyncio.gather(*fetched)
    return {folder.key: (number.uidvalidity, rows[folder.key]) for folder, number in zip(folders, numbers, strict=True)}


def enter_seen(tx: Connection, numbers: Sequence[int]) -> None:
    """These batches were seen whole: what is missing of them later, its owner removed."""
    for start in range(0, len(numbers), 500):
        part = numbers[start : start + 500]
        tx.execute(update(copier_batch).where(copier_batch.c.id.in_(part)).values(verified=True))
