"""The read half of a Confluent-compatible schema registry, from the committed `schemas/ids.json`.

Any Kafka UI that is pointed here decodes our topics; nothing can be registered.
"""

import json
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from mailhaul.kafka import schemas
from mailhaul.topics import PREFIX, TOPICS

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
router = APIRouter(tags=["schema registry"])
# The registry's own error codes, in its own shape: its clients know no other.
NO_SUBJECT, NO_VERSION, NO_SCHEMA = 40401, 40402, 40403


def subjects() -> dict[str, str]:
    """The event type behind each subject: `<topic>-<type>`, as TopicRecordNameStrategy names them."""
    return {
        f"{PREFIX}{topic.name}-{schemas.NAMESPACE}.{kind.__name__}": kind.__name__
        for topic in TOPICS
        for kind in topic.carries
    }


def text(name: str, version: int) -> str:
    """The schema of a released version as its file has it."""
    file = schemas.directory() / "released" / f"{name}.v{version}.avsc"
    return json.dumps(schemas.load(file), separators=(",", ":"), ensure_ascii=False)


def _answer(body: Any, status: int = 200) -> JSONResponse:
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


def _missing(code: int, message: str) -> JSONResponse:
    return _answer({"error_code": code, "message": message}, 404)


@router.get("/schemas/types", operation_id="schemaTypes")
async def types() -> JSONResponse:
    """The kinds of schemas there are."""
    return _answer(["AVRO"])


@router.get("/schemas/ids/{schema_id}", operation_id="schemaById")
async def by_id(schema_id: int) -> JSONResponse:
    """The schema behind the id that a record begins with."""
    for name, versions in schemas.shipped().ids.items():
        for version, number in versions.items():
            if number == schema_id:
                return _answer({"schema": text(name, version)})
    return _missing(NO_SCHEMA, "Schema not found")


@router.get("/schemas/ids/{schema_id}/versions", operation_id="schemaVersions")
async def uses(schema_id: int) -> JSONResponse:
    """Under which subjects an id stands."""
    found = [
        {"subject": subject, "version": version}
        for subject, name in subjects().items()
        for version, number in schemas.shipped().ids[name].items()
        if number == schema_id
    ]
    return _answer(found) if found else _missing(NO_SCHEMA, "Schema not found")


@router.get("/subjects", operation_id="subjects")
async def listed() -> JSONResponse:
    """Every subject."""
    return _answer(sorted(subjects()))


@router.get("/subjects/{subject}/versions", operation_id="subjectVersions")
async def versions(subject: str) -> JSONResponse:
    """The released versions of a subject."""
    name = subjects().get(subject)
    return _answer(sorted(schemas.shipped().ids[name])) if name else _missing(NO_SUBJECT, "Subject not found.")


@router.get("/subjects/{subject}/versions/{version}", operation_id="subjectVersion")
async def version(subject: str, version: str) -> JSONResponse:
    """One version of a subject, or `latest`."""
    name = subjects().get(subject)
    if name is None:
        return _missing(NO_SUBJECT, "Subject not found.")
    known = schemas.shipped().ids[name]
    number = max(known) if version == "latest" else int(version) if version.isdigit() else 0
    if number not in known:
        return _missing(NO_VERSION, "Version not found.")
    return _answer({"subject": subject, "version": number, "id": known[number], "schema": text(name, number)})


@router.get("/config", operation_id="registryConfig")
async def config() -> JSONResponse:
    """How schemas may change."""
    return _answer({"compatibilityLevel": "FULL_TRANSITIVE"})


@router.get("/mode", operation_id="registryMode")
async def mode() -> JSONResponse:
    """Nothing can be registered here."""
    return _answer({"mode": "READONLY"})
