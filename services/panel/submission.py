"""A submission: sealed secrets, rows and events, all in one transaction (joint 6)."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pydantic import SecretStr
from sqlalchemy import Connection, func, insert, select

from mailhaul.db import Microseconds, from_microseconds
from mailhaul.errors import RequestInvalid
from mailhaul.events import Event, MigrationSubmitted, RowSubmitted
from mailhaul.ids import (
    CODE_ALPHABET,
    CustomerId,
    MigrationId,
    SecretRef,
    derive,
    mailbox_id,
    migration_code,
    row_id,
)
from mailhaul.intake import Row
from mailhaul.kafka.outbox import Outbox
from mailhaul.vault import Binding, Sealer
from services.panel.callers import Caller
from services.panel.draft import Draft, endpoint
from services.panel.repeats import Claim, claim
from services.panel.tables import panel_row, panel_submission


@dataclass(frozen=True, slots=True)
class Submitted:
    """The migration's code and name, and whether an earlier upload had made it."""

    code: str
    name: str
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Everything that one transaction stores."""

    migration_id: MigrationId
    draft: Draft
    rows: Sequence[Row]
    caller: Caller
    claim: Claim
    surplus: str


def submit(tx: Connection, asked: Submission, sealer: Sealer, outbox: Outbox, at: Microseconds) -> Submitted:
    """Store the submission and leave its events in the outbox, or find the one that this upload repeats.

    Raises RequestInvalid(`name_taken`, `repeated_otherwise`).
    """
    code = _free_code(tx, asked.migration_id)
    first = claim(tx, asked.claim, asked.migration_id, code, at)
    if first != code:
        return Submitted(first, _name_of(tx, first), repeated=True)
    name = _name(tx, asked.caller.customer_id, asked.draft.name)
    sealer.make_key(tx, asked.caller.customer_id, asked.migration_id, at)
    secrets = _seal(tx, asked, sealer, at)
    submitted = _submitted(asked, code, name, at)
    rows = [_row(asked, row, secrets.get(row.line, SecretRef("")), at) for row in asked.rows]
    tx.execute(insert(panel_submission).values(_stored(submitted, at)))
    tx.execute(insert(panel_row), [stored_row(row) for row in rows])
    events: list[Event] = [submitted, *rows]
    outbox.put(tx, events)
    return Submitted(code, name, repeated=False)


def _free_code(tx: Connection, migration: MigrationId) -> str:
    code = migration_code(migration)
    for letter in CODE_ALPHABET:
        if tx.execute(select(panel_submission.c.code).where(panel_submission.c.code == code)).first() is None:
            break
        code = migration_code(migration) + letter
    return code


def _name_of(tx: Connection, code: str) -> str:
    found = tx.execute(select(panel_submission.c.name).where(panel_submission.c.code == code)).scalar_one_or_none()
    return str(found or "")


def _name(tx: Connection, customer: CustomerId, wanted: str) -> str:
    """The wanted name when it is free; the next number when none is wanted."""
    own = panel_submission.c.customer_id == customer
    if wanted:
        if tx.execute(select(panel_submission.c.name).where(own, panel_submission.c.name == wanted)).first():
            raise RequestInvalid("name_taken", "another migration has this name: choose a new one")
        return wanted
    number = tx.execute(select(func.count()).select_from(panel_submission).where(own)).scalar_one() + 1
    names = panel_submission.c.name
    while tx.execute(select(names).where(own, names == str(number))).first() is not None:
        number += 1
    return str(number)


def _seal(tx: Connection, asked: Submission, sealer: Sealer, at: Microseconds) -> dict[int, SecretRef]:
    """The references of the sealed passwords, by line."""
    given = [(row.line, _binding(asked, row), row.password) for row in asked.rows if row.password is not None]
    pairs: list[tuple[Binding, SecretStr]] = [(binding, password) for _, binding, password in given]
    return dict(zip((line for line, _, _ in given), sealer.seal_all(tx, pairs, at), strict=True))


def _binding(asked: Submission, row: Row) -> Binding:
    return Binding.of_row(
        customer_id=asked.caller.customer_id,
        migration_id=asked.migration_id,
        row_id=row_id(asked.migration_id, row.line),
        source=endpoint(asked.draft.source_type, row.host, row.port),
        source_user=row.source_user,
        master_user=row.master_user,
    )


def _submitted(asked: Submission, code: str, name: str, at: Microseconds) -> MigrationSubmitted:
    draft = asked.draft
    return MigrationSubmitted(
        event_id=derive("MigrationSubmitted", asked.migration_id),
        at=from_microseconds(at),
        migration_id=asked.migration_id,
        customer_id=asked.caller.customer_id,
        requested_by=asked.caller.user_name,
        code=code,
        name=name,
        kind=draft.kind.value,
        source_type=draft.source_type.value,
        row_count=len(asked.rows),
        first=draft.first,
        second=draft.second,
        rules=draft.rules,
        surplus=asked.surplus,
        language=draft.language,
        zone=draft.zone,
        recipients=draft.recipients,
    )


def _row(asked: Submission, row: Row, secret: SecretRef, at: Microseconds) -> RowSubmitted:
    identity = row_id(asked.migration_id, row.line)
    return RowSubmitted(
        event_id=derive("RowSubmitted", identity),
        # Microseconds apart, so that whoever sorts events by their instant tells them in the file's order.
        at=from_microseconds(at + row.line),
        migration_id=asked.migration_id,
        customer_id=asked.caller.customer_id,
        row_id=identity,
        row_version=1,
        line=row.line,
        mailbox_id=mailbox_id(row.destination),
        destination=row.destination,
        source=endpoint(asked.draft.source_type, row.host, row.port),
        source_user=row.source_user,
        master_user=row.master_user,
        secret_ref=secret,
        rules=asked.draft.rules,
    )


def _stored(event: MigrationSubmitted, at: Microseconds) -> dict[str, object]:
    names = ("migration_id", "customer_id", "code", "name", "requested_by", "kind", "source_type", "row_count")
    return {name: getattr(event, name) for name in (*names, "language", "zone")} | {
        "first_plan": json.dumps(asdict(event.first)),
        "second_plan": json.dumps(asdict(event.second)),
        "rules": json.dumps(asdict(event.rules), ensure_ascii=False),
        "recipients": json.dumps(event.recipients, ensure_ascii=False),
        "submitted_at": at,
    }


def stored_row(row: RowSubmitted) -> dict[str, object]:
    """A row as the panel keeps it."""
    names = ("row_id", "migration_id", "line", "mailbox_id", "destination", "source_user", "master_user", "secret_ref")
    source = row.source
    return {name: getattr(row, name) for name in names} | {"host": source.host, "port": source.port, "tls": source.tls}
