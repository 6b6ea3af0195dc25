"""Sends what is stored until the relay accepts it, each person's mails in their order, and tells what became of each.

The row stands before the mail leaves, and is marked after the relay has answered: whatever dies in between, the mail
leaves again with the same octets. At least once is all that SMTP can promise (RFC 1047).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection, Row, delete, exists, select, update

from mailhaul.db import SECOND, Database, Microseconds, from_microseconds, now, to_microseconds
from mailhaul.errors import MailhaulError
from mailhaul.events import NotificationChanged
from mailhaul.failpoints import failpoint
from mailhaul.ids import derive
from mailhaul.kafka.bus import Bus, Message
from mailhaul.kafka.outbox import Outbox
from mailhaul.kafka.process import wait_until
from mailhaul.retry import GiveUp, Policy, decide
from mailhaul.topics import FACTS
from services.notifier.tables import deleted, mail

log = structlog.get_logger(__name__)

ACCEPTED = failpoint("notifier.accepted")
# RFC 5321 §4.5.4.1 asks a sender not to give up before four or five days: 480 quarters of an hour.
PATIENCE = Policy(failures=480, base=5.0, cap=900.0)
BATCH = 20
LOOKS_A_PURGE = 3_600


class Conversation(Protocol):
    """What is needed of `relay.Relay`."""

    async def __aenter__(self) -> "Conversation": ...
    async def __aexit__(self, *error: Any) -> None: ...
    async def send(self, sender: str, recipient: str, content: bytes) -> None: ...


@dataclass(slots=True)
class Delivery:
    """The loop beside the heart; any number of notifiers share the table by claiming rows for a while."""

    db: Database
    bus: Bus
    outbox: Outbox
    relay: Callable[[], Conversation]
    rng: Random
    claim_seconds: float = 30.0
    look_seconds: float = 1.0
    policy: Policy = PATIENCE
    due: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: send what is due, then wait for more."""
        looks = 0
        while not stop.is_set():
            if looks % LOOKS_A_PURGE == 0:
                await self.db.write(_purge)
            looks += 1
            self.due.clear()
            if not await self.send_due(stop):
                await self._wait(stop)

    async def send_due(self, stop: asyncio.Event | None = None) -> int:
        """Send what is due now, over one conversation as far as it holds; returns how many mails were tried."""
        claimed = list(await self.db.write(self._claim))
        waiting = list(reversed(claimed))
        while waiting and not (stop is not None and stop.is_set()):
            try:
                async with self.relay() as relay:
                    while waiting and not (stop is not None and stop.is_set()):
                        if not await self._send(relay, waiting.pop()):
                            break  # the conversation may be in any state
            except MailhaulError as error:
                # No conversation at all: everybody waits, and nobody is dialled again for each mail.
                for row in waiting:
                    await self._settle(row, error)
                waiting.clear()
        for row in waiting:
            await self.db.write(_release, row.mail_id)
        return len(claimed)

    async def _send(self, relay: Conversation, row: Row[Any]) -> bool:
        if not await self.db.write(self._renew, row):
            return True
        try:
            await relay.send(row.sender, row.recipient, row.content)
        except MailhaulError as error:
            await self._settle(row, error)
            return False
        ACCEPTED()
        await self._settle(row, None)
        return True

    async def _settle(self, row: Row[Any], error: MailhaulError | None) -> None:
        messages = await self.db.write(self._mark, row, error)
        await self.outbox.send(self.bus, messages)

    async def _wait(self, stop: asyncio.Event) -> None:
        stopping = asyncio.ensure_future(wait_until(stop, self.look_seconds))
        woken = asyncio.ensure_future(self.due.wait())
        await asyncio.wait({stopping, woken}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, woken):
            task.cancel()
        await asyncio.gather(stopping, woken, return_exceptions=True)

    def _claim(self, tx: Connection) -> list[Row[Any]]:
        """Due mails, none of which overtakes an earlier one about the same migration to the same person."""
        instant = now(tx)
        earlier = mail.alias("earlier")
        overtakes = exists().where(
            earlier.c.migration_id == mail.c.migration_id,
            earlier.c.recipient == mail.c.recipient,
            earlier.c.state == "pending",
            earlier.c.created_at < mail.c.created_at,
        )
        query = (
            select(mail)
            .where(mail.c.state == "pending", mail.c.due_at <= instant, ~overtakes)
            .order_by(mail.c.created_at, mail.c.n)
            .limit(BATCH)
            .with_for_update(skip_locked=True, of=mail)
        )
        rows = list(tx.execute(query).all())
        claimed = [row.mail_id for row in rows]
        tx.execute(update(mail).where(mail.c.mail_id.in_(claimed)).values(due_at=self._until(instant)))
        return rows

    def _renew(self, tx: Connection, row: Row[Any]) -> bool:
        """Before a mail leaves, its claim begins anew; False when it was deleted, or sent by whoever took it over."""
        mine = (mail.c.mail_id == row.mail_id, mail.c.state == "pending")
        renewed = tx.execute(update(mail).where(*mine).values(due_at=self._until(now(tx))))
        return renewed.rowcount == 1

    def _until(self, instant: Microseconds) -> Microseconds:
        return instant + int(self.claim_seconds * SECOND)

    def _mark(self, tx: Connection, row: Row[Any], error: MailhaulError | None) -> list[Message]:
        standing = tx.execute(select(mail.c.state, mail.c.failures).where(mail.c.mail_id == row.mail_id)).one_or_none()
        if standing is None or standing.state != "pending":  # deleted meanwhile, or settled by whoever took it over
            return []
        instant = now(tx)
        changes: dict[str, object] = {"state": "sent", "code": ""}
        if error is not None:
            failures = standing.failures + 1
            decision = decide(error, failures, from_microseconds(instant), self.rng, self.policy)
            changes = {"failures": failures, "code": error.code}
            log.warning("mail_not_sent", mail_id=row.mail_id, code=error.code, failures=failures, reason=error.text)
            if isinstance(decision, GiveUp):
                changes["state"] = "failed"
            else:
                changes["due_at"] = to_microseconds(decision.at)
        tx.execute(update(mail).where(mail.c.mail_id == row.mail_id).values(**changes))
        if "state" not in changes:
            return []
        state, code = str(changes["state"]), str(changes["code"])
        told = NotificationChanged(
            event_id=derive("notification", row.mail_id, state),
            at=from_microseconds(instant),
            migration_id=row.migration_id,
            customer_id=row.customer_id,
            notification_id=row.mail_id,
            cause_id=row.cause_id,
            notice=row.notice,
            recipients=1,
            state=state,
            code=code,
        )
        return self.outbox.put(tx, [told], cause=f"{row.mail_id}:{state}")


def _release(tx: Connection, mail_id: str) -> None:
    """Give a claimed mail back untried."""
    mine = (mail.c.mail_id == mail_id, mail.c.state == "pending")
    tx.execute(update(mail).where(*mine).values(due_at=now(tx)))


def _purge(tx: Connection) -> None:
    """Forget what no topic can bring back: settled mails and deleted migrations older than every record."""
    old = now(tx) - FACTS // timedelta(microseconds=1)
    tx.execute(delete(mail).where(mail.c.state != "pending", mail.c.created_at < old))
    tx.execute(delete(deleted).where(deleted.c.deleted_at < old))
