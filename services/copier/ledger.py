"""The ledger: every write reads the epoch again first, so that whoever lost the lease changes nothing any more."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from mailhaul.db import Database, Microseconds, insert_missing, upsert
from mailhaul.errors import Fenced
from mailhaul.failpoints import failpoint
from mailhaul.ids import MailboxId
from services.copier.late import Push
from services.copier.packing import Content, MapRow, pack, pack_uids, slices, unpack, unpack_uids
from services.copier.tables import (
    copier_ambiguous,
    copier_batch,
    copier_folder,
    copier_intent,
    copier_lease,
    copier_outcome,
    copier_pair,
    copier_surplus,
)
from services.copier.work import Folder, Status

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


def distrust(tx: Connection, pair_id: str) -> None:
    """No LITERAL+ APPEND for this pair any more."""
    tx.execute(update(copier_pair).where(copier_pair.c.pair_id == pair_id).values(careful=True))


def saved_folders(tx: Connection, pair_id: str) -> dict[bytes, SavedFolder]:
    """The pair's folders by their source name."""
    t = copier_folder.c
    found = {}
    for row in tx.execute(select(copier_folder).where(t.pair_id == pair_id)):
        source = Status(row.source_validity, row.source_uidnext, row.source_modseq, row.source_messages)
        target = Status(row.target_validity, row.target_uidnext, row.target_modseq, row.target_messages)
        name = bytes(row.source_name)
        found[name] = SavedFolder(row.id, name, bytes(row.target_name), source, target, row.account, row.digest)
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


def known(tx: Connection, mailbox_id: MailboxId, target_name: bytes) -> dict[int, MapRow]:
    """Every destination UID of a folder that the ledger has, whichever source it came from."""
    t = copier_batch.c
    rows = tx.execute(
        select(t.rows, t.flags).where(t.mailbox_id == mailbox_id, t.target_name == target_name).order_by(t.id)
    )
    return {
        row.target_uid: row for packed, flags in rows for row in unpack(bytes(packed), bytes(flags)) if row.target_uid
    }


def outcomes_of(tx: Connection, folder_key: int, source_validity: int) -> dict[int, Outcome]:
    """The outcomes of a folder's messages by source UID."""
    t = copier_outcome.c
    rows = tx.execute(select(copier_outcome).where(t.folder_id == folder_key, t.source_validity == source_validity))
    return {row.source_uid: _outcome(row) for row in rows}


def outcomes_in_run(tx: Connection, mailbox_id: MailboxId, run_no: int) -> list[Outcome]:
    """Everything that a run reported of single messages."""
    t = copier_outcome.c
    rows = tx.execute(
        select(copier_outcome).where(t.mailbox_id == mailbox_id, t.run_no == run_no).order_by(t.folder_id, t.source_uid)
    )
    return [_outcome(row) for row in rows]


def _outcome(row: object) -> Outcome:
    return Outcome(
        row.folder_id, row.source_validity, row.source_uid, row.outcome, row.code, row.octets, row.run_no,  # type: ignore[attr-defined]
    )  # fmt: skip


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


# --- what is written --------------------------------------------------------------------------------------------------


def enter_folders(tx: Connection, ledger: Ledger, folders: Sequence[Folder]) -> None:
    """Give every folder its number; one that is there already keeps what is known of it."""
    values = [
        {
            "pair_id": ledger.pair_id, "mailbox_id": ledger.mailbox_id,
            "source_name": folder.source_name, "target_name": folder.target_name,
            "source_validity": 0, "source_uidnext": 0, "source_modseq": 0, "source_messages": 0,
            "target_validity": 0, "target_uidnext": 0, "target_modseq": 0, "target_messages": 0,
            "account": "", "digest": "",
        }
        for folder in folders
    ]  # fmt: skip
    insert_missing(tx, copier_folder, values)
    t = copier_folder.c
    keys = {
        bytes(name): key for name, key in tx.execute(select(t.source_name, t.id).where(t.pair_id == ledger.pair_id))
    }
    for folder in folders:
        folder.key = keys[folder.source_name]
        tx.execute(update(copier_folder).where(t.id == folder.key).values(target_name=folder.target_name))


def rename_folder(tx: Connection, folder_key: int, source_name: bytes) -> None:
    """The source renamed a folder: same UIDVALIDITY and UIDs, so the same folder to the ledger."""
    tx.execute(update(copier_folder).where(copier_folder.c.id == folder_key).values(source_name=source_name))


def add_intents(
    tx: Connection, ledger: Ledger, starts: Sequence[tuple[Folder, Sequence[int], int]], single: bool
) -> list[int]:
    """Journal pushes before their first octet; the numbers of the intents."""
    numbers = []
    for folder, uids, low in starts:
        added = tx.execute(
            insert(copier_intent).values(
                mailbox_id=ledger.mailbox_id, folder_id=folder.key, target_name=folder.target_name,
                source_validity=folder.source.validity, uids=pack_uids(uids), low=low, epoch=ledger.epoch,
                single=single,
            )
        )  # fmt: skip
        numbers.append(int(added.inserted_primary_key[0]))  # type: ignore[index]
    return numbers


