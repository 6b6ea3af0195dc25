"""The migration list and one migration: own submissions joined with what the read model knows of them (joint 4)."""

import json
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, literal_column, or_, select

from mailhaul.db import from_microseconds
from mailhaul.errors import RequestInvalid
from mailhaul.ids import CustomerId, MigrationId
from mailhaul.readmodel import LIVE
from mailhaul.states import MigrationState
from mailhaul.texts import Language
from services.panel import cursors
from services.panel.answers import Migration, MigrationDetail, MigrationPage, Rules, Run
from services.panel.speech import account, cause, counts, grade_word, instant, migration_word, run_plan
from services.panel.tables import panel_submission

own, known = panel_submission.c, LIVE.migration.c
PROJECTED = (
    known.state_seq,
    known.first_at,
    known.second_at,
    known.reject_code,
    known.reject_rows,
    known.grade,
    known.purge_at,
    known.check_states,
    known.run_no,
    known.mailbox_states,
    known.expected_messages,
    known.expected_octets,
    *(known[name] for name in ("found", "copied", "already_there", "skipped", "vanished", "failed", "left")),
    *(known[name] for name in ("octets_found", "octets_copied", "removed_by_owner")),
)


class NotFound(RequestInvalid):
    """There is no such thing, or it is another customer's."""

    def __init__(self) -> None:
        super().__init__("not_found", "there is no such migration; it may have been deleted")


def locate(tx: Connection, customer: CustomerId, code: str) -> MigrationId:
    """The migration behind a code of the caller's. Raises NotFound."""
    found = tx.execute(
        select(own.migration_id).where(own.customer_id == customer, own.code == code.upper())
    ).scalar_one_or_none()
    if found is None:
        raise NotFound
    return MigrationId(found)


def page(
    tx: Connection, customer: CustomerId, language: Language, *, limit: int, cursor: str | None, state: str | None
) -> MigrationPage:
    """The newest migrations first."""
    query = _joined().where(own.customer_id == customer)
    if state == MigrationState.VALIDATING:
        query = query.where(func.coalesce(known.state, state) == state)
    elif state:
        # Two steps: the first follows the read model's index by state and reads nothing else.
        of_state = select(known.migration_id).where(known.customer_id == customer, known.state == state)
        found = _newest(of_state, known, limit, cursor)
        query = query.where(own.migration_id.in_(tx.execute(found).scalars().all()))
    query = _newest(query, own, limit, cursor)
    rows = tx.execute(query).all()
    following = cursors.write(rows[limit - 1].submitted_at, rows[limit - 1].migration_id) if len(rows) > limit else None
    return MigrationPage(migrations=[_migration(row, language) for row in rows[:limit]], next_cursor=following)


def _newest(query: Select[Any], of: Any, limit: int, cursor: str | None) -> Select[Any]:
    """The newest first, from the cursor on, and one more than the page holds."""
    if cursor:
        at, identity = cursors.read(cursor, int, str)
        earlier = and_(of.submitted_at == at, of.migration_id < identity)
        query = query.where(or_(of.submitted_at < at, earlier), of.submitted_at <= at)
    return query.order_by(of.submitted_at.desc(), of.migration_id.desc()).limit(limit + 1)


def detail(tx: Connection, customer: CustomerId, language: Language, code: str) -> MigrationDetail:
    """One migration with its rules and runs. Raises NotFound."""
    migration = locate(tx, customer, code)
    row = tx.execute(_joined().where(own.migration_id == migration)).one()
    runs = LIVE.run.c
    found = tx.execute(select(LIVE.run).where(runs.migration_id == migration).order_by(runs.run_no))
    return MigrationDetail(
        **_migration(row, language).model_dump(),
        rules=Rules(**json.loads(row.rules)),
        runs=[_run(each, language) for each in found],
    )


def _joined() -> Select[Any]:
    joined = panel_submission.outerjoin(LIVE.migration, own.migration_id == known.migration_id)
    state = func.coalesce(known.state, literal_column("'validating'")).label("state")
    return select(panel_submission, state, *PROJECTED).select_from(joined)


def _migration(row: Row[Any], language: Language) -> Migration:
    run_no = row.run_no or 0
    return Migration(
        code=row.code,
        name=row.name,
        status=migration_word(row.state, run_no=run_no, dated=row.first_at is not None, language=language),
        requested_by=row.requested_by,
        type=row.source_type,
        kind=row.kind,
        resources=row.row_count,
        first_at=instant(row.first_at),
        second_at=instant(row.second_at),
        first=run_plan(row.first_plan),
        second=run_plan(row.second_plan),
        zone=row.zone,
        language=row.language,
        recipients=json.loads(row.recipients),
        submitted_at=from_microseconds(row.submitted_at),
        state_seq=-1 if row.state_seq is None else row.state_seq,
        checks=counts(row.check_states),
        run=run_no,
        mailboxes=counts(row.mailbox_states),
        account=account(row._mapping),
        expected_messages=row.expected_messages or 0,
        expected_octets=row.expected_octets or 0,
        grade=grade_word(row.grade or "", language),
        invalid=cause(row.reject_code, "", language) if row.state == "invalid" else None,
        purge_at=instant(row.purge_at),
    )


def _run(row: Row[Any], language: Language) -> Run:
    return Run(
        run=row.run_no,
        started_at=instant(row.started_at),
        ended_at=instant(row.ended_at),
        finished_at=instant(row.finished_at),
        advice=row.advice,
        grade=grade_word(row.grade, language),
        last=row.last,
        mailboxes=counts(row.mailbox_states),
        account=account(row._mapping),
        failed=json.loads(row.failed_mailboxes),
        waiting=json.loads(row.waiting_mailboxes),
        review=json.loads(row.review_mailboxes),
    )
