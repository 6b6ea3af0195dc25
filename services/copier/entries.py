"""What is written into the ledger; every function runs inside `Ledger.write`."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from mailhaul.db import Microseconds, insert_missing, upsert
from services.copier.ledger import COPIED, Batch, Intent, Ledger, Outcome
from services.copier.packing import Content, MapRow, pack, pack_uids, slices
from services.copier.tables import (
    copier_ambiguous,
    copier_batch,
    copier_folder,
    copier_intent,
    copier_outcome,
    copier_pair,
    copier_surplus,
    copier_suspect,
)
from services.copier.work import Folder, Status


def distrust(tx: Connection, pair_id: str) -> None:
    """No LITERAL+ APPEND for this pair any more."""
    tx.execute(update(copier_pair).where(copier_pair.c.pair_id == pair_id).values(careful=True))


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


def strike(tx: Connection, under_way: Sequence[tuple[Folder, Sequence[int]]]) -> None:
    """A session was lost while these messages were under way; one of them may be the reason."""
    t = copier_suspect.c
    for folder, uids in under_way:
        rows = [
            {"folder_id": folder.key, "source_validity": folder.source.validity, "source_uid": uid, "strikes": 0}
            for uid in uids
        ]
        insert_missing(tx, copier_suspect, rows)
        for start in range(0, len(uids), 500):
            tx.execute(
                update(copier_suspect)
                .where(
                    t.folder_id == folder.key,
                    t.source_validity == folder.source.validity,
                    t.source_uid.in_(uids[start : start + 500]),
                )
                .values(strikes=t.strikes + 1)
            )


def acquit(tx: Connection, folder: Folder) -> None:
    """The folder is over: whatever cost a session stands in the outcomes now."""
    tx.execute(delete(copier_suspect).where(copier_suspect.c.folder_id == folder.key))
    drop_outcomes(tx, folder.key, 0, [0])  # that it could not be opened


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
