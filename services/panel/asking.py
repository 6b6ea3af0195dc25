"""What people ask for becomes `...Requested` events in the outbox; the scheduler decides (joints 4 and 8)."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import Connection, Row, select, update

from mailhaul import events
from mailhaul.db import Microseconds, from_microseconds
from mailhaul.errors import RequestInvalid
from mailhaul.events import Endpoint, Request
from mailhaul.ids import CustomerId, MailboxId, MigrationId, RowId, SecretRef, mailbox_id
from mailhaul.intake import Broken, address, host
from mailhaul.kafka.outbox import Outbox
from mailhaul.vault import Binding, Sealer
from services.panel.callers import Caller
from services.panel.repeats import Claim, claim
from services.panel.tables import panel_row
from services.panel.when import first_time, second_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The fields that every request has."""

    event_id: str
    at: Microseconds
    migration_id: MigrationId
    caller: Caller

    def fields(self) -> dict[str, Any]:
        """The same, as the events name them."""
        return {
            "event_id": self.event_id,
            "at": from_microseconds(self.at),
            "migration_id": self.migration_id,
            "customer_id": self.caller.customer_id,
            "requested_by": self.caller.user_name,
        }


# A refusal undoes one correction: what an earlier one replaced is known no more.
_KEPT = ("mailbox_id", "destination", "host", "port", "tls", "source_user", "master_user", "secret_ref")
Make: TypeAlias = Callable[[Connection, Asked], Request]


def ask(tx: Connection, asked: Asked, make: Make, outbox: Outbox, repeat: Claim | None) -> str:
    """Leave a request in the outbox and return its id, or the id of the first one with the same key."""
    if repeat is not None:
        first = claim(tx, repeat, asked.migration_id, asked.event_id, asked.at)
        if first != asked.event_id:
            return first
    outbox.put(tx, [make(tx, asked)])
    return asked.event_id


class Times(BaseModel):
    """New times; a run that is not named stays as it is, `none` drops it."""

    model_config = ConfigDict(extra="forbid")

    first: str | None = Field(None, description="`none`, `asap`, or a wall time")
    second: str | None = Field(None, description="`none`, a distance such as `6h`, or a wall time")
    zone: str = Field("UTC", description="IANA zone of the times")


class Which(BaseModel):
    """One mailbox by its destination address or id; none means all that it can concern."""

    model_config = ConfigDict(extra="forbid")

    mailbox: str | None = Field(None, description="Destination address or mailbox id")


class Line(BaseModel):
    """One row by its line; none means every row that did not pass."""

    model_config = ConfigDict(extra="forbid")

    line: int | None = Field(None, ge=1, description="Line in the file")


class Correction(BaseModel):
    """What changes in a row. Another server or user needs the password again (joint 31)."""

    model_config = ConfigDict(extra="forbid")

    password: SecretStr | None = Field(None, description="The new password", max_length=1024)
    destination: str | None = Field(None, description="Another destination is another mailbox")
    host: str | None = Field(None, description="Source server, with or without a port")
    source_user: str | None = Field(None, max_length=255)
    master_user: str | None = Field(None, max_length=255)


def reschedule(times: Times) -> Make:
    """Move or drop the planned runs. Raises RequestInvalid for a time that can't be read."""
    first = None if times.first is None else first_time(times.first, times.zone)
    second = None if times.second is None else second_time(times.second, times.zone)
    if first is None and second is None:
        raise RequestInvalid("nothing_asked", "give the time of the first run, of the second, or of both")
    return lambda tx, asked: events.RescheduleRequested(**asked.fields(), first=first, second=second)


def simple(kind: type[Request]) -> Make:
    """A request that says nothing but its name."""
    return lambda tx, asked: kind(**asked.fields())


def retry(which: Which) -> Make:
    """Try again what failed."""

    def make(tx: Connection, asked: Asked) -> Request:
        box = None if which.mailbox is None else MailboxId(mailbox_of(tx, asked.migration_id, which.mailbox))
        return events.RetryRequested(**asked.fields(), mailbox_id=box)

    return make


def recheck(line: Line) -> Make:
    """Check a row again, or every one that did not pass."""

    def make(tx: Connection, asked: Asked) -> Request:
        row = None if line.line is None else RowId(row_of(tx, asked.migration_id, line.line).row_id)
        return events.RecheckRequested(**asked.fields(), row_id=row)

    return make


def leave_out(line: int) -> Make:
    """Go on without a row."""

    def make(tx: Connection, asked: Asked) -> Request:
        row = row_of(tx, asked.migration_id, line)
        return events.LeaveOutRowRequested(**asked.fields(), row_id=RowId(row.row_id))

    return make


