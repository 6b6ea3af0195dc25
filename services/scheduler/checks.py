"""Validation: rows and verdicts are counted in whatever order they come, until all are there (joint 7)."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select, update

from mailhaul.db import Microseconds, to_microseconds, upsert
from mailhaul.errors import RequestInvalid, Side
from mailhaul.events import (
    MigrationAccepted,
    MigrationRejected,
    MigrationReopened,
    MigrationSubmitted,
    RowChecked,
    RowSubmitted,
)
from mailhaul.ids import MailboxId, RowId, derive
from mailhaul.schedule import plan
from mailhaul.states import CheckState, MigrationState
from services.scheduler.case import Case, others_open
from services.scheduler.notices import notify
from services.scheduler.tables import row
from services.scheduler.timers import arm, arm_purge, arm_runs, disarm
from services.scheduler.words import CHECKED, TimerKind

UNANSWERED = "not_tested"  # the code of a row that nobody has tested
_BEFORE = frozenset({MigrationState.VALIDATING, MigrationState.INVALID})
_verdict_is_in = and_(row.c.check_version >= row.c.row_version, row.c.check_state.in_([s.value for s in CHECKED]))


@dataclass(frozen=True, slots=True)
class Counted:
    """The rows of a migration, counted."""

    known: int
    living: int
    open: int  # living, and no verdict on the present version
    bad: int  # living, and the verdict hinders the migration


def submitted(case: Case, event: MigrationSubmitted) -> None:
    """A migration was handed in; what is wrong with it as a whole is said at once."""
    if case["row_count"] >= 0:
        return
    case.set(
        customer_id=event.customer_id,
        row_count=event.row_count,
        code=event.code,
        name=event.name,
        language=event.language,
        zone=event.zone,
        surplus=event.surplus,
        recipients=json.dumps(event.recipients),
        submitted_at=case.at,
    )
    case.plan("first_plan", event.first)
    case.plan("second_plan", event.second)
    try:
        # Judged by the moment it was handed in: a broker that was away does not make a time wrong.
        planned = plan(event.first, event.second, event.at, case.policy.horizon)
    except RequestInvalid as error:
        case.set(fault=error.code)
    else:
        first = planned.first if event.first.mode == "at" else None
        case.set(first_at=_micro(first), second_at=_micro(planned.second) if event.second.mode == "at" else None)
    arm_purge(case, None)
    fault = case["fault"] or _limit(case, event.row_count)
    if fault:
        reject(case, fault, 0)
    evaluate(case)


def row_submitted(case: Case, event: RowSubmitted) -> None:
    """A row of the file; its verdict may be there already."""
    values: dict[str, Any] = {
        "row_id": event.row_id,
        "migration_id": event.migration_id,
        "customer_id": event.customer_id,
        "mailbox_id": event.mailbox_id,
        "row_version": event.row_version,
        "line": event.line,
        "destination": event.destination,
        "host": event.source.host,
        "port": event.source.port,
        "tls": event.source.tls,
        "source_user": event.source_user,
        "master_user": event.master_user,
        "secret_ref": event.secret_ref,
        "rules": json.dumps(asdict(event.rules)),
        "check_began_at": case.at,
    }
    known = case.tx.execute(select(row.c.row_version).where(row.c.row_id == event.row_id)).scalar_one_or_none()
    if known is not None and known >= event.row_version:
        return
    upsert(case.tx, row, [values], ["row_id"])
    arm_check_timeout(case)
    evaluate(case)


def verdict(case: Case, event: RowChecked) -> bool:
    """Keep a verdict on the present version of a row; returns whether it was one.

    A late verdict replaces `not tested`, and our own `not tested` coming back replaces nothing.
    """
    if event.event_id == _unanswered_id(event.row_id, event.row_version):
        return False
    known = case.tx.execute(
        select(row.c.row_version, row.c.check_version, row.c.left_out).where(row.c.row_id == event.row_id)
    ).one_or_none()
    if known is not None and (event.row_version < max(known.row_version, known.check_version) or known.left_out):
        return False
    values: dict[str, Any] = {
        "row_id": event.row_id,
        "migration_id": event.migration_id,
        "customer_id": event.customer_id,
        "check_version": event.row_version,
        "check_state": event.state.value,
        "check_code": event.code,
        "check_side": event.side,
        "pinned_address": event.pinned_address,
    }
    upsert(case.tx, row, [values], ["row_id"])
    evaluate(case)
    return True


def evaluate(case: Case) -> None:
    """Accept or reject once every row and every verdict is there."""
    if case.state not in _BEFORE or case["row_count"] < 0:
        return
    counted = count(case)
    if counted.known < case["row_count"] or counted.open:
        return
    disarm(case.tx, case.id, TimerKind.NOT_TESTED)
    if not counted.living:
        reject(case, "no_rows", 0)
    elif counted.bad:
        reject(case, "rows_failed", counted.bad)
    elif fault := case["fault"] or _limit(case, counted.living):
        reject(case, fault, 0)
    else:
        accept(case)


def count(case: Case) -> Counted:
    """Count the rows and verdicts with one statement."""
    living = row.c.left_out.is_(False)
    bad = row.c.check_state.in_([CheckState.FAILED.value, CheckState.NOT_TESTED.value])
    known, alive, answered, hindering = case.tx.execute(
        select(
            func.count(),
            func.count().filter(living),
            func.count().filter(living, _verdict_is_in),
            func.count().filter(living, _verdict_is_in, bad),
        ).where(row.c.migration_id == case.id, row.c.row_version > 0)
    ).one()
    return Counted(known, alive, alive - answered, hindering)


def accept(case: Case) -> None:
    """Valid: from now on its times count."""
    first, second = case.plan_of("first_plan"), case.plan_of("second_plan")
    if first.mode == "asap":
        case.set(first_at=case.at)
    if second.mode == "offset" and case["first_at"] is not None:
        case.set(second_at=case["first_at"] + second.offset_minutes * 60_000_000)
    case.set(reject_code="", reject_rows=0)
    case.say(MigrationAccepted, MigrationState.VALID, first_at=case.first_at, second_at=case.second_at)
    if case["first_at"] is not None and case["first_at"] > case.at:
        notify(case, "valid")
    arm_runs(case)


def reject(case: Case, code: str, failed_rows: int) -> None:
    """Invalid, and correctable; said once."""
    if case.state is MigrationState.INVALID and (case["reject_code"], case["reject_rows"]) == (code, failed_rows):
        return
    first = not case["state_seq"]
    case.set(reject_code=code, reject_rows=failed_rows)
    case.say(MigrationRejected, MigrationState.INVALID, code=code, failed_rows=failed_rows)
    if first and failed_rows:  # whoever corrects rows sees their verdicts, and needs no mail after each
        notify(case, "rejected", failed_rows=str(failed_rows))


def reopen(case: Case) -> None:
    """Invalid becomes Validating while corrected rows are checked."""
    if case.state is MigrationState.INVALID:
        case.set(reject_code="", reject_rows=0)
        case.say(MigrationReopened, MigrationState.VALIDATING)


def arm_check_timeout(case: Case) -> None:
    """Set the timer by the check that began first and has no answer."""
    began = case.tx.execute(
        select(func.min(row.c.check_began_at)).where(
            row.c.migration_id == case.id, row.c.row_version > 0, row.c.left_out.is_(False), ~_verdict_is_in
        )
    ).scalar_one()
    if began is not None:
        arm(case.tx, case.id, TimerKind.NOT_TESTED, began + case.policy.check_timeout)


def not_tested(case: Case) -> None:
    """Rows whose check began too long ago are *not tested*; a late verdict still replaces that."""
    overdue = case.tx.execute(
        select(row).where(
            row.c.migration_id == case.id,
            row.c.row_version > 0,
            row.c.left_out.is_(False),
            ~_verdict_is_in,
            row.c.check_began_at <= case.at - case.policy.check_timeout,
        )
    ).all()
    for each in overdue:
        case.tell(_unanswered(case, each._mapping))
    case.tx.execute(
        update(row)
        .where(row.c.row_id.in_([each.row_id for each in overdue]))
        .values(
            check_version=row.c.row_version,
            check_state=CheckState.NOT_TESTED.value,
            check_code=UNANSWERED,
            check_side=Side.PLATFORM.value,
        )
    )
    arm_check_timeout(case)
    evaluate(case)


def _unanswered(case: Case, values: Any) -> RowChecked:
    return RowChecked(
        event_id=_unanswered_id(values["row_id"], values["row_version"]),
        at=case.now,
        migration_id=case.id,
        customer_id=case.customer_id,
        row_id=RowId(values["row_id"]),
        row_version=values["row_version"],
        line=values["line"],
        mailbox_id=MailboxId(values["mailbox_id"]),
        state=CheckState.NOT_TESTED,
        side=Side.PLATFORM.value,
        code=UNANSWERED,
        detail="",
        source_server=values["host"].lower(),
        pinned_address="",
        folders=0,
        messages=0,
        octets=0,
        left_out_messages=0,
        left_out_octets=0,
        oversize_messages=0,
    )


def _unanswered_id(row_id: str, version: int) -> str:
    return derive("not-tested", row_id, version)


def _limit(case: Case, rows: int) -> str:
    if rows > case.policy.rows_per_file:
        return "too_many_rows"
    return "too_many_migrations" if others_open(case) >= case.policy.open_migrations else ""


def _micro(instant: datetime | None) -> Microseconds | None:
    return None if instant is None else to_microseconds(instant)
