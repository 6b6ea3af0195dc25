"""Decides which mails are due: composes them outside any transaction, stores them in one, once for every cause."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from mailhaul import events
from mailhaul.db import Database, insert_missing, now, upsert
from mailhaul.events import Event, NotificationChanged
from mailhaul.failpoints import failpoint
from mailhaul.ids import derive
from mailhaul.kafka.bus import Message
from mailhaul.kafka.outbox import Outbox
from services.notifier.letter import Letter
from services.notifier.letters import Platform, run_letter
from services.notifier.message import message
from services.notifier.notices import notice_letter
from services.notifier.outlook import Outlook, is_news, outlook
from services.notifier.page import Pages
from services.notifier.recipients import BadRecipient, envelope_address
from services.notifier.tables import deleted, mail, run

DECIDED = failpoint("notifier.decided")


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of a run so far."""

    revision: int
    outlook: Outlook


class Notifier:
    """The heart: `handle(event)` stores mails and yields only what needs no sending to be true."""

    def __init__(
        self,
        db: Database,
        outbox: Outbox,
        *,
        platform: Platform,
        sender: str,
        pages: Pages,
        mails_due: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._platform = platform
        self._sender = sender
        self._pages = pages
        self._mails_due = mails_due

    async def handle(self, event: Event) -> AsyncIterator[Event | Message]:
        """Take one event of the topics that the notifier reads; other facts about migrations pass by."""
        match event:
            case events.RunFinished():
                for item in await self._run_finished(event):
                    yield item
            case events.NoticeRequested():
                letter = notice_letter(event, self._platform)
                for item in await self._store(event, event.notice, letter, event.recipients):
                    yield item
            case events.MigrationDeleted():
                await self._db.write(self._forget, event.migration_id)

    async def _run_finished(self, event: events.RunFinished) -> list[Message]:
        told = await self._db.read(_told, event.run_id)
        said = outlook(event)
        if told is not None and (event.revision <= told.revision or not is_news(said, told.outlook)):
            await self._db.write(_remember, event, told.outlook)
            return []
        letter = run_letter(event, said, self._platform, again=told is not None)
        return await self._store(event, said.value, letter, event.recipients, said)

    async def _store(
        self,
        event: events.RunFinished | events.NoticeRequested,
        notice: str,
        letter: Letter,
        recipients: tuple[str, ...],
        said: Outlook | None = None,
    ) -> list[Message]:
        rows, failed = [], []
        for place, recipient in enumerate(dict.fromkeys(recipients)):
            mail_id = derive("mail", event.event_id, recipient)
            try:
                row = self._composed(event, notice, letter, mail_id, recipient)
            except BadRecipient:
                failed.append(_refused(event, notice, mail_id))
            else:
                rows.append(row | {"n": place})
        messages = await self._db.write(self._keep, event, rows, failed, said)
        DECIDED()
        self._mails_due()
        return messages

    def _composed(
        self,
        event: events.RunFinished | events.NoticeRequested,
        notice: str,
        letter: Letter,
        mail_id: str,
        recipient: str,
    ) -> dict[str, object]:
        address = envelope_address(recipient)
        content = message(
            letter,
            mail_id=mail_id,
            thread_id=derive("mail-thread", event.migration_id or event.customer_id),
            sender=self._sender,
            recipient=address,
            at=event.at,
            pages=self._pages,
        )
        return {
            "mail_id": mail_id,
            "migration_id": event.migration_id,
            "customer_id": event.customer_id,
            "cause_id": event.event_id,
            "notice": notice,
            "sender": envelope_address(self._sender),
            "recipient": address,
            "content": content,
            "state": "pending",
            "code": "",
            "failures": 0,
        }

    def _keep(
        self,
        tx: Connection,
        event: events.RunFinished | events.NoticeRequested,
        rows: list[dict[str, object]],
        failed: list[NotificationChanged],
        said: Outlook | None,
    ) -> list[Message]:
        if _is_deleted(tx, event.migration_id):
            return []
        if isinstance(event, events.RunFinished) and said is not None:
            _remember(tx, event, said)
        instant = now(tx)
        insert_missing(tx, mail, [row | {"created_at": instant, "due_at": instant} for row in rows])
        return self._outbox.put(tx, failed, cause=event.event_id)

    def _forget(self, tx: Connection, migration_id: str) -> None:
        for table in (mail, run):
            tx.execute(delete(table).where(table.c.migration_id == migration_id))
        self._outbox.forget(tx, migration_id)
        insert_missing(tx, deleted, [{"migration_id": migration_id, "deleted_at": now(tx)}])


def _told(tx: Connection, run_id: str) -> Told | None:
    row = tx.execute(select(run.c.revision, run.c.outlook).where(run.c.run_id == run_id)).one_or_none()
    return None if row is None else Told(row.revision, Outlook(row.outlook))


def _remember(tx: Connection, event: events.RunFinished, said: Outlook) -> None:
    """The highest revision seen, and what its run was last told."""
    told = _told(tx, event.run_id)
    if _is_deleted(tx, event.migration_id) or (told is not None and told.revision > event.revision):
        return
    row = {
        "run_id": event.run_id,
        "migration_id": event.migration_id,
        "revision": event.revision,
        "outlook": said.value,
    }
    upsert(tx, run, [row], ["run_id"])


def _is_deleted(tx: Connection, migration_id: str) -> bool:
    query = select(deleted.c.migration_id).where(deleted.c.migration_id == migration_id)
    return tx.execute(query).first() is not None


def _refused(event: events.RunFinished | events.NoticeRequested, notice: str, mail_id: str) -> NotificationChanged:
    return NotificationChanged(
        event_id=derive("notification", mail_id, "failed"),
        at=event.at,
        migration_id=event.migration_id,
        customer_id=event.customer_id,
        notification_id=mail_id,
        cause_id=event.event_id,
        notice=notice,
        recipients=1,
        state="failed",
        code="bad_recipient",
    )
