"""Domains that customers may move mail into, live updates, and whether the panel is well."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response, status
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, func, select

from mailhaul.directory import grant, granted_domains, revoke
from mailhaul.errors import RequestInvalid
from mailhaul.ids import CustomerId
from services.panel.answers import Domain
from services.panel.changes import place_of
from services.panel.desk import AtDesk, Calling, Desk, Operating
from services.panel.tables import panel_outbox

router = APIRouter(tags=["installation"])
plain = APIRouter(tags=["health"])


class Grant(BaseModel):
    """A domain for a customer; without a customer it is the caller's own."""

    model_config = ConfigDict(extra="forbid")

    domain: str
    customer: str | None = None


@router.get("/domains", operation_id="listDomains")
async def domains(desk: AtDesk, caller: Calling) -> list[Domain]:
    """The domains granted: the caller's own, or everybody's for an operator."""
    whose = None if caller.operator else caller.customer_id
    found = await desk.db.read(granted_domains, whose)
    return [Domain(domain=domain, customer=customer) for customer, domain in found]


@router.post("/domains", operation_id="grantDomain", status_code=status.HTTP_201_CREATED)
async def granted(asked: Grant, desk: AtDesk, caller: Operating) -> Domain:
    """Let a customer move mail into a domain."""
    customer = CustomerId(asked.customer) if asked.customer else caller.customer_id
    domain = await desk.db.write(grant, customer, asked.domain, caller.user_name, desk.now)
    return Domain(domain=domain, customer=customer)


@router.delete("/domains/{domain}", operation_id="revokeDomain", status_code=status.HTTP_204_NO_CONTENT)
async def revoked(
    domain: str, desk: AtDesk, caller: Operating, customer: Annotated[str | None, Query()] = None
) -> None:
    """Take a grant back; running copies into the domain stop at their next check."""
    whose = CustomerId(customer) if customer else caller.customer_id
    if not await desk.db.write(revoke, whose, domain):
        raise RequestInvalid("not_found", "there is no such grant")


@router.get("/changes", operation_id="changes", response_class=StreamingResponse)
async def changes(
    desk: AtDesk, caller: Calling, last_event_id: Annotated[str, Header(alias="Last-Event-ID")] = ""
) -> StreamingResponse:
    """Server-sent events: `change` with a migration's code and what changed, `reload` after a rebuild."""
    stream = desk.watch.follow(caller.customer_id, place_of(last_event_id))
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


@plain.get("/livez", operation_id="livez")
async def livez() -> PlainTextResponse:
    """The process answers."""
    return PlainTextResponse("ok\n")


@plain.get("/readyz", operation_id="readyz")
async def readyz(desk: AtDesk) -> JSONResponse:
    """The database answers; a broker that is away holds up nobody, uploads wait for it (joint 6)."""
    waiting = await desk.db.read(_unpublished)
    return JSONResponse(
        {"database": "ok", "unpublished": waiting, "broker_silent_seconds": round(desk.bus.unacknowledged_for(), 1)}
    )


@plain.get("/metrics", operation_id="metrics")
async def metrics(desk: AtDesk) -> Response:
    """Figures for Prometheus."""
    return Response(_figures(desk, await desk.db.read(_unpublished)), media_type=CONTENT_TYPE_LATEST)


@plain.get("/", operation_id="front", include_in_schema=False)
async def front() -> HTMLResponse:
    """What is here."""
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Mailhaul</title><h1>Mailhaul</h1>"
        "<p>The API is at <code>/api/v1</code>, described in <a href=/api/v1/openapi.json>openapi.json</a>. "
        "From a terminal: <code>mailhaul --help</code>.</p></html>\n"
    )


def _unpublished(tx: Connection) -> int:
    waiting = panel_outbox.c.flagged_at.is_(None)
    return int(tx.execute(select(func.count()).select_from(panel_outbox).where(waiting)).scalar_one())


def _figures(desk: Desk, unpublished: int) -> bytes:
    registry = CollectorRegistry()
    Gauge("mailhaul_panel_unpublished_events", "Events that wait for the broker", registry=registry).set(unpublished)
    silent = Gauge("mailhaul_panel_broker_silent_seconds", "Age of the oldest unacknowledged send", registry=registry)
    silent.set(desk.bus.unacknowledged_for())
    readers = Gauge("mailhaul_panel_live_readers", "Open streams of changes", registry=registry)
    readers.set(desk.watch.readers)
    return generate_latest(registry)
