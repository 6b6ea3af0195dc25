"""What the panel shows: every answer is limited to the caller's customer."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from mailhaul.ids import MigrationId
from mailhaul.texts import Language
from services.panel import failures, log, mailboxes, migrations
from services.panel.answers import (
    Failures,
    Folder,
    LimitsAnswer,
    Mailbox,
    MailboxPage,
    MigrationDetail,
    MigrationPage,
    Notification,
    OutcomePage,
    RequestState,
)
from services.panel.asking import mailbox_of
from services.panel.desk import AtDesk, Calling, Cursor, Desk, InLanguage, Limit

router = APIRouter(tags=["migrations"])
Pass = Annotated[int | None, Query(ge=0, alias="run", description="Number of a run")]
LogFormat = Annotated[Literal["text", "jsonl"], Query(description="Lines of text, or of JSON")]
Zone = Annotated[str, Query(description="IANA zone of the times within sentences")]


@router.get("/limits", operation_id="limits", tags=["installation"])
async def limits(desk: AtDesk, caller: Calling) -> LimitsAnswer:
    """The limits of this installation."""
    names = LimitsAnswer.model_fields
    return LimitsAnswer(**{name: getattr(desk.settings.limits, name) for name in names})


@router.get("/migrations", operation_id="listMigrations")
async def listed(
    desk: AtDesk,
    caller: Calling,
    language: InLanguage,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[str | None, Query(description="Only migrations in this state")] = None,
) -> MigrationPage:
    """The migration list, newest first."""
    return await desk.db.read(
        lambda tx: migrations.page(tx, caller.customer_id, language, limit=limit, cursor=cursor, state=state)
    )


@router.get("/migrations/{code}", operation_id="showMigration")
async def shown(code: str, desk: AtDesk, caller: Calling, language: InLanguage) -> MigrationDetail:
    """One migration with its runs."""
    return await desk.db.read(migrations.detail, caller.customer_id, language, code)


@router.get("/migrations/{code}/mailboxes", operation_id="listMailboxes")
async def boxes(
    code: str,
    desk: AtDesk,
    caller: Calling,
    language: InLanguage,
    limit: Limit = 100,
    cursor: Cursor = None,
    state: Annotated[str | None, Query(description="Of the check, or of the latest run")] = None,
) -> MailboxPage:
    """The mailboxes in the order of the file, each with its check and its runs."""
    retries = desk.settings.scheduler.failures

    return await desk.db.read(
        lambda tx: mailboxes.page(
            tx,
            migrations.locate(tx, caller.customer_id, code),
            language,
            limit=limit,
            cursor=cursor,
            state=state,
            retries=retries,
        )
    )


@router.get("/migrations/{code}/mailboxes/{mailbox}", operation_id="showMailbox")
async def box(code: str, mailbox: str, desk: AtDesk, caller: Calling, language: InLanguage) -> Mailbox:
    """One mailbox, by its destination address or its id."""
    retries = desk.settings.scheduler.failures
    migration, identity = await _mailbox(desk, caller, code, mailbox)
    return await desk.db.read(lambda tx: mailboxes.one(tx, migration, identity, language, retries))


@router.get("/migrations/{code}/mailboxes/{mailbox}/folders", operation_id="listFolders")
async def folders(code: str, mailbox: str, desk: AtDesk, caller: Calling, run: Pass = None) -> list[Folder]:
    """The folders of a mailbox with their account in a run, by default the latest."""
    migration, identity = await _mailbox(desk, caller, code, mailbox)
    return await desk.db.read(mailboxes.folders, migration, identity, run)


@router.get("/migrations/{code}/failures", operation_id="listFailures")
async def failed(code: str, desk: AtDesk, caller: Calling, language: InLanguage) -> Failures:
    """What went wrong, grouped by cause."""
    return await desk.db.read(lambda tx: failures.groups(tx, migrations.locate(tx, caller.customer_id, code), language))


@router.get("/migrations/{code}/outcomes", operation_id="listOutcomes")
async def outcomes(
    code: str,
    desk: AtDesk,
    caller: Calling,
    language: InLanguage,
    limit: Limit = 100,
    cursor: Cursor = None,
    mailbox: Annotated[str | None, Query(description="Destination address or mailbox id")] = None,
    outcome: Annotated[str | None, Query(description="skipped | failed | vanished | surplus")] = None,
    cause: Annotated[str | None, Query(description="Code of the cause")] = None,
) -> OutcomePage:
    """Messages that were not simply copied, one by one."""
    migration = await _locate(desk, caller, code)
    identity = (await _mailbox(desk, caller, code, mailbox))[1] if mailbox else None
    return await desk.db.read(
        lambda tx: failures.outcomes(
            tx, migration, language, limit=limit, cursor=cursor, mailbox=identity, outcome=outcome, code=cause
        )
    )


@router.get("/migrations/{code}/requests", operation_id="listRequests")
async def asked(code: str, desk: AtDesk, caller: Calling, language: InLanguage) -> list[RequestState]:
    """What people asked for, and what was refused."""
    return await desk.db.read(failures.requests, await _locate(desk, caller, code), language)


@router.get("/migrations/{code}/requests/{request_id}", operation_id="showRequest")
async def one_asked(code: str, request_id: str, desk: AtDesk, caller: Calling, language: InLanguage) -> RequestState:
    """What became of one request."""
    return await desk.db.read(failures.request, await _locate(desk, caller, code), request_id, language)


@router.get("/migrations/{code}/notifications", operation_id="listNotifications")
async def mailed(code: str, desk: AtDesk, caller: Calling, language: InLanguage) -> list[Notification]:
    """The mails about a migration."""
    return await desk.db.read(failures.notifications, await _locate(desk, caller, code), language)


@router.get("/migrations/{code}/logs", operation_id="migrationLog", response_class=StreamingResponse)
async def whole_log(
    code: str,
    desk: AtDesk,
    caller: Calling,
    language: InLanguage,
    run: Pass = None,
    format: LogFormat = "text",
    zone: Zone = "UTC",
) -> StreamingResponse:
    """The log of a migration, or of one of its runs."""
    wanted = log.Wanted(migration=await _locate(desk, caller, code), run=run)
    return _log(desk, wanted, language, format, zone)


@router.get("/migrations/{code}/mailboxes/{mailbox}/logs", operation_id="mailboxLog", response_class=StreamingResponse)
async def mailbox_log(
    code: str,
    mailbox: str,
    desk: AtDesk,
    caller: Calling,
    language: InLanguage,
    run: Pass = None,
    format: LogFormat = "text",
    zone: Zone = "UTC",
) -> StreamingResponse:
    """The log of one mailbox, or of one of its runs."""
    migration, identity = await _mailbox(desk, caller, code, mailbox)
    return _log(desk, log.Wanted(migration=migration, mailbox=identity, run=run), language, format, zone)


def _log(desk: Desk, wanted: log.Wanted, language: Language, form: str, zone: str) -> StreamingResponse:
    told = log.json_line if form == "jsonl" else log.text_line

    async def lines() -> AsyncIterator[str]:
        after: tuple[int, str] | None = (-1, "")
        while after is not None:
            entries, after = await desk.db.read(log.entries, wanted, after)
            yield "".join(told(entry, zone, language) for entry in entries)

    media = "application/jsonl" if form == "jsonl" else "text/plain; charset=utf-8"
    return StreamingResponse(lines(), media_type=media)


async def _locate(desk: Desk, caller: Calling, code: str) -> MigrationId:
    return await desk.db.read(migrations.locate, caller.customer_id, code)


async def _mailbox(desk: Desk, caller: Calling, code: str, mailbox: str) -> tuple[MigrationId, str]:
    migration = await _locate(desk, caller, code)
    return migration, await desk.db.read(mailbox_of, migration, mailbox)
