"""Decide, publish, flag (joint 5): decision and payload are committed together, then sent until acknowledged."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    select,
    update,
)

from mailhaul.db import SECOND, Database, insert_missing, metadata, now
from mailhaul.errors import InvalidEvent
from mailhaul.events import Event
from mailhaul.kafka.bus import Bus, Headers, Message
from mailhaul.kafka.codec import encode
from mailhaul.kafka.process import wait_until
from mailhaul.topics import FACTS

Decide: TypeAlias = Callable[[Connection, Event], Sequence[Event]]
Tick: TypeAlias = Callable[[Connection], Sequence[Event]]

KEEP_PAYLOAD = timedelta(days=7)  # a redelivery after that finds that it was decided and sent, and sends nothing
RELAY_AFTER = 10.0  # seconds after which an unflagged row is taken for one whose process died
RELAY_EVERY = 10.0
PURGE_EVERY = 3600.0
_BATCH = 500
_EMPTY = {"value": b"", "headers": "[]"}
_MARK = "decided:"  # the row of a decision that yielded nothing


def outbox_table(service: str) -> Table:
    """The table `<service>_outbox`, made once by the `tables.py` of its owner."""
    name = f"{service}_outbox"
    known = metadata.tables.get(name)
    if known is not None:
        return known
    flagged_at = Column("flagged_at", BigInteger, nullable=True)
    created_at, n = Column("created_at", BigInteger, nullable=False), Column("n", Integer, nullable=False)
    return Table(
        name,
        metadata,
        Column("event_id", Text, primary_key=True),
        Column("cause", Text, nullable=False, index=True),
        Column("migration_id", Text, nullable=False, index=True),
        created_at,
        n,
        flagged_at,
        Column("topic", Text, nullable=False),
        Column("key", LargeBinary, nullable=False),
        Column("value", LargeBinary, nullable=False),
        Column("headers", Text, nullable=False),
        Index(
            f"{name}_unflagged_ix",
            created_at,
            n,
            sqlite_where=flagged_at.is_(None),
            postgresql_where=flagged_at.is_(None),
        ),
    )


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one event: the records to send, or why it cannot be true."""

    messages: tuple[Message, ...] = ()
    refused: InvalidEvent | None = None


