"""The upload: a form with a file, or JSON with its text; answered with 202 before anything is published (joint 6)."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response, status
from sqlalchemy.exc import IntegrityError
from starlette.datastructures import FormData, UploadFile

from mailhaul.addresses import is_allowed
from mailhaul.db import from_microseconds
from mailhaul.errors import RequestInvalid
from mailhaul.ids import MigrationId
from mailhaul.intake import Limits, Parsed, parse
from mailhaul.texts import remark_place, remark_sentence
from services.panel import submission
from services.panel.answers import Submitted
from services.panel.callers import Caller
from services.panel.desk import AtDesk, Calling, Desk, InLanguage, RepeatKey
from services.panel.draft import Draft, Upload, UploadText, draft
from services.panel.problems import FileRefused
from services.panel.repeats import Claim, fingerprint
from services.panel.submission import Submission

router = APIRouter(tags=["migrations"])
LISTS = frozenset({"skip_folders", "translations", "recipients"})
FORM = "multipart/form-data"
BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": UploadText.model_json_schema()},
        FORM: {
            "schema": {
                "type": "object",
                "required": ["type", "file"],
                "properties": {
                    **Upload.model_json_schema()["properties"],
                    "file": {"type": "string", "format": "binary", "description": "The CSV file"},
                },
            }
        },
    },
}


@router.post(
    "/migrations",
    operation_id="submitMigration",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra={"requestBody": BODY},
)
async def upload(
    request: Request,
    response: Response,
    desk: AtDesk,
    caller: Calling,
    language: InLanguage,
    key: RepeatKey = None,
) -> Submitted:
    """Take a file of mailboxes. A file with a fault stores nothing and is answered with all of its faults."""
    asked, content = await _read(request)
    limits = desk.settings.limits
    checked = draft(
        asked,
        now=from_microseconds(desk.now),
        horizon=desk.horizon,
        max_octets=limits.message_octets,
    )
    parsed = parse(
        content,
        checked.kind,
        limits=Limits(rows=limits.rows_per_file),
        owners=checked.owners,
        forbidden=lambda address: not is_allowed(address, desk.networks),
    )
    if not parsed.accepted:
        raise FileRefused(parsed.faults)
    done = await _store(desk, _submission(desk, caller, checked, parsed, content, key))
    desk.asked.set()
    response.headers["Location"] = f"/api/v1/migrations/{done.code}"
    return Submitted(
        code=done.code,
        name=done.name,
        resources=len(parsed.rows),
        repeated=done.repeated,
        notices=[f"{remark_place(notice, language)}: {remark_sentence(notice, language)}" for notice in parsed.notices],
    )


async def _read(request: Request) -> tuple[Upload, bytes]:
    """The fields and the file, however they came. Raises RequestInvalid or ValidationError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        async with request.form(max_files=1, max_fields=1000) as form:
            return await _form(form)
    if kind != "application/json":
        raise RequestInvalid("bad_request", f"send {FORM} or application/json")
    body = await request.body()
    text = UploadText.model_validate_json(body)
    fields = text.model_dump(exclude={"csv"})
    return Upload(**fields), text.csv.encode("utf-8", "surrogatepass")


async def _form(form: FormData) -> tuple[Upload, bytes]:
    fields: dict[str, Any] = {}
    content: bytes | None = None
    for name in form:
        values = form.getlist(name)
        if name in ("file", "csv"):
            first = values[0]
            content = await first.read() if isinstance(first, UploadFile) else first.encode()
        elif name in LISTS:
            # A text area: one a line.
            fields[name] = [line for value in values for line in str(value).splitlines() if line.strip()]
        else:
            fields[name] = values[0]
    if content is None:
        raise RequestInvalid("bad_request", "the form has no file")
    return Upload.model_validate(fields), content


def _submission(
    desk: Desk, caller: Caller, checked: Draft, parsed: Parsed, content: bytes, key: str | None
) -> Submission:
    asked = fingerprint(desk.secret, [caller.customer_id, sorted(asdict(checked).items())], content)
    return Submission(
        migration_id=MigrationId(desk.new_id()),
        draft=checked,
        rows=parsed.rows,
        caller=caller,
        claim=Claim(caller.customer_id, key or "", asked),
        surplus=desk.settings.copier.surplus,
    )


async def _store(desk: Desk, asked: Submission) -> submission.Submitted:
    try:
        return await desk.db.write(submission.submit, asked, desk.sealer, desk.outbox, desk.now)
    except IntegrityError:
        # Another upload took the same number for its name, or the same code, a moment earlier.
        return await desk.db.write(submission.submit, asked, desk.sealer, desk.outbox, desk.now)
