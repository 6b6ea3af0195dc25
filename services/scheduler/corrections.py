"""Rows are corrected, left out or checked again; the scheduler allots their versions (joint 8)."""

import json
from typing import Any

from sqlalchemy import Row, and_, func, or_, select, update

from mailhaul.errors import RequestInvalid
from mailhaul.events import (
    CorrectRowRequested,
    Endpoint,
    LeaveOutRowRequested,
    RecheckRequested,
    RowCorrected,
    RowLeftOut,
    Rules,
)
from mailhaul.ids import MailboxId, RowId, SecretRef, derive, mailbox_id
from mailhaul.states import CheckState, MigrationState
from mailhaul.vault import shred_secrets
from services.scheduler.case import Case
from services.scheduler.checks import arm_check_timeout, evaluate, reopen
from services.scheduler.completion import conclude
from services.scheduler.tables import mailbox_run, row
from services.scheduler.words import Outcome, Phase


def correct(case: Case, request: CorrectRowRequested) -> None:
    """Take a corrected row. Raises RequestInvalid: `unknown_row`, `row_passed`, `duplicate_destination`."""
    known = _row(case, request.row_id)
    _demand_correctable(case, known)
    destination = mailbox_id(request.destination)
    _demand_single(case, known.row_id, destination)
    if request.secret_ref != known.secret_ref:
        shred_secrets(case.tx, [SecretRef(known.secret_ref)])
    if destination != known.mailbox_id:
        _withdraw(case, known)
    _next_version(
        case,
        [known],
        mailbox_id=destination,
        destination=request.destination,
        host=request.source.host,
        port=request.source.port,
        tls=request.source.tls,
        source_user=request.source_user,
        master_user=request.master_user,
        secret_ref=request.secret_ref,
        pinned_address="",
        left_out=False,
    )


def leave_out(case: Case, request: LeaveOutRowRequested) -> None:
    """Go on without a row. Raises RequestInvalid: `unknown_row`, `row_passed`."""
    known = _row(case, request.row_id)
    if known.left_out:
        raise RequestInvalid("left_out", "the row is left out already")
    _demand_correctable(case, known)
    version = known.row_version + 1
    case.tx.execute(
        update(row).where(row.c.row_id == known.row_id).values(row_version=version, left_out=True, secret_ref="")
    )
    shred_secrets(case.tx, [SecretRef(known.secret_ref)])
    _withdraw(case, known)
    case.tell(
        RowLeftOut(
            event_id=derive("row", known.row_id, version),
            at=case.now,
            migration_id=case.id,
            customer_id=case.customer_id,
            row_id=RowId(known.row_id),
            row_version=version,
            mailbox_id=MailboxId(known.mailbox_id),
        )
    )
    evaluate(case)
    conclude(case, case.run_no)


def recheck(case: Case, request: RecheckRequested) -> None:
    """Check again what did not pass. Raises RequestInvalid: `unknown_row`, `nothing_to_check`."""
    if request.row_id is not None:
        rows = [_row(case, request.row_id)]
        if rows[0].left_out:
            raise RequestInvalid("left_out", "the row is left out: correct it to take it in again")
        _demand_correctable(case, rows[0])
    else:
        unpassed = [CheckState.FAILED.value, CheckState.NOT_TESTED.value]
        answered = and_(row.c.check_version >= row.c.row_version, row.c.check_state.in_(unpassed))
        mine = and_(row.c.migration_id == case.id, row.c.row_version > 0, row.c.left_out.is_(False))
        rows = list(case.tx.execute(select(row).where(mine, answered).order_by(row.c.line)).all())
    if rows:
        _next_version(case, rows)
    elif case.state is MigrationState.INVALID:
        evaluate(case)  # a limit stood in the way, and may do so no more
    else:
        raise RequestInvalid("nothing_to_check", "every row has passed")


def _row(case: Case, row_id: str) -> Row[Any]:
    found = case.tx.execute(
        select(row).where(row.c.row_id == row_id, row.c.migration_id == case.id, row.c.row_version > 0)
    ).one_or_none()
    if found is None:
        raise RequestInvalid("unknown_row", "the migration has no such row")
    return found


def _demand_correctable(case: Case, known: Row[Any]) -> None:
    """While the migration is Invalid any row may be corrected, later one that did not pass or whose run failed."""
    if case.state is MigrationState.INVALID or known.left_out:
        return
    answered = known.check_version >= known.row_version
    if answered and known.check_state not in (CheckState.PASSED, CheckState.LEFT_OUT):
        return
    failing = case.tx.execute(
        select(func.count())
        .select_from(mailbox_run)
        .where(
            mailbox_run.c.migration_id == case.id,
            mailbox_run.c.row_id == known.row_id,
            mailbox_run.c.run_no == case.run_no,
            mailbox_run.c.phase != Phase.FLYING.value,
            or_(mailbox_run.c.outcome == Outcome.FAILED.value, mailbox_run.c.code != ""),
        )
    ).scalar_one()
    if not failing:
        raise RequestInvalid("row_passed", "only a row that failed or waits can be changed now")


def _demand_single(case: Case, row_id: str, destination: MailboxId) -> None:
    twin = case.tx.execute(
        select(row.c.line).where(
            row.c.migration_id == case.id,
            row.c.mailbox_id == destination,
            row.c.row_id != row_id,
            row.c.left_out.is_(False),
        )
    ).first()
    if twin is not None:
        raise RequestInvalid("duplicate_destination", f"line {twin.line} has the same destination")


def _withdraw(case: Case, known: Row[Any]) -> None:
    """Take the row's old mailbox out of the latest run, where it is not done."""
    case.tx.execute(
        update(mailbox_run)
        .where(
            mailbox_run.c.migration_id == case.id,
            mailbox_run.c.run_no == case.run_no,
            mailbox_run.c.mailbox_id == known.mailbox_id,
            mailbox_run.c.outcome.in_([Outcome.OPEN.value, Outcome.FAILED.value]),
        )
        .values(phase=Phase.CANCELLED.value, due_at=None)
    )


def _next_version(case: Case, rows: list[Row[Any]], **changes: Any) -> None:
    """Allot the next version of rows, with or without changes, and have them checked."""
    case.tx.execute(
        update(row)
        .where(row.c.row_id.in_([known.row_id for known in rows]))
        .values(row_version=row.c.row_version + 1, check_began_at=case.at, **changes)
    )
    for known in rows:
        case.tell(_corrected(case, known, {**known._mapping, **changes}))
    reopen(case)
    arm_check_timeout(case)


def _corrected(case: Case, known: Row[Any], values: dict[str, Any]) -> RowCorrected:
    version = known.row_version + 1
    rules = json.loads(known.rules)
    return RowCorrected(
        event_id=derive("row", known.row_id, version),
        at=case.now,
        migration_id=case.id,
        customer_id=case.customer_id,
        row_id=RowId(known.row_id),
        row_version=version,
        line=known.line,
        mailbox_id=MailboxId(values["mailbox_id"]),
        destination=values["destination"],
        source=Endpoint(host=values["host"], port=values["port"], tls=values["tls"]),
        source_user=values["source_user"],
        master_user=values["master_user"],
        secret_ref=SecretRef(values["secret_ref"]),
        rules=rules_of(rules),
    )


def rules_of(stored: dict[str, Any]) -> Rules:
    """Rules as they were stored."""
    lists = {name: tuple(value) for name, value in stored.items() if isinstance(value, list)}
    return Rules(**{**stored, **lists})
