"""Errors as RFC 9457 problems; never with what the client sent, because that may be a password."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from mailhaul.errors import MailhaulError, RequestInvalid
from mailhaul.intake import Remark
from mailhaul.texts import Language, explain, remark_place, remark_sentence, spoken

MEDIA_TYPE = "application/problem+json"
STATUS = {
    "not_found": HTTPStatus.NOT_FOUND,
    "no_such_line": HTTPStatus.NOT_FOUND,
    "no_such_mailbox": HTTPStatus.NOT_FOUND,
    "name_taken": HTTPStatus.CONFLICT,
    "sign_in_needed": HTTPStatus.UNAUTHORIZED,
    "not_allowed": HTTPStatus.FORBIDDEN,
    "wrong_host": HTTPStatus.FORBIDDEN,
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


class FileRefused(RequestInvalid):
    """The uploaded file breaks rules; nothing was stored."""

    def __init__(self, faults: Sequence[Remark]) -> None:
        super().__init__("file_refused", "the file has faults; nothing was stored")
        self.faults = tuple(faults)


def language_of(headers: Mapping[str, str], chosen: str | None = None) -> Language:
    """The reader's language: what the URL says, else the first one of Accept-Language."""
    first = headers.get("accept-language", "").partition(",")[0].partition(";")[0]
    return spoken(chosen or first or "en")


def problem(
    code: str, language: Language, *, errors: Sequence[Mapping[str, Any]] = (), detail: str = "", status: int = 0
) -> JSONResponse:
    """A problem document; `code` is a key of the error catalogue."""
    told = explain(code, language)
    answer = status or STATUS.get(code, HTTPStatus.UNPROCESSABLE_ENTITY)
    body: dict[str, Any] = {
        "type": f"urn:mailhaul:problem:{code}",
        "title": told.sentence,
        "status": int(answer),
        "detail": detail or told.remedy,
        "code": code,
    }
    if errors:
        body["errors"] = [dict(error) for error in errors]
    headers = {"WWW-Authenticate": "Bearer"} if answer == HTTPStatus.UNAUTHORIZED else None
    return JSONResponse(body, status_code=int(answer), media_type=MEDIA_TYPE, headers=headers)


def remarks(found: Sequence[Remark], language: Language) -> list[dict[str, Any]]:
    """Faults and notices of a file: line, field, rule and sentence, never the content."""
    return [
        {
            "line": remark.line,
            "field": remark.field.value if remark.field else "",
            "code": remark.rule.value,
            "place": remark_place(remark, language),
            "detail": remark_sentence(remark, language),
        }
        for remark in found
    ]


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem."""

    @app.exception_handler(MailhaulError)
    async def refused(request: Request, error: MailhaulError) -> JSONResponse:
        language = _language(request)
        if isinstance(error, FileRefused):
            return problem(error.code, language, errors=remarks(error.faults, language))
        status = 0 if isinstance(error, RequestInvalid) else HTTPStatus.SERVICE_UNAVAILABLE
        return problem(error.code, language, status=status)

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(ValidationError)
    async def malformed(request: Request, error: RequestValidationError | ValidationError) -> JSONResponse:
        errors = [
            {"field": ".".join(str(part) for part in each["loc"] if part != "body"), "code": each["type"]}
            for each in error.errors()
        ]
        return problem("bad_request", _language(request), errors=errors)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        code = "not_found" if error.status_code == HTTPStatus.NOT_FOUND else "bad_request"
        return problem(code, _language(request), status=error.status_code)


def _language(request: Request) -> Language:
    return language_of(request.headers, request.query_params.get("language"))