class Outbox:
    """The outbox of one service; `decide_all` and `commit` are whole transactions, `put` joins one."""

    def __init__(self, db: Database, service: str) -> None:
        self.db = db
        self.service = service
        self.table = outbox_table(service)

    def put(self, tx: Connection, events: Iterable[Event], *, cause: str = "", trace: str = "") -> list[Message]:
        """Store decisions in the heart's own transaction and return the records to yield after its commit.

        An id that is stored already keeps its first bytes, and those are returned.
        """
        messages = [encode(event, source=self.service, trace=trace) for event in events]
        subjects = [str(getattr(event, "migration_id", "")) for event in events]
        self._insert(tx, messages, [(cause, subject) for subject in subjects])
        return self._stored(tx, [message.event_id for message in messages])

    async def decide_all(self, decide: Decide, causes: Sequence[tuple[Event, str]]) -> list[Decided]:
        """Decide a batch of (event, traceparent) in one transaction.

        An event that was decided before yields what is stored: `decide` never sees it twice.
        """
        return await self.db.write(self._decide_all, decide, causes)

    async def decided(self, cause: str) -> tuple[Message, ...] | None:
        """What was decided about an event before, to be sent again; None when nothing was (its work is still to do)."""
        return await self.db.read(self._decided, cause)

    async def commit(self, tick: Tick) -> list[Message]:
        """Run `tick(tx)` and store what it returns in the same transaction."""
        return await self.db.write(lambda tx: self.put(tx, list(tick(tx))))

    async def flag(self, messages: Iterable[Message]) -> None:
        """Remember that these records were acknowledged."""
        ids = [message.event_id for message in messages if message.event_id]
        if ids:
            await self.db.write(self._flag, ids)

    async def send(self, bus: Bus, messages: Sequence[Message]) -> None:
        """Publish, wait for the acknowledgement, flag."""
        if messages:
            await bus.publish_raw(messages)
            await self.flag(messages)

    async def relay(self, bus: Bus, *, older_than: float = 0.0) -> int:
        """Send what was decided and never flagged, oldest first; returns how many records that were."""
        sent = 0
        while messages := await self.db.read(self._unflagged, older_than):
            await self.send(bus, messages)
            sent += len(messages)
        return sent

    async def purge(self, *, keep: timedelta = KEEP_PAYLOAD, forget: timedelta = FACTS) -> None:
        """Empty the payload of rows flagged long ago, and forget those that no topic can bring back."""
        await self.db.write(self._purge, _microseconds(keep), _microseconds(forget))

    def forget(self, tx: Connection, migration_id: str) -> None:
        """Empty the sent rows of a deleted migration, in the transaction that drops everything else of it.

        What is left says only that these causes were decided, so that a late delivery of one decides nothing anew.
        """
        table = self.table.c
        tx.execute(
            update(self.table)
            .where(table.migration_id == migration_id, table.flagged_at.is_not(None))
            .values(_EMPTY | {"key": b"", "migration_id": ""})
        )

    async def tend(self, bus: Bus, stop: asyncio.Event) -> None:
        """Beside a run loop: relay what a dead process of this service left behind, purge once an hour."""
        turns = 0
        while not stop.is_set():
            await self.relay(bus, older_than=RELAY_AFTER)
            if turns % int(PURGE_EVERY / RELAY_EVERY) == 0:
                await self.purge()
            turns += 1
            await wait_until(stop, RELAY_EVERY)

    def _decided(self, tx: Connection, cause: str) -> tuple[Message, ...] | None:
        standing = self._standing(tx, [cause])
        return tuple(self._stored(tx, standing[cause])) if cause in standing else None

    def _decide_all(self, tx: Connection, decide: Decide, causes: Sequence[tuple[Event, str]]) -> list[Decided]:
        standing = self._standing(tx, [event.event_id for event, _ in causes])
        fresh: list[Message] = []
        origins: list[tuple[str, str]] = []
        results: list[tuple[str, ...] | InvalidEvent] = []
        for event, trace in causes:
            if event.event_id in standing:
                results.append(standing[event.event_id])
                continue
            try:
                with tx.begin_nested():
                    decisions = decide(tx, event)
            except InvalidEvent as error:
                results.append(error)
                continue
            messages = [encode(decision, source=self.service, trace=trace) for decision in decisions]
            subjects = [str(getattr(decision, "migration_id", "")) for decision in decisions]
            fresh += messages or [_mark(event.event_id)]
            origins += [(event.event_id, subject) for subject in subjects or [str(getattr(event, "migration_id", ""))]]
            standing[event.event_id] = tuple(message.event_id for message in messages)
            results.append(standing[event.event_id])
        self._insert(tx, fresh, origins)
        wanted = [number for result in results if isinstance(result, tuple) for number in result]
        stored = {message.event_id: message for message in self._stored(tx, wanted)}
        return [
            Decided(refused=result)
            if isinstance(result, InvalidEvent)
            else Decided(tuple(stored[number] for number in result if number in stored))
            for result in results
        ]

    def _standing(self, tx: Connection, causes: Sequence[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        table = self.table.c
        for part in _parts(causes):
            rows = tx.execute(
                select(table.cause, table.event_id, table.topic)
                .where(table.cause.in_(part))
                .order_by(table.created_at, table.n)
            )
            for cause, number, topic in rows:
                found[cause] = (*found.get(cause, ()), number) if topic else found.get(cause, ())
        return found

    def _insert(self, tx: Connection, messages: Sequence[Message], origins: Sequence[tuple[str, str]]) -> None:
        instant = now(tx) if messages else 0
        insert_missing(
            tx,
            self.table,
            [
                {
                    "event_id": message.event_id,
                    "cause": cause,
                    "migration_id": subject,
                    "created_at": instant,
                    "n": n,
                    "flagged_at": None if message.topic else instant,
                    "topic": message.topic,
                    "key": message.key,
                    "value": message.value,
                    "headers": json.dumps([[name, value.decode()] for name, value in message.headers]),
                }
                for n, (message, (cause, subject)) in enumerate(zip(messages, origins, strict=True))
            ],
        )

    def _stored(self, tx: Connection, ids: Sequence[str]) -> list[Message]:
        found: dict[str, Message] = {}
        for part in _parts(ids):
            for row in tx.execute(select(self.table).where(self.table.c.event_id.in_(part))):
                found[row.event_id] = _message(row)
        # An emptied payload was acknowledged long ago.
        return [found[number] for number in ids if number in found and found[number].value]

    def _unflagged(self, tx: Connection, older_than: float) -> list[Message]:
        table = self.table.c
        due = now(tx) - int(older_than * SECOND)
        rows = tx.execute(
            select(self.table)
            .where(table.flagged_at.is_(None), table.created_at <= due)
            .order_by(table.created_at, table.n)
            .limit(_BATCH)
        )
        return [_message(row) for row in rows]

    def _flag(self, tx: Connection, ids: Sequence[str]) -> None:
        instant = now(tx)
        for part in _parts(ids):
            tx.execute(update(self.table).where(self.table.c.event_id.in_(part)).values(flagged_at=instant))

    def _purge(self, tx: Connection, keep: int, forget: int) -> None:
        table, instant = self.table.c, now(tx)
        tx.execute(delete(self.table).where(table.flagged_at < instant - forget))
        tx.execute(update(self.table).where(table.flagged_at < instant - keep, table.value != b"").values(_EMPTY))


def _mark(cause: str) -> Message:
    return Message(topic="", key=b"", value=b"", headers=(), event_id=_MARK + cause)


def _message(row: Row[tuple[object, ...]]) -> Message:
    headers: Headers = tuple((name, value.encode()) for name, value in json.loads(row.headers))
    return Message(topic=row.topic, key=row.key, value=row.value, headers=headers, event_id=row.event_id)


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