def correct(line: int, correction: Correction, sealer: Sealer) -> Make:
    """Correct a row: the whole of it goes into the event, a new password into the vault."""

    def make(tx: Connection, asked: Asked) -> Request:
        row = row_of(tx, asked.migration_id, line)
        new = _corrected(asked, row, correction)
        new = replace(new, secret_ref=_secret(tx, asked, row, new, correction, sealer))
        _keep(tx, new, row)
        return new

    return make


def row_of(tx: Connection, migration: MigrationId, line: int) -> Row[Any]:
    """A row as it was last asked for. Raises RequestInvalid(`no_such_line`)."""
    mine = panel_row.c.migration_id == migration
    row = tx.execute(select(panel_row).where(mine, panel_row.c.line == line)).one_or_none()
    if row is None:
        raise RequestInvalid("no_such_line", f"the file has no mailbox on line {line}")
    return row


def mailbox_of(tx: Connection, migration: MigrationId, name: str) -> str:
    """A mailbox by its destination address or its id. Raises RequestInvalid(`no_such_mailbox`)."""
    wanted = mailbox_id(name) if "@" in name else name
    mine = panel_row.c.migration_id == migration
    found = tx.execute(select(panel_row.c.mailbox_id).where(mine, panel_row.c.mailbox_id == wanted)).first()
    if found is None:
        raise RequestInvalid("no_such_mailbox", "the migration has no such mailbox")
    return str(found.mailbox_id)


def _corrected(asked: Asked, row: Row[Any], correction: Correction) -> events.CorrectRowRequested:
    if all(value is None for value in correction.__dict__.values()):
        raise RequestInvalid("nothing_asked", "give the new password, or what else changes in the row")
    try:
        server = None if correction.host is None else host(correction.host.strip())
        destination = row.destination if correction.destination is None else address(correction.destination.strip())
    except Broken as error:
        raise RequestInvalid(error.rule.value, "the corrected row breaks a rule of the file") from error
    source = Endpoint(host=row.host, port=row.port, tls=row.tls)
    if server is not None:
        usual = 993 if row.tls == "implicit" else 143
        source = replace(source, host=server.name, port=server.port or usual)
    user = row.source_user if correction.source_user is None else correction.source_user.strip()
    master = row.master_user if correction.master_user is None else correction.master_user.strip()
    if not user or not user.isprintable() or not master.isprintable():
        raise RequestInvalid("csv_empty_field", "a row needs its source user")
    return events.CorrectRowRequested(
        **asked.fields(),
        row_id=RowId(row.row_id),
        line=row.line,
        destination=destination,
        source=source,
        source_user=user,
        master_user=master,
        secret_ref=SecretRef(row.secret_ref),
    )


def _secret(
    tx: Connection,
    asked: Asked,
    row: Row[Any],
    new: events.CorrectRowRequested,
    correction: Correction,
    sealer: Sealer,
) -> SecretRef:
    """The reference of the new password, or the old one while it still fits what it is bound to."""
    binding = Binding.of_row(
        customer_id=CustomerId(asked.caller.customer_id),
        migration_id=asked.migration_id,
        row_id=new.row_id,
        source=new.source,
        source_user=new.source_user,
        master_user=new.master_user,
    )
    if correction.password is not None and correction.password.get_secret_value():
        return sealer.seal(tx, binding, correction.password, asked.at)
    bound = (row.host, row.port, row.tls, row.source_user, row.master_user)
    source = new.source
    if row.secret_ref and bound != (source.host, source.port, source.tls, new.source_user, new.master_user):
        raise RequestInvalid("password_needed", "another server or user needs the password again")
    return new.secret_ref


def take_back(tx: Connection, request_id: str) -> None:
    """A correction was refused: the row is what it was before."""
    row = tx.execute(select(panel_row).where(panel_row.c.asked_by == request_id)).one_or_none()
    if row is not None and row.before:
        tx.execute(update(panel_row).where(panel_row.c.row_id == row.row_id).values(json.loads(row.before)))


def _keep(tx: Connection, new: events.CorrectRowRequested, row: Row[Any]) -> None:
    """Remember the row as asked, for the next correction. Raises RequestInvalid(`csv_duplicate_destination`)."""
    box = mailbox_id(new.destination)
    taken = select(panel_row.c.line).where(
        panel_row.c.migration_id == row.migration_id, panel_row.c.mailbox_id == box, panel_row.c.row_id != row.row_id
    )
    if tx.execute(taken).first() is not None:
        raise RequestInvalid("csv_duplicate_destination", "another row of this migration has that destination")
    tx.execute(
        update(panel_row)
        .where(panel_row.c.row_id == row.row_id)
        .values(
            mailbox_id=box,
            destination=new.destination,
            host=new.source.host,
            port=new.source.port,
            tls=new.source.tls,
            source_user=new.source_user,
            master_user=new.master_user,
            secret_ref=new.secret_ref,
            asked_by=new.event_id,
            before=json.dumps({name: row._mapping[name] for name in _KEPT}),
        )
    )
