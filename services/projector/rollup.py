"""Derived columns: computed anew for whatever a batch touched, from rows that only registers write."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Row, Table, func, select, tuple_

from mailhaul.events import Event, FolderProgressed, MailboxRunChanged, RowChecked, RowLeftOut, RunTriggered
from mailhaul.events import Row as RowEvent
from mailhaul.readmodel import SUMS, ReadModel
from mailhaul.readmodel.derive import RowFacts, RunFacts, check_state, mailbox_run_state
from mailhaul.states import CheckState
from services.projector import bulk

MailboxRunKey: TypeAlias = tuple[str, int, str]  # migration, run, mailbox
T = TypeVar("T")
CHUNK = 500


@dataclass(slots=True)
class Touched:
    """What a batch wrote to, by what has to be derived anew."""

    migrations: dict[str, str] = field(default_factory=dict)  # and their customers, empty where no event told
    rows: set[str] = field(default_factory=set)
    mailbox_runs: set[MailboxRunKey] = field(default_factory=set)

    def by(self, event: Event) -> None:
        """Remember what an event touches."""
        migration = str(getattr(event, "migration_id", ""))
        if migration:
            customer = str(getattr(event, "customer_id", ""))
            self.migrations[migration] = customer or self.migrations.get(migration, "")
        if isinstance(event, RowEvent | RowLeftOut | RowChecked):
            self.rows.add(event.row_id)
        if isinstance(event, FolderProgressed | RunTriggered | MailboxRunChanged):
            self.mailbox_runs.add((event.migration_id, event.run_no, event.mailbox_id))


def roll_up(tx: Connection, model: ReadModel, touched: Touched, failures_allowed: int) -> None:
    """Derive rows and mailbox runs, then the levels above them; every parent that is missing gets its stub."""
    _stubs(tx, model, touched)
    for rows in _chunks(sorted(touched.rows)):
        _rows(tx, model, rows)
    for keys in _chunks(sorted(touched.mailbox_runs)):
        _mailbox_runs(tx, model, keys, failures_allowed)
    for migrations in _chunks(sorted(touched.migrations)):
        _migrations(tx, model, migrations)


def _stubs(tx: Connection, model: ReadModel, touched: Touched) -> None:
    named = [{"migration_id": m, "customer_id": c} for m, c in sorted(touched.migrations.items()) if c]
    bulk.upsert(tx, model.migration, named, ("migration_id",))
    unnamed = [{"migration_id": m} for m, c in sorted(touched.migrations.items()) if not c]
    bulk.upsert(tx, model.migration, unnamed, ("migration_id",), version=None)
    keys = sorted(touched.mailbox_runs)
    boxes = [{"migration_id": m, "run_no": r, "mailbox_id": b} for m, r, b in keys]
    bulk.upsert(tx, model.mailbox_run, boxes, ("migration_id", "run_no", "mailbox_id"), version=None)
    runs = [{"migration_id": m, "run_no": r} for m, r in sorted({k[:2] for k in keys})]
    bulk.upsert(tx, model.run, runs, ("migration_id", "run_no"), version=None)


def _rows(tx: Connection, model: ReadModel, row_ids: Sequence[str]) -> None:
    table = model.row.c
    found = tx.execute(select(model.row).where(table.row_id.in_(row_ids))).all()
    new = [
        {
            "row_id": row.row_id,
            "state": check_state(
                RowFacts(
                    row_version=row.row_version,
                    left_out_version=row.left_out_version,
                    check_version=row.check_version,
                    check_state=row.check_state,
                    has_secret=row.has_secret,
                )
            ).value,
        }
        for row in found
    ]
    bulk.rewrite(tx, model.row, new, ("row_id",))


def _mailbox_runs(tx: Connection, model: ReadModel, keys: Sequence[MailboxRunKey], failures_allowed: int) -> None:
    runs, folders = model.mailbox_run.c, model.folder_run.c
    sums: dict[MailboxRunKey, Row[Any]] = {
        (row.migration_id, row.run_no, row.mailbox_id): row
        for row in tx.execute(
            select(
                folders.migration_id,
                folders.run_no,
                folders.mailbox_id,
                func.max(folders.trigger_no).label("trigger_no"),
                *_added(model.folder_run),
            )
            .where(
                tuple_(folders.migration_id, folders.mailbox_id, folders.run_no).in_([(m, b, r) for m, r, b in keys])
            )
            .group_by(folders.migration_id, folders.run_no, folders.mailbox_id)
        )
    }
    found = tx.execute(
        select(model.mailbox_run).where(tuple_(runs.migration_id, runs.run_no, runs.mailbox_id).in_(keys))
    ).all()
    new = [
        _derived_run(row, sums.get((row.migration_id, row.run_no, row.mailbox_id)), failures_allowed) for row in found
    ]
    bulk.rewrite(tx, model.mailbox_run, new, ("migration_id", "run_no", "mailbox_id"))


def _derived_run(row: Row[Any], folders: Row[Any] | None, failures_allowed: int) -> dict[str, Any]:
    progress_trigger = -1 if folders is None else folders.trigger_no
    # The account closes a trigger; progress of a later one is fresher than it.
    accounted = row.account_trigger >= progress_trigger and row.account_trigger >= 0
    shown = mailbox_run_state(
        RunFacts(
            trigger_no=row.trigger_no,
            trigger_failures=row.trigger_failures,
            change_trigger=row.change_trigger,
            change=row.change,
            change_scope=row.change_scope,
            reason=row.reason,
            progressed=row.progressed,
            retryable=row.retryable,
            code=row.code,
            grade=row.account_grade,
            progress_trigger=progress_trigger,
        ),
        failures_allowed,
    )
    mapping = row._mapping
    return {
        "migration_id": row.migration_id,
        "run_no": row.run_no,
        "mailbox_id": row.mailbox_id,
        "state": shown.state.value,
        "retry_no": shown.retry_no,
        "grade": row.account_grade if accounted else "",
        **{
            name: mapping[f"account_{name}"] if accounted else (int(folders._mapping[name]) if folders else 0)
            for name in SUMS
        },
    }


def _migrations(tx: Connection, model: ReadModel, migrations: Sequence[str]) -> None:
    checks = _check_sums(tx, model, migrations)
    runs = _run_sums(tx, model, migrations)
    accounts = [values for numbered in runs.values() for values in numbered.values()]
    bulk.upsert(tx, model.run, accounts, ("migration_id", "run_no"))
    latest_run = (
        select(model.run.c.migration_id, func.max(model.run.c.run_no).label("run_no"))
        .where(model.run.c.migration_id.in_(migrations))
        .group_by(model.run.c.migration_id)
    )
    started = {row.migration_id: int(row.run_no) for row in tx.execute(latest_run)}
    new = []
    for migration in migrations:
        run_no = started.get(migration, 0)
        latest = runs.get(migration, {}).get(run_no, {})
        states, messages, octets = checks.get(migration, ({}, 0, 0))
        new.append(
            {
                "migration_id": migration,
                "check_states": json.dumps(states, sort_keys=True),
                "expected_messages": messages,
                "expected_octets": octets,
                "run_no": run_no,
                "mailbox_states": latest.get("mailbox_states", "{}"),
                **{name: latest.get(name, 0) for name in SUMS},
            }
        )
    bulk.rewrite(tx, model.migration, new, ("migration_id",))


def _check_sums(
    tx: Connection, model: ReadModel, migrations: Sequence[str]
) -> dict[str, tuple[dict[str, int], int, int]]:
    """Rows by check state, and what the inventory of those that passed found to copy."""
    rows = model.row.c
    states: defaultdict[str, dict[str, int]] = defaultdict(dict)
    messages: Counter[str] = Counter()
    octets: Counter[str] = Counter()
    for migration, state, count, found, size in tx.execute(
        select(rows.migration_id, rows.state, func.count(), func.sum(rows.messages), func.sum(rows.octets))
        .where(rows.migration_id.in_(migrations))
        .group_by(rows.migration_id, rows.state)
    ):
        states[migration][state] = count
        if state == CheckState.PASSED:
            messages[migration], octets[migration] = int(found), int(size)
    return {migration: (counts, messages[migration], octets[migration]) for migration, counts in states.items()}


def _run_sums(tx: Connection, model: ReadModel, migrations: Sequence[str]) -> dict[str, dict[int, dict[str, Any]]]:
    """The account of each run and its mailboxes by state."""
    runs = model.mailbox_run.c
    result: defaultdict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    states: defaultdict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    for row in tx.execute(
        select(runs.migration_id, runs.run_no, runs.state, func.count().label("mailboxes"), *_added(model.mailbox_run))
        .where(runs.migration_id.in_(migrations))
        .group_by(runs.migration_id, runs.run_no, runs.state)
    ):
        known = result[row.migration_id].setdefault(
            row.run_no, {"migration_id": row.migration_id, "run_no": row.run_no, **dict.fromkeys(SUMS, 0)}
        )
        for name in SUMS:
            known[name] += int(row._mapping[name])
        counts = states[row.migration_id, row.run_no]
        counts[row.state] = row.mailboxes
        known["mailbox_states"] = json.dumps(counts, sort_keys=True)
    return result


def _added(table: Table) -> Iterator[Any]:
    for name in SUMS:
        yield func.sum(table.c[name]).label(name)


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
