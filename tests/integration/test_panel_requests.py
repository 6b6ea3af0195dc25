"""What people ask: an event for the scheduler, an answer at once, and nothing decided by the panel."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from mailhaul import events
from mailhaul.ids import CustomerId, MigrationId
from mailhaul.states import MigrationState
from mailhaul.vault import Binding
from services.panel.handle import Handler
from services.panel.tables import panel_outbox, panel_repeat, panel_row, panel_submission
from tests.fixtures_panel import OWNER, PanelWorld

AT = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


async def ask(panel: PanelWorld, code: str, what: str, body: Mapping[str, Any] | None = None, **headers: str) -> Any:
    """Ask and return the one event that came of it."""
    before = len(panel.published())
    async with panel.client(**headers) as client:
        answer = await client.post(f"/api/v1/migrations/{code}/{what}", json=body)
        assert answer.status_code == 202, answer.text
        assert answer.json()["code"] == code
        state = await client.get(answer.headers["location"])
        assert state.json()["request_id"] == answer.json()["request_id"]
    await panel.publish_once()
    fresh = [event for event in panel.published("mailhaul.requests") if event.event_id == answer.json()["request_id"]]
    assert len(panel.published()) <= before + 4
    return fresh[0]


REQUESTS: list[tuple[str, dict[str, Any] | None, type[events.Request]]] = [
    ("start", None, events.RunRequested),
    ("reschedule", {"first": "asap", "second": "none"}, events.RescheduleRequested),
    ("pause", None, events.PauseRequested),
    ("resume", None, events.ResumeRequested),
    ("cancel", None, events.CancelRequested),
    ("retry", {"mailbox": "Anna@Example.com"}, events.RetryRequested),
    ("recheck", {"line": 2}, events.RecheckRequested),
    ("rows/1/leave-out", None, events.LeaveOutRowRequested),
]


@pytest.mark.joint(4)
async def test_joint_04_the_panel_only_asks(panel: PanelWorld) -> None:
    code = await panel.submitted()
    for what, body, kind in REQUESTS:
        event = await ask(panel, code, what, body)
        assert type(event) is kind
        assert (event.requested_by, event.customer_id) == (OWNER.user_name, OWNER.customer_id)
    async with panel.client() as client:
        shown = (await client.get(f"/api/v1/migrations/{code}")).json()
    assert shown["status"]["state"] == "validating"  # whatever was asked, nothing has been decided


@pytest.mark.joint(4)
async def test_joint_04_own_submissions_are_never_404_before_the_projection(panel: PanelWorld) -> None:
    code = await panel.submitted()
    async with panel.client() as client:
        for path in ("", "/mailboxes", "/failures", "/outcomes", "/requests", "/logs", "/notifications"):
            assert (await client.get(f"/api/v1/migrations/{code}{path}")).status_code == 200, path
        boxes = (await client.get(f"/api/v1/migrations/{code}/mailboxes")).json()["mailboxes"]
        assert [box["check"]["status"]["state"] for box in boxes] == ["waiting", "waiting"]
        assert (await client.get(f"/api/v1/migrations/{code}/mailboxes/anna@example.com")).json()["line"] == 1
        assert [m["code"] for m in (await client.get("/api/v1/migrations")).json()["migrations"]] == [code]


@pytest.mark.joint(4)
async def test_joint_04_a_refusal_reaches_whoever_asked(panel: PanelWorld) -> None:
    code = await panel.submitted()
    event = await ask(panel, code, "pause")
    await panel.project([event, refusal(event, "not_running")])
    async with panel.client(**{"Accept-Language": "it-IT"}) as client:
        state = (await client.get(f"/api/v1/migrations/{code}/requests/{event.event_id}")).json()
    assert state["refused"]["code"] == "not_running"
    assert state["refused"]["text"] == "La migrazione non è in corso."


async def test_a_clients_key_makes_a_request_once(panel: PanelWorld) -> None:
    code = await panel.submitted()
    key = {"Idempotency-Key": "retry-1"}
    first = await ask(panel, code, "retry", {}, **key)
    again = await ask(panel, code, "retry", {}, **key)
    assert first == again
    async with panel.client(**key) as client:
        other = await client.post(f"/api/v1/migrations/{code}/pause")
    assert other.json()["code"] == "repeated_otherwise"
    assert (await ask(panel, code, "retry", {})).event_id != (await ask(panel, code, "retry", {})).event_id


@pytest.mark.joint(8)
async def test_joint_08_a_correction_asks_with_the_whole_row(panel: PanelWorld) -> None:
    code = await panel.submitted()
    await panel.publish_once()
    row = next(e for e in panel.published("mailhaul.rows") if isinstance(e, events.RowSubmitted) and e.line == 1)
    event = await ask(panel, code, "rows/1/correct", {"password": "canary-new"})
    assert isinstance(event, events.CorrectRowRequested)
    assert (event.row_id, event.destination, event.source) == (row.row_id, row.destination, row.source)
    assert event.secret_ref not in ("", row.secret_ref)
    binding = Binding.of_row(
        customer_id=event.customer_id,
        migration_id=event.migration_id,
        row_id=event.row_id,
        source=event.source,
        source_user=event.source_user,
    )
    opened = await panel.desk.db.read(panel.opener.open, event.secret_ref, binding)
    assert opened.get_secret_value() == "canary-new"
    moved = await ask(panel, code, "rows/1/correct", {"destination": "Anna.New@example.com"})
    assert (moved.destination, moved.secret_ref) == ("anna.new@example.com", event.secret_ref)
    async with panel.client() as client:
        shown = await client.get(f"/api/v1/migrations/{code}/mailboxes/anna.new@example.com")
    assert shown.json()["line"] == 1


async def test_a_refused_correction_is_taken_back(panel: PanelWorld) -> None:
    code = await panel.submitted()
    await panel.publish_once()
    row = next(e for e in panel.published("mailhaul.rows") if isinstance(e, events.RowSubmitted) and e.line == 1)
    change = {"password": "x", "host": "imap.example.net", "destination": "other@example.com"}
    asked = await ask(panel, code, "rows/1/correct", change)
    refused = refusal(asked, "not_correctable")
    for _ in range(2):
        async for _ in Handler(panel.desk.db, panel.desk.outbox).handle(refused):
            pytest.fail("a refusal yields nothing")
    again = await ask(panel, code, "rows/1/correct", {"destination": "third@example.com"})
    assert (again.source, again.secret_ref) == (row.source, row.secret_ref)


@pytest.mark.joint(31)
async def test_joint_31_another_server_or_user_needs_the_password_again(panel: PanelWorld) -> None:
    code = await panel.submitted()
    changes = [{"host": "imap.example.net"}, {"source_user": "somebody"}, {"master_user": "root"}]
    async with panel.client() as client:
        for change in changes:
            answer = await client.post(f"/api/v1/migrations/{code}/rows/1/correct", json=change)
            assert (answer.status_code, answer.json()["code"]) == (422, "password_needed"), change
        given = await client.post(f"/api/v1/migrations/{code}/rows/1/correct", json={**changes[0], "password": "x"})
        assert given.status_code == 202


REFUSALS: list[tuple[str, dict[str, Any], int, str]] = [
    ("rows/9/correct", {"password": "canary"}, 404, "no_such_line"),
    ("rows/1/correct", {}, 422, "nothing_asked"),
    ("rows/1/correct", {"password": ["canary"]}, 422, "bad_request"),
    ("rows/1/correct", {"destination": "bruno@example.com"}, 422, "csv_duplicate_destination"),
    ("rows/1/correct", {"host": "http://x"}, 422, "csv_host_is_url"),
    ("retry", {"mailbox": "nobody@example.com"}, 404, "no_such_mailbox"),
    ("reschedule", {}, 422, "nothing_asked"),
    ("reschedule", {"second": "soon"}, 422, "bad_time"),
]


async def test_refusals(panel: PanelWorld) -> None:
    migration = await panel.submitted()
    async with panel.client() as client:
        for path, body, status, code in REFUSALS:
            answer = await client.post(f"/api/v1/migrations/{migration}/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (status, code), path
            assert "canary" not in answer.text


@pytest.mark.joint(10)
async def test_joint_10_the_panel_drops_its_rows_with_the_migration(panel: PanelWorld) -> None:
    code, kept = await panel.submitted(), await panel.submitted(name="kept")
    async with panel.client(**{"Idempotency-Key": "k"}) as client:
        asked = await client.delete(f"/api/v1/migrations/{code}")
    assert asked.status_code == 202
    await panel.publish_once()
    request = next(e for e in panel.published("mailhaul.requests") if isinstance(e, events.DeleteRequested))
    gone = deleted(request.migration_id, request.customer_id)
    for _ in range(2):
        async for _ in Handler(panel.desk.db, panel.desk.outbox).handle(gone):
            pytest.fail("a deletion yields nothing")
    async with panel.client() as client:
        assert (await client.get(f"/api/v1/migrations/{code}")).status_code == 404
        assert (await client.get(f"/api/v1/migrations/{kept}")).status_code == 200
    for table in (panel_submission, panel_row, panel_repeat, panel_outbox):
        rows = await panel.desk.db.read(
            lambda tx, table=table: tx.execute(  # type: ignore[misc]
                select(table).where(table.c.migration_id == request.migration_id)
            ).all()
        )
        assert rows == [], table.name


def refusal(asked: events.Request, code: str) -> events.RequestRefused:
    return events.RequestRefused(
        event_id="refusal",
        at=AT,
        migration_id=asked.migration_id,
        customer_id=asked.customer_id,
        state=MigrationState.VALID,
        state_seq=3,
        request_id=asked.event_id,
        request=type(asked).__name__,
        code=code,
    )


def deleted(migration: MigrationId, customer: CustomerId) -> events.MigrationDeleted:
    return events.MigrationDeleted(
        event_id="deleted",
        at=AT,
        migration_id=migration,
        customer_id=customer,
        state=MigrationState.DONE,
        state_seq=9,
        reason="requested",
    )
