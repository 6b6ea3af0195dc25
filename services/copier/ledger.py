"""The ledger: every write reads the epoch again first, so that whoever lost the lease changes nothing any more."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Connection, func, or_, select

from mailhaul.db import Database, Microseconds, insert_missing
from mailhaul.errors import Fenced
from mailhaul.failpoints import failpoint
from mailhaul.ids import MailboxId
from services.copier.late import Push
from services.copier.packing import MapRow, unpack, unpack_uids
from services.copier.tables import (
    copier_ambiguous,
    copier_batch,
    copier_folder,
    copier_intent,
    copier_lease,
    copier_outcome,
    copier_pair,
    copier_surplus,
    copier_suspect,
)
from services.copier.work import Status

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
WRITING = failpoint("copier.ledger_writing")
WRITTEN = failpoint("copier.ledger_written")

COPIED, ADOPTED, HEADER = "copied", "adopted", "header"


@dataclass(frozen=True, slots=True)
class Intent:
    """A push that was begun and not finished."""

    id: int
    folder_key: int
    target_name: bytes
    source_validity: int
    uids: tuple[int, ...]
    low: int
    single: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """A packed row of the UID map, unpacked."""

    id: int
    folder_key: int
    target_name: bytes
    source_validity: int
    target_validity: int
    kind: str
    verified: bool
    rows: tuple[MapRow, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A message that was not simply copied."""

    folder_key: int
    source_validity: int
    source_uid: int
    outcome: str
    code: str
    octets: int
    run_no: int


@dataclass(frozen=True, slots=True)
class SavedFolder:
    """A folder as the last run left it."""

    key: int
    source_name: bytes
    target_name: bytes
    source: Status
    target: Status
    account: str
    digest: str
    begun: int = 0  # the source's UIDVALIDITY under which messages were entered before any checkpoint

    @property
    def validity(self) -> int:
        """The source's UIDVALIDITY that its rows stand under; 0 where there are none."""
        return self.source.validity or self.begun


