"""A scheduler with its database and a clock that is moved by hand; it speaks the language of events."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

from sqlalchemy import Table, select

from mailhaul import events as e
from mailhaul.db import InlineDatabase, metadata, open_database, to_microseconds
from mailhaul.ids import CustomerId, MailboxId, MigrationId, RowId, SecretRef, derive, mailbox_id, row_id, run_id
from mailhaul.kafka.outbox import Outbox
from mailhaul.states import Change, CheckState, Grade, MigrationState, Scope
from services.scheduler import tables
from services.scheduler.case import Policy
from services.scheduler.heart import Scheduler

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CUSTOMER = CustomerId("customer-1")
MIGRATION = MigrationId("migration-1")
ASAP, NONE = e.RunTime(mode="asap"), e.RunTime()
E_ = TypeVar("E_", bound=e.Event)
OWN = [table for name, table in metadata.tables.items() if name.startswith(("scheduler_", "vault_", "budget_"))]
STATE = (tables.migration, tables.row, tables.run, tables.mailbox_run, tables.timer, tables.customer)


def after(minutes: int) -> e.RunTime:
    return e.RunTime(mode="offset", offset_minutes=minutes)


def at(wall: str, zone: str = "UTC") -> e.RunTime:
    return e.RunTime(mode="at", wall=wall, zone=zone)


class World:
    """`ask`, `check`, `answer` hand in events; `said` holds everything that was told, in order."""

    def __init__(self, url: str = "sqlite://", **policy: Any) -> None:
        self.now = START
        self.database = open_database(url, clock=lambda: to_microseconds(self.now))
        self.scheduler = Scheduler(Policy(**{"rng": Random(1), **policy}))
        self.outbox = Outbox(self.database, "scheduler")
        self.said: list[e.Event] = []
        self.asked = 0
        if isinstance(self.database, InlineDatabase):
            metadata.create_all(self.database.engine, tables=OWN)
        with self.database.engine.begin() as tx:
            self.scheduler.prepare(tx)

    # --- delivery -----------------------------------------------------------------------------------------------------

    def deliver(self, *events: e.Event) -> list[e.Event]:
        """Each event in a transaction of its own; returns what was told."""
        told: list[e.Event] = []
        for event in events:
            with self.database.engine.begin() as tx:
                told += self.scheduler.decide(tx, event)
        self.said += told
        return told

    def tick(self, **span: float) -> list[e.Event]:
        """Let time pass, then look at the timers until nothing more is due."""
        self.now += timedelta(**span)
        told: list[e.Event] = []
        while True:
            with self.database.engine.begin() as tx:
                more = self.scheduler.tick(tx)
            if not more:
                self.said += told
                return told
            told += more

    def triggers(self, **span: float) -> list[e.RunTriggered]:
        return [event for event in self.tick(**span) if isinstance(event, e.RunTriggered)]

    # --- what people do -----------------------------------------------------------------------------------------------

    def ask(self, kind: type[e.Request], migration: MigrationId = MIGRATION, **more: Any) -> list[e.Event]:
        self.asked += 1
        request = kind(
            event_id=derive("request", self.asked),
            at=self.now,
            migration_id=migration,
            customer_id=more.pop("customer", CUSTOMER),
            requested_by="admin",
            **more,
        )
        return self.deliver(request)

    def submission(
        self,
        rows: int = 2,
        *,
        migration: MigrationId = MIGRATION,
        customer: CustomerId = CUSTOMER,
        first: e.RunTime = ASAP,
        second: e.RunTime = NONE,
        host: str = "imap.example.org",
        surplus: str = "auto",
    ) -> list[e.Event]:
        """MigrationSubmitted and its rows, in lines 1 and so on."""
        common: dict[str, Any] = {"at": self.now, "migration_id": migration, "customer_id": customer}
        told: list[e.Event] = [
            e.MigrationSubmitted(
                event_id=derive("submitted", migration),
                requested_by="admin",
                code="M-7K2QX",
                name="office",
                kind="standard",
                source_type="standard-ssl",
                row_count=rows,
                first=first,
                second=second,
                rules=e.Rules(),
                surplus=surplus,
                language="en",
                zone="Europe/Rome",
                recipients=("admin@example.com",),
                **common,
            )
        ]
        for line in range(1, rows + 1):
            destination = f"user{line}@{migration}.example.com"
            told.append(
                e.RowSubmitted(
                    event_id=derive("submitted", migration, line),
                    row_id=row_id(migration, line),
                    row_version=1,
                    line=line,
                    mailbox_id=mailbox_id(destination),
                    destination=destination,
                    source=e.Endpoint(host=host, port=993, tls="implicit"),
                    source_user=f"user{line}@example.org",
                    master_user="",
                    secret_ref=SecretRef(f"secret-{line}"),
                    rules=e.Rules(skip_folders=("Old",)),
                    **common,
                )
            )
        return told

    def verdict(
        self,
        line: int,
        state: CheckState = CheckState.PASSED,
        *,
        version: int = 1,
        migration: MigrationId = MIGRATION,
        customer: CustomerId = CUSTOMER,
        destination: str = "",
    ) -> e.RowChecked:
        passed = state is CheckState.PASSED
        return e.RowChecked(
            event_id=derive("checked", migration, line, version, state),
            at=self.now,
            migration_id=migration,
            customer_id=customer,
            row_id=row_id(migration, line),
            row_version=version,
            line=line,
            mailbox_id=mailbox_id(destination or f"user{line}@{migration}.example.com"),
            state=state,
            side="" if passed else "source",
            code="" if passed else "bad_login",
            detail="",
            source_server="imap.example.org",
            pinned_address="192.0.2.1" if passed else "",
            folders=3,
            messages=10,
            octets=1000,
            left_out_messages=0,
            left_out_octets=0,
            oversize_messages=0,
        )

    def check(self, line: int, state: CheckState = CheckState.PASSED, **more: Any) -> list[e.Event]:
        return self.deliver(self.verdict(line, state, **more))

    def accepted(self, rows: int = 2, **more: Any) -> list[e.Event]:
        """Submit, and let every row pass."""
        told = self.deliver(*self.submission(rows, **more))
        again = {name: more[name] for name in ("migration", "customer") if name in more}
        for line in range(1, rows + 1):
            told += self.check(line, **again)
        return told

    # --- what the copier does -----------------------------------------------------------------------------------------

    def answer(self, trigger: e.RunTriggered, change: Change, **more: Any) -> list[e.Event]:
        return self.deliver(self.reply(trigger, change, **more))

    def reply(self, trigger: e.RunTriggered, change: Change, **more: Any) -> e.MailboxRunChanged:
        return replace(
            BLANK,
            event_id=derive("change", trigger.event_id, change, repr(more)),
            at=self.now,
            migration_id=trigger.migration_id,
            customer_id=trigger.customer_id,
            run_id=trigger.run_id,
            run_no=trigger.run_no,
            trigger_no=trigger.trigger_no,
            mailbox_id=trigger.mailbox_id,
            scope=trigger.scope,
            change=change,
            **more,
        )

    def finish(self, *triggers: e.RunTriggered, grade: Grade = Grade.EXACT, **more: Any) -> list[e.Event]:
        told: list[e.Event] = []
        for trigger in triggers:
            done = {"grade": grade, "settled": True, "found": 10, "copied": 10, **more}
            told += self.answer(trigger, Change.FINISHED, **done)
        return told

    def fail(self, trigger: e.RunTriggered, code: str = "bad_login", **more: Any) -> list[e.Event]:
        return self.answer(trigger, Change.FINISHED, code=code, side="source", grade=Grade.PROBLEM, **more)

    # --- what is seen -------------------------------------------------------------------------------------------------

    def only(self, kind: type[E_], told: Sequence[e.Event] | None = None) -> list[E_]:
        return [event for event in (self.said if told is None else told) if isinstance(event, kind)]

    def state(self, migration: MigrationId = MIGRATION) -> MigrationState:
        column = tables.migration.c
        with self.database.engine.connect() as tx:
            found = tx.execute(select(column.state).where(column.migration_id == migration)).scalar_one()
        return MigrationState(found)

    def dump(self, *chosen: Table) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of the scheduler's tables."""
        with self.database.engine.connect() as tx:
            return {
                table.name: sorted((tuple(row) for row in tx.execute(select(table))), key=repr)
                for table in chosen or STATE
            }


def names(told: Sequence[e.Event]) -> list[str]:
    return [type(event).__name__ for event in told]


BLANK = e.MailboxRunChanged(
    event_id="",
    at=START,
    migration_id=MIGRATION,
    customer_id=CUSTOMER,
    run_id=run_id(MIGRATION, 1),
    run_no=1,
    trigger_no=1,
    mailbox_id=MailboxId(""),
    source_server="imap.example.org",
    scope=Scope.BULK,
    change=Change.STARTED,
    epoch=1,
    reason="",
    until=None,
    progressed=False,
    retryable=False,
    side="",
    code="",
    detail="",
    grade=None,
    settled=False,
    settle_at=None,
    folders=0,
    found=0,
    copied=0,
    already_there=0,
    skipped=0,
    vanished=0,
    failed=0,
    left=0,
    octets_found=0,
    octets_copied=0,
    removed_by_owner=0,
)
ROW_1 = RowId(row_id(MIGRATION, 1))
