"""Reads what the source has, and leaves for copying what the ledger does not know."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from mailhaul.folders.rules import too_large
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.fetches import Fetched
from mailhaul.imap.messages import fetch_metadata
from mailhaul.imap.uids import split_uids
from services.copier import ledger as books
from services.copier.batches import Listed
from services.copier.dating import read_dates
from services.copier.ledger import Batch, Outcome
from services.copier.transfer import examine
from services.copier.work import Folder, Tally

SUSPECT, GIVEN_UP = 2, 4  # lost sessions after which a message travels alone, and after which it has failed


@dataclass(slots=True)
class Known:
    """What the ledger has of a folder."""

    batches: list[Batch] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    suspects: dict[int, int] = field(default_factory=dict)

    def have(self, validity: int) -> dict[int, tuple[str, int]]:
        """{source UID: (kind, octets)} under one UIDVALIDITY."""
        return {
            row.source_uid: (batch.kind, row.size)
            for batch in self.batches
            if batch.source_validity == validity
            for row in batch.rows
        }

    def strangers(self, validity: int) -> list[Batch]:
        """What was entered under another UIDVALIDITY."""
        return [batch for batch in self.batches if batch.source_validity != validity]


def load_known(tx: Connection, folders: Sequence[Folder]) -> dict[int, Known]:
    """The ledger's part of these folders."""
    return {
        folder.key: Known(
            books.batches_of(tx, folder.key),
            books.outcomes_of(tx, folder.key, folder.source.validity),
            books.suspects_of(tx, folder.key, folder.source.validity),
        )
        for folder in folders
    }


def retried(known: Known, max_octets: int) -> list[int]:
    """Messages worth another try: what failed, and what a smaller limit left out."""
    return sorted(
        uid
        for uid, each in known.outcomes.items()
        if each.outcome == "failed" or (each.outcome == "skipped" and not too_large(each.octets, max_octets))
    )


async def list_messages(
    source: IMAPConnection, wanted: Sequence[tuple[Folder, int, Sequence[int]]], undated: int
) -> dict[int, dict[int, Listed]]:
    """{folder: {UID: message}} for (folder, first UID, single UIDs), all in one burst.

    `undated` is the date of messages that have none anywhere, in seconds since 1970.
    """
    rows: dict[int, list[Fetched]] = {}
    futures = []
    for folder, first, singles in wanted:
        found = rows.setdefault(folder.key, [])
        examine(source, folder)
        for part in split_uids(uid for uid in singles if uid < first):
            futures.append(fetch_metadata(source, part, found))
        futures.append(fetch_metadata(source, b"%d:*" % first, found))
    await asyncio.gather(*futures)
    await _date(source, [folder for folder, _, _ in wanted], rows, undated)
    return {
        folder.key: {
            row.uid: Listed(row.uid, row.size or 0, row.date, row.flags or b"")
            for row in rows[folder.key]
            if row.uid is not None and (row.uid >= first or row.uid in singles)
        }
        for folder, first, singles in wanted
    }


async def _date(
    source: IMAPConnection, folders: Sequence[Folder], rows: dict[int, list[Fetched]], undated: int
) -> None:
    """Give a date to the messages whose server has none; RFC 9051 wants one of each, so this is rare."""
    for folder in folders:
        bare = {row.uid: row for row in rows[folder.key] if row.uid is not None and row.date is None}
        if bare:
            examine(source, folder)
            dates = await read_dates(source, bare.keys())
            for uid, row in bare.items():
                row.date = dates.get(uid, undated)


def first_uid(folder: Folder) -> int:
    """Where new mail begins: at the checkpoint under the same UIDVALIDITY, else at 1."""
    return folder.saved.uidnext if folder.saved.validity == folder.source.validity and folder.saved.uidnext else 1


def sort_out(folder: Folder, listed: dict[int, Listed], known: Known, *, max_octets: int, run_no: int) -> list[Outcome]:
    """Set the folder's work and its account; the outcomes that follow from the listing alone.

    `found` counts the UIDs of listing and ledger together, so that the equation is held against what was seen.
    """
    have = known.have(folder.source.validity)
    open_again = set(retried(known, max_octets))
    settled = {uid: each for uid, each in known.outcomes.items() if uid not in open_again and uid not in have}
    tally = Tally(removed_by_owner=folder.tally.removed_by_owner, surplus=folder.tally.surplus)
    outcomes: list[Outcome] = []
    folder.todo, folder.suspects = [], []
    for uid, message in sorted(listed.items()):
        if uid in have or uid in settled:
            continue
        if too_large(message.size, max_octets):
            outcomes.append(
                Outcome(folder.key, folder.source.validity, uid, "skipped", "too_large", message.size, run_no)
            )
        elif known.suspects.get(uid, 0) >= GIVEN_UP:
            outcomes.append(
                Outcome(folder.key, folder.source.validity, uid, "failed", "ends_sessions", message.size, run_no)
            )
        elif known.suspects.get(uid, 0) >= SUSPECT:
            folder.suspects.append(message)
        else:
            folder.todo.append(message)
    gone = [each for uid, each in known.outcomes.items() if uid in open_again and uid not in listed and uid not in have]
    outcomes += [
        Outcome(each.folder_key, each.source_validity, each.source_uid, "vanished", "vanished", each.octets, run_no)
        for each in gone
    ]
    for kind, octets in have.values():
        tally.octets_found += octets
        if kind == books.COPIED:
            tally.copied += 1
            tally.octets_copied += octets
        else:
            tally.already_there += 1
    for each in [*settled.values(), *outcomes]:
        setattr(tally, each.outcome, getattr(tally, each.outcome) + 1)
        tally.octets_found += each.octets
    tally.left = len(folder.waiting)
    tally.octets_found += sum(message.size for message in folder.waiting)
    tally.found = len(listed.keys() | have.keys() | known.outcomes.keys())
    folder.tally = tally
    return outcomes
