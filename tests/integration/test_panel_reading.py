"""Lists, pages, scoping, logs and live updates over a read model that tells a whole history."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, update

from mailhaul.events import Event, MigrationSubmitted
from mailhaul.ids import FolderId, MigrationId, derive, mailbox_id, row_id
from mailhaul.readmodel import read_generation
from mailhaul.states import Change, CheckState, Grade, Scope
from services.panel.changes import Place, place_of
from tests import stories
from tests.fixtures_panel import OTHER, OWNER, PanelWorld

ANNA = mailbox_id("anna@example.com")
REFUSED = "sign_in_refused"


async def history(panel: PanelWorld) -> MigrationId:
    """A run of the migration, as the services would tell it; Anna's mailbox is done, Bruno's failed its check."""
    await panel.publish_once()
    own = panel.published()
    (migration,) = {event.migration_id for event in own if isinstance(event, MigrationSubmitted)}
    at, rng = stories.Story(Random(1)).at, Random(2)
    folder = FolderId(derive("folder", "inbox"))
    passed = stories.verdict(migration, 1, ANNA, 1, rng, at())
    events: list[Event] = [
        *own,
        replace(passed, state=CheckState.PASSED, side="", code="", messages=40, octets=4000),
        replace(passed, row_id=row_id(migration, 2), line=2, state=CheckState.FAILED, side="source", code=REFUSED),
        stories.planned(migration, 1, ANNA, folder, at()),
        stories.triggered(migration, 1, 0, ANNA, Scope.BULK, 0, at()),
        stories.changed(migration, 1, 0, 1, ANNA, Scope.BULK, Change.STARTED, rng, at()),
        replace(stories.progressed(migration, 1, 0, 1, 1, ANNA, folder, rng, at()), final=True),
        stories.outcome(migration, 1, ANNA, folder, 77, at()),
        replace(
            stories.changed(migration, 1, 0, 1, ANNA, Scope.BULK, Change.FINISHED, rng, at()),
            code="",
            grade=Grade.GOOD,
        ),
        stories.run_finished(migration, 1, 0, 1, at()),
    ]
    await panel.project(events)
    return migration


async def get(panel: PanelWorld, path: str, token: str = "owner", **headers: str) -> Any:
    async with panel.client(token, **headers) as client:
        answer = await client.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def text(panel: PanelWorld, path: str, **headers: str) -> str:
    async with panel.client(**headers) as client:
        answer = await client.get(f"/api/v1{path}")
    assert answer.status_code == 200
    return answer.text


async def test_the_list_and_one_migration(panel: PanelWorld) -> None:
    code = await panel.submitted(recipients=["admin@example.com"])
    await history(panel)
    (line,) = (await get(panel, "/migrations"))["migrations"]
    shown = await get(panel, f"/migrations/{code.lower()}")
    assert {name: shown[name] for name in line} == line
    same = (await get(panel, f"/migrations?state={line['status']['state']}"))["migrations"]
    assert same == [line]
    assert line["checks"] == {"passed": 1, "failed": 1}
    assert line["mailboxes"] == {"done": 1}
    assert (line["run"], line["expected_messages"], line["recipients"]) == (1, 40, ["admin@example.com"])
    account = line["account"]
    parts = ("copied", "already_there", "skipped", "vanished", "failed", "left")
    assert account["found"] == sum(account[part] for part in parts) > 0
    assert shown["runs"][0]["grade"]["text"] == "Good"
    assert shown["runs"][0]["advice"] == "do_not_switch"


async def test_mailboxes_checks_folders_and_failures(panel: PanelWorld) -> None:
    code = await panel.submitted()
    await history(panel)
    anna, bruno = (await get(panel, f"/migrations/{code}/mailboxes"))["mailboxes"]
    assert anna["runs"][0]["status"]["text"] == "Done"
    assert anna["runs"][0]["grade"]["state"] == "good"
    assert bruno["check"]["text"].startswith("Line 2: migration test failed. Source: ")
    assert bruno["check"]["cause"]["side"] == "source"
    italian = await get(panel, f"/migrations/{code}/mailboxes/bruno@example.com?language=it")
    assert italian["check"]["text"].startswith("Linea 2: test di migrazione fallito. Origine: ")
    for state, lines in (("failed", [2]), ("done", [1]), ("passed", [1]), ("copying", [])):
        found = (await get(panel, f"/migrations/{code}/mailboxes?state={state}"))["mailboxes"]
        assert [box["line"] for box in found] == lines, state
    (folder,) = await get(panel, f"/migrations/{code}/mailboxes/{ANNA}/folders")
    assert (folder["source_name"], folder["final"]) == ("Posta 1", True)
    groups = (await get(panel, f"/migrations/{code}/failures"))["groups"]
    assert [(group["of"], group["cause"]["code"], group["count"]) for group in groups] == [
        ("check", REFUSED, 1),
        ("message", "too_large", 1),
    ]
    outcomes = await get(panel, f"/migrations/{code}/outcomes?mailbox=anna@example.com&outcome=skipped")
    assert [(item["folder"], item["uid"]) for item in outcomes["outcomes"]] == [("Posta 1", 77)]


async def test_pages_follow_each_other_by_key(panel: PanelWorld) -> None:
    codes = []
    for number in range(7):
        panel.clock.advance(number % 2)  # some at the same instant
        codes.append(await panel.submitted(name=f"job {number}"))
    seen: list[str] = []
    path = "/migrations?limit=3"
    while path:
        page = await get(panel, path)
        seen += [migration["code"] for migration in page["migrations"]]
        path = f"/migrations?limit=3&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert sorted(seen) == sorted(codes)
    by_state = (await get(panel, "/migrations?state=validating&limit=500"))["migrations"]
    assert [migration["code"] for migration in by_state] == seen
    assert (await get(panel, "/migrations?state=running"))["migrations"] == []
    first = await get(panel, f"/migrations/{codes[0]}/mailboxes?limit=1")
    second = await get(panel, f"/migrations/{codes[0]}/mailboxes?limit=1&cursor={first['next_cursor']}")
    assert [box["line"] for box in first["mailboxes"] + second["mailboxes"]] == [1, 2]
    assert second["next_cursor"] is None
    async with panel.client() as client:
        assert (await client.get("/api/v1/migrations?cursor=abc")).json()["code"] == "bad_request"


async def test_another_customer_sees_and_touches_nothing(panel: PanelWorld) -> None:
    code = await panel.submitted()
    await history(panel)
    async with panel.client("other") as client:
        assert (await client.get("/api/v1/migrations")).json()["migrations"] == []
        for path in ("", "/mailboxes", f"/mailboxes/{ANNA}/folders", "/failures", "/outcomes", "/logs", "/requests"):
            answer = await client.get(f"/api/v1/migrations/{code}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
        for path in ("start", "pause", "rows/1/leave-out"):
            assert (await client.post(f"/api/v1/migrations/{code}/{path}")).status_code == 404
        assert (await client.delete(f"/api/v1/migrations/{code}")).status_code == 404
    for token in ("", "wrong"):
        async with panel.client(token) as client:
            answer = await client.get("/api/v1/migrations")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.joint(34)
async def test_joint_34_a_log_is_a_rendering_of_stored_events(panel: PanelWorld) -> None:
    code = await panel.submitted()
    await history(panel)
    whole = (await text(panel, f"/migrations/{code}/logs")).splitlines()
    mailbox = (await text(panel, f"/migrations/{code}/mailboxes/anna@example.com/logs?run=1")).splitlines()
    assert whole[0].endswith("anna submitted 2 mailboxes (standard-ssl)")
    assert [line.split("  ")[2] for line in mailbox][:2] == [
        "Folder Posta 1: is copied",
        "Run 1: triggered (everything)",
    ]
    assert "message UID 77 (60 MB): skipped. " in " ".join(mailbox).replace("\u00a0", " ")
    assert any("grade: Good" in line for line in mailbox)
    assert set(mailbox) <= set(whole)
    italian = await text(panel, f"/migrations/{code}/logs?language=it")
    assert "anna ha inviato 2 caselle" in italian
    lines = [json.loads(line) for line in (await text(panel, f"/migrations/{code}/logs?format=jsonl")).splitlines()]
    assert len(lines) == len(whole)
    assert {"at", "event", "event_id", "mailbox", "run", "text", "data"} == set(lines[0])
    assert "secret_ref" not in json.dumps(lines)


async def test_a_log_of_several_pages_is_whole(panel: PanelWorld) -> None:
    code = await panel.submitted()
    migration = await history(panel)
    folder = FolderId(derive("folder", "inbox"))
    many = [stories.outcome(migration, 1, ANNA, folder, uid, stories.START) for uid in range(1, 1201)]
    await panel.project(many)
    lines = (await text(panel, f"/migrations/{code}/logs?run=1&format=jsonl")).splitlines()
    uids = [json.loads(line)["data"].get("source_uid") for line in lines]
    assert len([uid for uid in uids if uid]) == 1201
    assert len({json.loads(line)["event_id"] for line in lines}) == len(lines)


async def next_event(stream: AsyncIterator[str]) -> tuple[str, str, Any]:
    """The next event of a stream: its id, name and data; signs of life are passed over."""
    async with asyncio.timeout(10):
        async for chunk in stream:
            fields = dict(line.split(": ", 1) for line in chunk.splitlines() if line and not line.startswith(":"))
            if fields:
                return fields["id"], fields["event"], json.loads(fields["data"])
    raise AssertionError("the stream ended")


@pytest.mark.joint(35)
async def test_joint_35_a_stream_resumes_exactly_where_it_stood(panel: PanelWorld) -> None:
    code = await panel.submitted()
    looking = asyncio.create_task(panel.desk.watch.run(panel.desk.stop))
    stream = panel.desk.watch.follow(OWNER.customer_id, None)
    assert (await next_event(stream))[1] == "hello"
    migration = await history(panel)
    place, event, data = await next_event(stream)
    assert (event, data["code"]) == ("change", code)
    assert {"migration", "rows", "mailboxes", "progress", "outcomes"} <= set(data["kinds"])
    await stream.aclose()
    await panel.project([stories.planned(migration, 1, ANNA, FolderId("late"), stories.START)])
    resumed = panel.desk.watch.follow(OWNER.customer_id, place_of(place))
    assert (await next_event(resumed))[:2] == (place, "hello")
    assert (await next_event(resumed))[2] == {"code": code, "kinds": ["progress"]}
    others = panel.desk.watch.follow(OTHER.customer_id, place_of("1.0"))
    assert (await next_event(others))[1] == "hello"
    await panel.desk.db.write(rebuilt)
    assert (await next_event(resumed))[1] == "reload"
    assert (await next_event(others))[1] == "reload"  # and nothing of the first customer's before
    panel.desk.stop.set()
    await looking


def rebuilt(tx: Connection) -> None:
    tx.execute(update(read_generation).values(generation=read_generation.c.generation + 1))


def test_places_that_are_none_of_ours_begin_at_the_present() -> None:
    assert place_of("3.17") == Place(3, 17)
    for wrong in ("", "3", "3.", ".4", "a.b", "3.4.5"):
        assert place_of(wrong) is None
