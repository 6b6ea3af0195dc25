"""The validator's heart: one row in, its plan and its verdict out, the same ones however often the row comes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import Connection

from mailhaul import directory
from mailhaul.clock import Clock
from mailhaul.db import Database
from mailhaul.errors import MailhaulError, Side
from mailhaul.events import Event, MigrationDeleted, Row
from mailhaul.failpoints import failpoint
from mailhaul.kafka.bus import Message
from mailhaul.kafka.codec import traceparent
from mailhaul.kafka.outbox import Outbox
from mailhaul.vault import Binding, Opener
from services.validator.check import Checker, Subject
from services.validator.gate import Gate
from services.validator.verdict import Verdict, facts, failed

CHECKED = failpoint("validator.checked")
DECIDED = failpoint("validator.decided")


@dataclass(slots=True)
class Validator:
    """Grants and secrets come from SQL, verdicts go there before they are published (joint 5)."""

    db: Database
    outbox: Outbox
    opener: Opener
    checker: Checker
    gate: Gate
    clock: Clock

    async def handle(self, event: Event) -> AsyncIterator[Event | Message]:
        """Check a row once; what was decided before is said again, byte for byte."""
        if isinstance(event, MigrationDeleted):
            self.gate.forget(event.migration_id)
            await self.db.write(self.outbox.forget, event.migration_id)
        if not isinstance(event, Row):
            return
        messages = await self.outbox.decided(event.event_id)
        if messages is None:
            messages = await self._decide(event)
        for message in messages:
            yield message

    async def _decide(self, row: Row) -> tuple[Message, ...]:
        verdict = await self._judge(row)
        CHECKED()
        said = facts(row, verdict, self.clock.now())
        # Another process may have checked the same row meanwhile: whoever commits first has decided.
        (decided,) = await self.outbox.decide_all(lambda tx, event: said, [(row, traceparent.get())])
        DECIDED()
        return decided.messages

    async def _judge(self, row: Row) -> Verdict:
        try:
            password = await self.db.read(self._prepare, row)
        except MailhaulError as error:
            return failed(error)
        return await self.checker.check(
            Subject(
                migration=row.migration_id,
                asked_at=row.at,
                destination=row.destination,
                source=row.source,
                source_user=row.source_user,
                master_user=row.master_user,
                password=password,
                rules=row.rules,
            )
        )

    def _prepare(self, tx: Connection, row: Row) -> str | None:
        """The row's password, once its domain is granted (joint 29); None while its owner has yet to give it."""
        if not directory.granted(tx, row.customer_id, row.destination.rpartition("@")[2]):
            raise MailhaulError("domain_not_granted", "the customer was not granted the domain", side=Side.DESTINATION)
        if not row.secret_ref:
            return None
        binding = Binding.of_row(
            customer_id=row.customer_id,
            migration_id=row.migration_id,
            row_id=row.row_id,
            source=row.source,
            source_user=row.source_user,
            master_user=row.master_user,
        )
        return self.opener.open(tx, row.secret_ref, binding).get_secret_value()
