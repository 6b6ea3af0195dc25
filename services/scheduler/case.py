"""One migration under its lock: what is known of it, what changes, and the facts that come out."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, update

from mailhaul.db import Microseconds, from_microseconds, insert_missing, now
from mailhaul.errors import RequestInvalid
from mailhaul.events import Event, MigrationFact, RunTime
from mailhaul.ids import CustomerId, MigrationId, derive
from mailhaul.retry import Policy as RetryPolicy
from mailhaul.schedule import Horizon
from mailhaul.states import MigrationState
from services.scheduler.tables import customer, migration
from services.scheduler.words import OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings that the scheduler decides by; spans are microseconds."""

    rng: Random
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    horizon: Horizon = field(default_factory=Horizon)
    rows_per_file: int = 500
    open_migrations: int = 5
    mailboxes_per_customer: int = 64
    mailboxes_per_server: int = 16
    releases_per_tick: int = 500
    check_timeout: Microseconds = 900 * 1_000_000
    waiting: Microseconds = 12 * 3600 * 1_000_000
    after_mx: Microseconds = 4 * 3600 * 1_000_000
    answer_timeout: Microseconds = 24 * 3600 * 1_000_000  # a trigger without any answer was lost
    settle_grace: Microseconds = 300 * 1_000_000
    purge: Microseconds = 30 * 86_400 * 1_000_000
    purge_after_upload: Microseconds = 75 * 86_400 * 1_000_000
    newest_first: bool = False  # scope `first` of every mailbox before the bulk of any


class Case:
    """A migration that nobody else decides about until the transaction ends."""

    def __init__(self, tx: Connection, policy: Policy, values: RowMapping, at: Microseconds) -> None:
        self.tx = tx
        self.policy = policy
        self.at = at
        self.events: list[Event] = []
        self._values = dict(values)
        self._changed: dict[str, Any] = {}

    def __getitem__(self, column: str) -> Any:
        return self._values[column]

    @property
    def id(self) -> MigrationId:
        return MigrationId(self._values["migration_id"])

    @property
    def customer_id(self) -> CustomerId:
        return CustomerId(self._values["customer_id"])

    @property
    def state(self) -> MigrationState:
        return MigrationState(self._values["state"])

    @property
    def run_no(self) -> int:
        return int(self._values["run_no"])

    @property
    def now(self) -> datetime:
        return from_microseconds(self.at)

    @property
    def first_at(self) -> datetime | None:
        return _instant(self._values["first_at"])

    @property
    def second_at(self) -> datetime | None:
        return _instant(self._values["second_at"])

    @property
    def stopped(self) -> str:
        """Why its mailboxes must not run: paused, cancelled, or nothing."""
        return {MigrationState.PAUSED: "paused", MigrationState.CANCELLED: "cancelled"}.get(self.state, "")

    def plan_of(self, column: str) -> RunTime:
        """`first_plan` or `second_plan` as it was given."""
        return RunTime(**json.loads(self._values[column] or "{}"))

    def set(self, **changes: Any) -> None:
        """Change columns; written when the case is closed."""
        self._values.update(changes)
        self._changed.update(changes)

    def plan(self, column: str, given: RunTime) -> None:
        """Keep a plan as it was given."""
        self.set(**{column: json.dumps(asdict(given))})

    def say(self, kind: type[MigrationFact], state: MigrationState | None = None, **more: Any) -> None:
        """Tell a fact about the migration, and move it to `state`; the id comes from its place in the row of facts."""
        seq = int(self._values["state_seq"]) + 1
        self.set(state=(state or self.state).value, state_seq=seq)
        self.events.append(
            kind(
                event_id=derive("fact", self.id, seq),
                at=self.now,
                migration_id=self.id,
                customer_id=self.customer_id,
                state=self.state,
                state_seq=seq,
                **more,
            )
        )

    def tell(self, *events: Event) -> None:
        """Tell what is no fact about the migration itself."""
        self.events.extend(events)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """What raises inside leaves no trace, neither in SQL nor here."""
        before = dict(self._values), dict(self._changed), list(self.events)
        try:
            with self.tx.begin_nested():
                yield
        except RequestInvalid:
            self._values, self._changed, self.events = before
            raise

    def close(self) -> list[Event]:
        """Write what changed; returns the events in their order."""
        if self._changed:
            self.tx.execute(update(migration).where(migration.c.migration_id == self.id).values(**self._changed))
            self._changed = {}
        return self.events


def open_case(tx: Connection, policy: Policy, migration_id: MigrationId, customer_id: CustomerId) -> Case:
    """Lock a migration; one that only its rows or verdicts have named so far becomes a stub."""
    query = select(migration).where(migration.c.migration_id == migration_id).with_for_update()
    found = tx.execute(query).mappings().one_or_none()
    if found is None:
        stub = {"migration_id": migration_id, "customer_id": customer_id, "state": MigrationState.VALIDATING.value}
        insert_missing(tx, migration, [stub])
        found = tx.execute(query).mappings().one()
    return Case(tx, policy, found, now(tx))


def others_open(case: Case) -> int:
    """How many other migrations of the customer count towards the limit; locks the customer while it is asked."""
    insert_missing(case.tx, customer, [{"customer_id": case.customer_id}])
    case.tx.execute(select(customer).where(customer.c.customer_id == case.customer_id).with_for_update()).one()
    return case.tx.execute(
        select(func.count())
        .select_from(migration)
        .where(
            migration.c.customer_id == case.customer_id,
            migration.c.migration_id != case.id,
            migration.c.gone.is_(False),
            migration.c.row_count >= 0,
            migration.c.state.in_([state.value for state in OPEN]),
        )
    ).scalar_one()


def _instant(value: Microseconds | None) -> datetime | None:
    return None if value is None else from_microseconds(value)
