"""The mailboxes of a migration: each row with its check and its runs, and a mailbox's folders."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select

from mailhaul.errors import Side
from mailhaul.ids import MigrationId
from mailhaul.readmodel import LIVE, SUMS
from mailhaul.states import CheckState
from mailhaul.texts import Language, row_failed
from services.panel import cursors
from services.panel.answers import Cause, Check, Folder, Mailbox, MailboxPage, MailboxRun
from services.panel.speech import account, cause, check_word, grade_word, instant, mailbox_word
from services.panel.tables import panel_row

own, known, runs = panel_row.c, LIVE.row.c, LIVE.mailbox_run.c
VERDICT: tuple[str, ...] = (
    "side",
    "code",
    "detail",
    "checked_at",
    "source_server",
    "pinned_address",
    "folders",
    "messages",
    "octets",
)
VERDICT += ("left_out_messages", "left_out_octets", "oversize_messages")


def page(
    tx: Connection,
    migration: MigrationId,
    language: Language,
    *,
    limit: int,
    cursor: str | None = None,
    state: str | None = None,
    retries: int = 0,
) -> MailboxPage:
    """Rows in the order of the file; `state` is one of a check or of the mailbox's latest run."""
    query = _rows(migration)
    if cursor:
        (line,) = cursors.read(cursor, int)
        query = query.where(own.line > line)
    if state:
        query = query.where(or_(func.coalesce(known.state, "waiting") == state, _latest_run_is(migration, state)))
    rows = tx.execute(query.order_by(own.line).limit(limit + 1)).all()
    following = cursors.write(rows[limit - 1].line) if len(rows) > limit else None
    return MailboxPage(mailboxes=_mailboxes(tx, migration, rows[:limit], language, retries), next_cursor=following)


def one(tx: Connection, migration: MigrationId, mailbox: str, language: Language, retries: int) -> Mailbox:
    """One mailbox by its id."""
    rows = tx.execute(_rows(migration).where(own.mailbox_id == mailbox)).all()
    return _mailboxes(tx, migration, rows, language, retries)[0]


def folders(tx: Connection, migration: MigrationId, mailbox: str, run_no: int | None) -> list[Folder]:
    """The folders of a mailbox with their account in a run, by default the latest one."""
    plan, progress = LIVE.folder.c, LIVE.folder_run.c
    if run_no is None:
        mine = and_(progress.migration_id == migration, progress.mailbox_id == mailbox)
        run_no = tx.execute(select(func.max(progress.run_no)).where(mine)).scalar_one() or 1
    same = (plan.migration_id == progress.migration_id, plan.mailbox_id == progress.mailbox_id)
    joined = LIVE.folder.outerjoin(
        LIVE.folder_run, and_(*same, plan.folder_id == progress.folder_id, progress.run_no == run_no)
    )
    query = (
        select(LIVE.folder, progress.final, *(progress[name] for name in SUMS))
        .select_from(joined)
        .where(plan.migration_id == migration, plan.mailbox_id == mailbox)
        .order_by(plan.source_name, plan.folder_id)
    )
    return [
        Folder(
            folder_id=row.folder_id,
            source_name=row.source_name,
            destination_name=row.destination_name,
            role=row.role,
            action=row.action,
            reason=row.reason,
            final=bool(row.final),
            account=account(row._mapping),
        )
        for row in tx.execute(query)
    ]


def _rows(migration: MigrationId) -> Select[Any]:
    """Own rows with the read model's; what a correction asked for is shown at once."""
    joined = panel_row.outerjoin(LIVE.row, own.row_id == known.row_id)
    state = func.coalesce(known.state, "waiting").label("state")
    return (
        select(
            panel_row,
            state,
            func.coalesce(known.row_version, 1).label("row_version"),
            *(known[name] for name in VERDICT),
        )
        .select_from(joined)
        .where(own.migration_id == migration)
    )


def _latest_run_is(migration: MigrationId, state: str) -> Any:
    latest = select(LIVE.migration.c.run_no).where(LIVE.migration.c.migration_id == migration).scalar_subquery()
    matching = select(runs.mailbox_id).where(
        runs.migration_id == migration, runs.run_no == latest, runs.mailbox_id == own.mailbox_id, runs.state == state
    )
    return matching.exists()


def _mailboxes(
    tx: Connection, migration: MigrationId, rows: list[Row[Any]] | Any, language: Language, retries: int
) -> list[Mailbox]:
    passes: defaultdict[str, list[MailboxRun]] = defaultdict(list)
    ids = [row.mailbox_id for row in rows]
    query = select(LIVE.mailbox_run).where(runs.migration_id == migration, runs.mailbox_id.in_(ids))
    for each in tx.execute(query.order_by(runs.run_no)):
        passes[each.mailbox_id].append(_run(each, language, retries))
    return [_mailbox(row, passes[row.mailbox_id], language) for row in rows]


def _mailbox(row: Row[Any], passes: list[MailboxRun], language: Language) -> Mailbox:
    names = ("line", "row_version", "mailbox_id", "destination", "host", "port", "tls", "source_user", "master_user")
    return Mailbox(**{name: row._mapping[name] for name in names}, check=_check(row, language), runs=passes)


def _check(row: Row[Any], language: Language) -> Check:
    told = row.state in (CheckState.FAILED, CheckState.NOT_TESTED)
    why = cause(row.code or "", row.side or "", language, row.detail or "") if told else None
    failed = why is not None and row.state == CheckState.FAILED
    names = ("source_server", "pinned_address")
    numbers = ("folders", "messages", "octets", "left_out_messages", "left_out_octets", "oversize_messages")
    return Check(
        status=check_word(row.state, language),
        cause=why,
        text=row_failed(row.line, why.code, language, Side(why.side)) if failed and why else "",
        checked_at=instant(row.checked_at),
        **{name: row._mapping[name] or "" for name in names},
        **{name: row._mapping[name] or 0 for name in numbers},
    )


# Why a mailbox waits, where no code says more.
_WAITING_FOR = {"server_down": "server_unavailable", "throttled": "throttled", "over_quota": "over_quota"}


def _why(row: Row[Any], language: Language) -> Cause | None:
    code = row.code or (_WAITING_FOR.get(row.reason, "") if row.state == "limited" else "")
    return cause(code, row.side, language, row.detail)


def _run(row: Row[Any], language: Language, retries: int) -> MailboxRun:
    return MailboxRun(
        run=row.run_no,
        status=mailbox_word(row.state, language),
        until=instant(row.until) if row.state in ("limited", "retrying") else None,
        retry=row.retry_no,
        retries=retries,
        scope=row.trigger_scope,
        changed_at=instant(row.changed_at),
        cause=_why(row, language),
        grade=grade_word(row.grade, language),
        settled=row.settled,
        account=account(row._mapping),
    )