class Ledger:
    """The ledger of a pair of accounts under one epoch of its destination's lease."""

    def __init__(self, database: Database, mailbox_id: MailboxId, pair_id: str, epoch: int) -> None:
        self.database, self.mailbox_id, self.pair_id, self.epoch = database, mailbox_id, pair_id, epoch

    async def write(self, fn: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Commit `fn`; raises `Fenced` when another worker took the lease since."""
        WRITING()
        value = await self.database.write(self._fenced, lambda tx: fn(tx, *args))
        WRITTEN()
        return value

    def _fenced(self, tx: Connection, fn: Callable[[Connection], T]) -> T:
        # The lock on the row makes a take-over wait for this commit, so that it sees all of it or none.
        epoch = tx.execute(
            select(copier_lease.c.epoch).where(copier_lease.c.mailbox_id == self.mailbox_id).with_for_update()
        ).scalar()
        if epoch != self.epoch:
            raise Fenced(self.mailbox_id)
        return fn(tx)

    async def read(self, fn: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Read; what is read may be older than what another worker writes, and every write is fenced."""
        return await self.database.read(fn, *args)


# --- what is known ----------------------------------------------------------------------------------------------------


def open_pair(tx: Connection, mailbox_id: MailboxId, pair_id: str) -> bool:
    """Enter the pair; whether its destination must be written to without LITERAL+."""
    insert_missing(tx, copier_pair, [{"pair_id": pair_id, "mailbox_id": mailbox_id, "careful": False}])
    return bool(tx.execute(select(copier_pair.c.careful).where(copier_pair.c.pair_id == pair_id)).scalar_one())


def saved_folders(tx: Connection, pair_id: str) -> dict[bytes, SavedFolder]:
    """The pair's folders by their source name."""
    t, b = copier_folder.c, copier_batch.c
    mine = select(b.folder_id, func.max(b.source_validity).label("validity")).join(copier_folder, t.id == b.folder_id)
    open_ones = mine.where(t.pair_id == pair_id, t.source_validity == 0).group_by(b.folder_id)
    begun = {each.folder_id: each.validity for each in tx.execute(open_ones)}
    found = {}
    for row in tx.execute(select(copier_folder).where(t.pair_id == pair_id)):
        source = Status(row.source_validity, row.source_uidnext, row.source_modseq, row.source_messages)
        target = Status(row.target_validity, row.target_uidnext, row.target_modseq, row.target_messages)
        name = bytes(row.source_name)
        goal = bytes(row.target_name)
        found[name] = SavedFolder(row.id, name, goal, source, target, row.account, row.digest, begun.get(row.id, 0))
    return found


def intents(tx: Connection, pair_id: str) -> list[Intent]:
    """The open pushes of a pair, oldest first."""
    rows = tx.execute(
        select(copier_intent)
        .join(copier_folder, copier_folder.c.id == copier_intent.c.folder_id)
        .where(copier_folder.c.pair_id == pair_id)
        .order_by(copier_intent.c.id)
    )
    return [
        Intent(
            row.id, row.folder_id, bytes(row.target_name), row.source_validity,
            tuple(unpack_uids(row.uids)), row.low, row.single,
        )
        for row in rows
    ]  # fmt: skip


def _batches(rows: Iterable[object]) -> list[Batch]:
    return [
        Batch(
            row.id, row.folder_id, bytes(row.target_name), row.source_validity, row.target_validity, row.kind,  # type: ignore[attr-defined]
            row.verified,  # type: ignore[attr-defined]
            tuple(unpack(bytes(row.rows), bytes(row.flags))),  # type: ignore[attr-defined]
        )
        for row in rows
    ]  # fmt: skip


def batches_of(tx: Connection, folder_key: int) -> list[Batch]:
    """The UID map of a source folder."""
    t = copier_batch
    return _batches(tx.execute(select(t).where(t.c.folder_id == folder_key).order_by(t.c.id)))


def known(tx: Connection, mailbox_id: MailboxId, target_name: bytes, validity: int) -> dict[int, MapRow]:
    """Every destination UID of a folder that the ledger has under a UIDVALIDITY, whichever source it came from."""
    t = copier_batch.c
    rows = tx.execute(
        select(t.rows, t.flags)
        .where(t.mailbox_id == mailbox_id, t.target_name == target_name, t.target_validity == validity)
        .order_by(t.id)
    )
    return {
        row.target_uid: row for packed, flags in rows for row in unpack(bytes(packed), bytes(flags)) if row.target_uid
    }


def outcomes_of(tx: Connection, folder_key: int, source_validity: int) -> dict[int, Outcome]:
    """The outcomes of a folder's messages by source UID."""
    t = copier_outcome.c
    rows = tx.execute(select(copier_outcome).where(t.folder_id == folder_key, t.source_validity == source_validity))
    return {row.source_uid: _outcome(row) for row in rows}


def outcomes_of_pair(tx: Connection, pair_id: str) -> list[tuple[bytes, Outcome]]:
    """(source folder, outcome) of every message that was not simply copied, surplus copies among them.

    A surplus copy is named by UIDVALIDITY and UID at the destination; UID 0 stands for a folder that nobody could open.
    """
    t, f, s = copier_outcome.c, copier_folder.c, copier_surplus.c
    mine = select(copier_outcome, f.source_name).join(copier_folder, f.id == t.folder_id)
    told = or_(t.source_validity == f.source_validity, t.source_uid == 0)
    rows = tx.execute(mine.where(f.pair_id == pair_id, told).order_by(t.folder_id, t.source_uid))
    found = [(bytes(row.source_name), _outcome(row)) for row in rows]
    copies = tx.execute(
        select(copier_surplus, f.source_name)
        .join(copier_folder, f.id == s.folder_id)
        .where(f.pair_id == pair_id)
        .order_by(s.folder_id, s.target_uid)
    )
    for row in copies:
        code = f"surplus_{row.action}"
        each = Outcome(row.folder_id, row.target_validity, row.target_uid, "surplus", code, row.octets, row.run_no)
        found.append((bytes(row.source_name), each))
    return found


def _outcome(row: object) -> Outcome:
    return Outcome(
        row.folder_id, row.source_validity, row.source_uid, row.outcome, row.code, row.octets, row.run_no,  # type: ignore[attr-defined]
    )  # fmt: skip


def suspects_of(tx: Connection, folder_key: int, source_validity: int) -> dict[int, int]:
    """{source UID: how often a session was lost while it was under way} of messages that may be the reason."""
    t = copier_suspect.c
    rows = tx.execute(
        select(t.source_uid, t.strikes).where(t.folder_id == folder_key, t.source_validity == source_validity)
    )
    return {row.source_uid: row.strikes for row in rows}


def pushes(tx: Connection, pair_id: str) -> dict[tuple[int, bytes], tuple[list[Push], Microseconds]]:
    """The ambiguous pushes of a pair by (folder, target), each with the instant of the latest."""
    rows = tx.execute(
        select(copier_ambiguous)
        .join(copier_folder, copier_folder.c.id == copier_ambiguous.c.folder_id)
        .where(copier_folder.c.pair_id == pair_id)
        .order_by(copier_ambiguous.c.id)
    )
    found: dict[tuple[int, bytes], tuple[list[Push], Microseconds]] = {}
    for row in rows:
        place = (row.folder_id, bytes(row.target_name))
        held, since = found.get(place, ([], 0))
        held.append(Push(row.low, row.single, tuple(r.content for r in unpack(bytes(row.rows), bytes(row.flags)))))
        found[place] = held, max(since, row.since)
    return found


def surplus_reported(tx: Connection, folder_key: int) -> int:
    """How many possible second copies of a folder's messages were reported and not removed."""
    t = copier_surplus.c
    return int(
        tx.execute(
            select(func.count()).select_from(copier_surplus).where(t.folder_id == folder_key, t.action == "reported")
        ).scalar_one()
    )
