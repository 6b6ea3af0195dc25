"""What went wrong, grouped by cause, and message by message; what was asked, and what was mailed."""

from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from mailhaul.ids import MigrationId
from mailhaul.readmodel import LIVE
from mailhaul.states import CheckState, MailboxRunState
from mailhaul.texts import Language
from services.panel import cursors
from services.panel.answers import (
    Cause,
    FailureGroup,
    Failures,
    Notification,
    Outcome,
    OutcomePage,
    RequestState,
)
from services.panel.speech import cause, instant
from services.panel.tables import panel_row

LINES = 20
UNKNOWN = "unexpected"
FAILED_CHECKS = (CheckState.FAILED, CheckState.NOT_TESTED)
FAILED_RUNS = (MailboxRunState.FAILED, MailboxRunState.REVIEW)


def groups(tx: Connection, migration: MigrationId, language: Language) -> Failures:
    """Failed checks, failed mailboxes of the latest run and messages that were not copied, by cause."""
    found = [
        *_checks(tx, migration, language),
        *_mailboxes(tx, migration, language),
        *_messages(tx, migration, language),
    ]
    return Failures(groups=found)


def outcomes(
    tx: Connection,
    migration: MigrationId,
    language: Language,
    *,
    limit: int,
    cursor: str | None,
    mailbox: str | None = None,
    outcome: str | None = None,
    code: str | None = None,
) -> OutcomePage:
    """Messages that were not simply copied, oldest first."""
    item, folder = LIVE.outcome.c, LIVE.folder.c
    joined = LIVE.outcome.outerjoin(
        LIVE.folder,
        and_(
            folder.migration_id == item.migration_id,
            folder.mailbox_id == item.mailbox_id,
            folder.folder_id == item.folder_id,
        ),
    ).outerjoin(
        panel_row, and_(panel_row.c.migration_id == item.migration_id, panel_row.c.mailbox_id == item.mailbox_id)
    )
    query = select(LIVE.outcome, folder.source_name, panel_row.c.destination).select_from(joined)
    query = query.where(item.migration_id == migration)
    if cursor:
        at, event = cursors.read(cursor, int, str)
        query = query.where(or_(item.at > at, and_(item.at == at, item.event_id > event)))
    for column, wanted in ((item.mailbox_id, mailbox), (item.outcome, outcome), (item.code, code)):
        if wanted:
            query = query.where(column == wanted)
    rows = tx.execute(query.order_by(item.at, item.event_id).limit(limit + 1)).all()
    following = cursors.write(rows[limit - 1].at, rows[limit - 1].event_id) if len(rows) > limit else None
    return OutcomePage(outcomes=[_outcome(row, language) for row in rows[:limit]], next_cursor=following)


def request(tx: Connection, migration: MigrationId, request_id: str, language: Language) -> RequestState:
    """What became of one request; one that the read model has not seen yet is on its way."""
    asked = LIVE.request.c
    mine = and_(asked.request_id == request_id, asked.migration_id == migration)
    row = tx.execute(select(LIVE.request).where(mine)).one_or_none()
    if row is None:
        return RequestState(request_id=request_id, request="", requested_by="", asked_at=None, refused=None)
    return _request(row, language)


def requests(tx: Connection, migration: MigrationId, language: Language) -> list[RequestState]:
    """Everything that was asked about a migration."""
    asked = LIVE.request.c
    query = select(LIVE.request).where(asked.migration_id == migration).order_by(asked.asked_at, asked.request_id)
    return [_request(row, language) for row in tx.execute(query)]


def notifications(tx: Connection, migration: MigrationId, language: Language) -> list[Notification]:
    """The mails about a migration."""
    sent = LIVE.notification.c
    query = select(LIVE.notification).where(sent.migration_id == migration).order_by(sent.at, sent.notification_id)
    return [
        Notification(
            notice=row.notice,
            state=row.state,
            recipients=row.recipients,
            at=instant(row.at),
            cause=cause(row.code, "", language),
        )
        for row in tx.execute(query)
    ]


def _request(row: Row[Any], language: Language) -> RequestState:
    return RequestState(
        request_id=row.request_id,
        request=row.kind,
        requested_by=row.requested_by,
        asked_at=instant(row.asked_at),
        refused=cause(row.refusal, "", language),
    )


def _outcome(row: Row[Any], language: Language) -> Outcome:
    return Outcome(
        mailbox_id=row.mailbox_id,
        destination=row.destination or "",
        run=row.run_no,
        folder=row.source_name or "",
        uidvalidity=row.source_uidvalidity,
        uid=row.source_uid,
        outcome=row.outcome,
        octets=row.octets,
        at=instant(row.at),
        cause=_certain(row.code, "", language),
    )


def _certain(code: str, side: str, language: Language) -> Cause:
    found = cause(code or UNKNOWN, side, language)
    assert found is not None
    return found


def _checks(tx: Connection, migration: MigrationId, language: Language) -> list[FailureGroup]:
    row = LIVE.row.c
    query = select(row.code, row.side, row.state, row.line).where(
        row.migration_id == migration, row.state.in_(FAILED_CHECKS)
    )
    return _grouped("check", tx.execute(query.order_by(row.line)).all(), language)


def _mailboxes(tx: Connection, migration: MigrationId, language: Language) -> list[FailureGroup]:
    run = LIVE.mailbox_run.c
    latest = select(LIVE.migration.c.run_no).where(LIVE.migration.c.migration_id == migration).scalar_subquery()
    joined = LIVE.mailbox_run.outerjoin(
        panel_row, and_(panel_row.c.migration_id == run.migration_id, panel_row.c.mailbox_id == run.mailbox_id)
    )
    query = (
        select(run.code, run.side, run.state, func.coalesce(panel_row.c.line, 0).label("line"))
        .select_from(joined)
        .where(run.migration_id == migration, run.run_no == latest, run.state.in_(FAILED_RUNS))
    )
    return _grouped("mailbox", tx.execute(query.order_by(panel_row.c.line)).all(), language)


def _grouped(of: Any, rows: Any, language: Language) -> list[FailureGroup]:
    found: dict[tuple[str, str, str], FailureGroup] = {}
    for row in rows:
        key = (row.state, row.code, row.side)
        group = found.setdefault(
            key,
            FailureGroup(
                of=of, outcome=row.state, cause=_certain(row.code, row.side, language), count=0, octets=0, lines=[]
            ),
        )
        group.count += 1
        if len(group.lines) < LINES:
            group.lines.append(row.line)
    return sorted(found.values(), key=lambda group: -group.count)


def _messages(tx: Connection, migration: MigrationId, language: Language) -> list[FailureGroup]:
    item = LIVE.outcome.c
    query = (
        select(item.outcome, item.code, func.count().label("number"), func.sum(item.octets).label("octets"))
        .where(item.migration_id == migration)
        .group_by(item.outcome, item.code)
        .order_by(func.count().desc(), item.outcome, item.code)
    )
    return [
        FailureGroup(
            of="message",
            outcome=row.outcome,
            cause=_certain(row.code, "", language),
            count=row.number,
            octets=int(row.octets),
            lines=[],
        )
        for row in tx.execute(query)
    ]