def drop_intents(tx: Connection, numbers: Sequence[int]) -> None:
    """The pushes are accounted for."""
    if numbers:
        tx.execute(delete(copier_intent).where(copier_intent.c.id.in_(numbers)))


def add_rows(
    tx: Connection,
    ledger: Ledger,
    folder: Folder,
    rows: Sequence[MapRow],
    *,
    target_validity: int,
    kind: str = COPIED,
    source_validity: int | None = None,
    verified: bool = False,
) -> None:
    """Enter messages that stand at the destination into the UID map."""
    for part in slices(rows):
        packed, flags = pack(part)
        tx.execute(
            insert(copier_batch).values(
                mailbox_id=ledger.mailbox_id, folder_id=folder.key, target_name=folder.target_name,
                source_validity=folder.source.validity if source_validity is None else source_validity,
                target_validity=target_validity, kind=kind, verified=verified, messages=len(part),
                octets=sum(row.size for row in part), rows=packed, flags=flags,
            )
        )  # fmt: skip


def replace_rows(tx: Connection, batch: Batch, rows: Sequence[MapRow]) -> None:
    """Rewrite one packed row, after flags or destination UIDs changed."""
    packed, flags = pack(rows)
    tx.execute(update(copier_batch).where(copier_batch.c.id == batch.id).values(rows=packed, flags=flags))


def drop_batches(tx: Connection, numbers: Sequence[int]) -> None:
    if numbers:
        tx.execute(delete(copier_batch).where(copier_batch.c.id.in_(numbers)))


def add_outcomes(tx: Connection, ledger: Ledger, outcomes: Sequence[Outcome]) -> None:
    """Enter outcomes; a later one of the same message replaces the earlier."""
    rows = [
        {
            "folder_id": each.folder_key, "source_validity": each.source_validity, "source_uid": each.source_uid,
            "mailbox_id": ledger.mailbox_id, "outcome": each.outcome, "code": each.code, "octets": each.octets,
            "run_no": each.run_no,
        }
        for each in outcomes
    ]  # fmt: skip
    upsert(tx, copier_outcome, rows, ["folder_id", "source_validity", "source_uid"])


def drop_outcomes(tx: Connection, folder_key: int, source_validity: int, uids: Sequence[int]) -> None:
    """What failed before stands at the destination now, or will be tried again."""
    t = copier_outcome.c
    for start in range(0, len(uids), 500):
        tx.execute(
            delete(copier_outcome).where(
                t.folder_id == folder_key,
                t.source_validity == source_validity,
                t.source_uid.in_(uids[start : start + 500]),
            )
        )


def add_push(tx: Connection, ledger: Ledger, intent: Intent, rows: Sequence[Content], at: Microseconds) -> None:
    """Remember a push whose fate was unknown: a late copy comes as its push went."""
    packed, flags = pack([MapRow(0, 0, row.date, row.size, row.digest, row.flags) for row in rows])
    tx.execute(
        insert(copier_ambiguous).values(
            mailbox_id=ledger.mailbox_id, folder_id=intent.folder_key, target_name=intent.target_name,
            rows=packed, flags=flags, low=intent.low, single=intent.single, since=at,
        )
    )  # fmt: skip


def drop_pushes(tx: Connection, folder_key: int, target_name: bytes) -> None:
    """The folder is settled."""
    t = copier_ambiguous.c
    tx.execute(delete(copier_ambiguous).where(t.folder_id == folder_key, t.target_name == target_name))


def add_surplus(
    tx: Connection,
    ledger: Ledger,
    folder_key: int,
    target: tuple[bytes, int],
    copies: Sequence[tuple[int, bytes, int, str]],
    run_no: int,
) -> None:
    """Enter possible second copies as (destination UID, digest, octets, action)."""
    rows = [
        {
            "mailbox_id": ledger.mailbox_id, "target_name": target[0], "target_validity": target[1],
            "target_uid": uid, "folder_id": folder_key, "digest": digest, "action": action, "octets": octets,
            "run_no": run_no,
        }
        for uid, digest, octets, action in copies
    ]  # fmt: skip
    upsert(tx, copier_surplus, rows, ["mailbox_id", "target_name", "target_validity", "target_uid"])


def save_folder(tx: Connection, folder: Folder, source: Status, target: Status) -> None:
    """The checkpoint of a folder that is over, with its account."""
    tx.execute(
        update(copier_folder)
        .where(copier_folder.c.id == folder.key)
        .values(
            source_validity=source.validity, source_uidnext=source.uidnext, source_modseq=source.modseq,
            source_messages=source.messages, target_validity=target.validity, target_uidnext=target.uidnext,
            target_modseq=target.modseq, target_messages=target.messages,
            account=folder.tally.to_json(), digest=folder.digest,
        )
    )  # fmt: skip
