"""What became of each trigger: the latest one of a mailbox and migration, and the answer that was given to it."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from mailhaul.db import insert_missing, to_microseconds
from mailhaul.events import MailboxStopRequested, RunTriggered
from mailhaul.ids import MigrationId
from mailhaul.kafka.bus import Message
from services.copier.tables import (
    copier_ambiguous,
    copier_batch,
    copier_claim,
    copier_folder,
    copier_intent,
    copier_outcome,
    copier_pair,
    copier_run,
    copier_surplus,
    copier_suspect,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a trigger stands: `old` ones are ignored, an answered one is answered again, a `stopped` one never begins."""

    old: bool = False
    answer: tuple[Message, ...] = ()
    stopped: str = ""


def take_up(tx: Connection, trigger: RunTriggered) -> Standing:
    """Enter a trigger, unless it is old or answered. One primary-key read for a redelivery."""
    found = tx.execute(select(copier_run).where(_mine(trigger)).with_for_update()).first()
    mine = (trigger.run_no, trigger.trigger_no)
    if found is not None:
        known = (found.run_no, found.trigger_no)
        if mine < known:
            return Standing(old=True)
        if mine == known and found.answer is not None:
            return Standing(answer=tuple(_messages(bytes(found.answer))))
        if mine <= (found.stopped_run_no, found.stopped_no):
            _enter(tx, trigger)
            return Standing(stopped=found.stop_reason)
    _enter(tx, trigger)
    return Standing()


def _enter(tx: Connection, trigger: RunTriggered) -> None:
    row = {
        "mailbox_id": trigger.mailbox_id,
        "migration_id": trigger.migration_id,
        "run_no": trigger.run_no,
        "trigger_no": trigger.trigger_no,
        "stopped_run_no": 0,
        "stopped_no": 0,
        "stop_reason": "",
        "parked_until": None,
        "answer": None,
    }
    insert_missing(tx, copier_run, [row])
    changed = {name: row[name] for name in ("run_no", "trigger_no", "parked_until", "answer")}
    tx.execute(update(copier_run).where(_mine(trigger)).values(**changed))


def _mine(event: RunTriggered | MailboxStopRequested) -> ColumnElement[bool]:
    return and_(copier_run.c.mailbox_id == event.mailbox_id, copier_run.c.migration_id == event.migration_id)


def answer(tx: Connection, trigger: RunTriggered, messages: Sequence[Message], until: datetime | None) -> None:
    """Keep the answer whole, so that a redelivery sends the same bytes under the same ids."""
    tx.execute(
        update(copier_run)
        .where(_mine(trigger))
        .where(copier_run.c.run_no == trigger.run_no, copier_run.c.trigger_no == trigger.trigger_no)
        .values(answer=_packed(messages), parked_until=None if until is None else to_microseconds(until))
    )


def _packed(messages: Sequence[Message]) -> bytes:
    return json.dumps(
        [
            {
                "topic": each.topic,
                "key": each.key.decode(),
                "value": base64.b64encode(each.value or b"").decode(),
                "headers": [[name, value.decode()] for name, value in each.headers],
                "event_id": each.event_id,
            }
            for each in messages
        ]
    ).encode()


def _messages(packed: bytes) -> list[Message]:
    return [
        Message(
            topic=each["topic"],
            key=each["key"].encode(),
            value=base64.b64decode(each["value"]),
            headers=tuple((name, value.encode()) for name, value in each["headers"]),
            event_id=each["event_id"],
        )
        for each in json.loads(packed)
    ]


def stop(tx: Connection, event: MailboxStopRequested) -> None:
    """Triggers up to this one never begin; later ones do."""
    row = {
        "mailbox_id": event.mailbox_id,
        "migration_id": event.migration_id,
        "run_no": 0,
        "trigger_no": 0,
        "parked_until": None,
        "answer": None,
    }
    ordered = {
        "stopped_run_no": event.up_to_run_no,
        "stopped_no": event.up_to_trigger_no,
        "stop_reason": event.reason,
    }
    insert_missing(tx, copier_run, [row | ordered])
    tx.execute(update(copier_run).where(_mine(event)).values(**ordered))


def claim(tx: Connection, pair_id: str, migration_id: MigrationId) -> None:
    """The migration names this pair: the ledger of the pair lives as long as it does (joint 10)."""
    insert_missing(tx, copier_claim, [{"pair_id": pair_id, "migration_id": migration_id}])


def forget(tx: Connection, migration_id: MigrationId) -> None:
    """Drop a deleted migration's runs, and the ledger of every pair that no other migration names."""
    tx.execute(delete(copier_run).where(copier_run.c.migration_id == migration_id))
    mine = copier_claim.c
    pairs = list(tx.execute(select(mine.pair_id).where(mine.migration_id == migration_id)).scalars())
    tx.execute(delete(copier_claim).where(mine.migration_id == migration_id))
    for pair_id in pairs:
        if tx.execute(select(mine.pair_id).where(mine.pair_id == pair_id)).first() is None:
            _forget_pair(tx, pair_id)


def _forget_pair(tx: Connection, pair_id: str) -> None:
    folders = select(copier_folder.c.id).where(copier_folder.c.pair_id == pair_id)
    for table in (copier_intent, copier_batch, copier_ambiguous, copier_outcome, copier_surplus, copier_suspect):
        tx.execute(delete(table).where(table.c.folder_id.in_(folders)))
    tx.execute(delete(copier_folder).where(copier_folder.c.pair_id == pair_id))
    tx.execute(delete(copier_pair).where(copier_pair.c.pair_id == pair_id))


__all__ = ["Standing", "answer", "claim", "forget", "stop", "take_up"]
