"""Every record of a real migration is delivered again, two or three times, to every consumer: nothing changes."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mailhaul import events, topics
from mailhaul.cli.client import Panel, Where
from mailhaul.kafka.admin import TopicsAdmin
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.bus import Message, Record
from mailhaul.kafka.codec import TYPE_PREFIX, decode, header
from mailhaul.kafka.connection import Cluster
from mailhaul.stack.corpus import corpus
from mailhaul.stack.loader import arrive, load
from mailhaul.stack.manifest import Manifest
from mailhaul.stack.world import HOST, MASTER, World
from tests.event_samples import START, changed, sample
from tests.fixtures_world import Stack

MAILBOXES, MESSAGES, LIMIT = 26, 6, 100_000
SECONDS = 90.0
NAMES = [topics.PREFIX + topic.name for topic in topics.TOPICS]
GROUPS = ("panel", "validator", "scheduler", "copier", "notifier", "projector")
# Tables and columns that say when something was done, not what: a repeat may touch them.
MOMENTS = {"read_change", "read_generation", "projector_offset", "copier_worker", "flagged_at"}
# No person and no clock of this test brings these about; made-up ones take their place.
RARE = (
    events.MigrationCancelled,
    events.MailboxStopRequested,
    events.CancelRequested,
    events.RetryRequested,
    events.ResumeRequested,
    events.MigrationResumed,
    events.NoticeRequested,
)


def patient(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(0.1)


class Tale:
    """A migration from its upload to its second run, with a mistake, a refusal and a deletion on the way."""

    def __init__(self, api: Panel, world: World, manifest: Manifest) -> None:
        self.api = api
        self.world, self.manifest = world, manifest
        self.code = ""

    def state(self, code: str = "") -> str:
        return str(self.api.get(f"/migrations/{code or self.code}")["status"]["state"])

    def row(self, line: int) -> tuple[int, str]:
        """Version and check of a row."""
        rows = self.api.pages(f"/migrations/{self.code}/mailboxes", "mailboxes", limit=500)
        return next((r["row_version"], r["check"]["status"]["state"]) for r in rows if r["line"] == line)

    def ask(self, what: str, body: dict[str, Any] | None = None) -> None:
        self.api.post(f"/migrations/{self.code}/{what}", body)

    def upload(self, lines: list[str], **fields: str) -> str:
        shown = self.api.upload({"type": "standard-ssl", **fields}, "accounts.csv", "\n".join(lines).encode())
        return str(shown["code"])

    def tell(self) -> None:
        self.api.post("/domains", {"domain": "example.com"})
        accounts = self.manifest.accounts
        rows = [self.world.row(account) for account in accounts]
        rows[1] = self.world.row(accounts[1], password="not-the-password")
        rows.append(f"nobody@example.com;{HOST}:{self.world.source.imaps_port};{accounts[0].source};x")
        self.code = self.upload(rows, name="tale", recipients="admin@example.com")
        patient(lambda: self.state() == "invalid", "invalid")
        self.ask("recheck", {"line": 2})
        patient(lambda: self.row(2) == (2, "failed"), "another failure")
        self.ask("rows/2/correct", {"password": accounts[1].password})
        self.ask(f"rows/{len(rows)}/leave-out")
        patient(lambda: self.state() == "valid", "valid")
        self.ask("rows/3/correct", {"password": "wrong"})  # refused: that row passed
        self.ask("reschedule", {"first": "asap", "second": "6h"})
        patient(lambda: self.state() in ("ready_for_cutover", "needs_attention"), "the end of run 1")
        arrive(self.manifest, self.world.old_server(), 2)
        self.ask("start")
        patient(lambda: self.state() == "done", "done")

    def another(self) -> None:
        """A migration that is looked at, put off, refused something, and deleted."""
        first = self.manifest.accounts[0]
        code = self.code
        self.code = self.upload([self.world.row(first)], name="other", recipients="admin@example.com")
        patient(lambda: self.state() == "valid", "valid")
        self.ask("pause")
        self.api.delete(f"/migrations/{self.code}")
        self.code = code


async def records_of(where: Cluster) -> list[Record]:
    async with AIOKafkaBus(where, "test") as bus:
        return [record async for record in bus.scan(NAMES)]


async def deliver_again(where: Cluster, records: list[Record], rng: Random) -> int:
    """Append every record once or twice more, in the order of its partition."""
    again = [list(records), [record for record in records if rng.random() < 0.5]]
    async with AIOKafkaBus(where, "test") as bus:
        for part in again:
            await bus.publish_raw([Message(topic=r.topic, key=r.key, value=r.value, headers=r.headers) for r in part])
    return sum(map(len, again))


async def made_up(where: Cluster, kinds: list[type[events.Event]]) -> None:
    """Events of the types that the tale did not bring about, of a migration that nobody knows."""
    async with AIOKafkaBus(where, "test") as bus:
        for kind in kinds:
            await bus.publish([sample(kind, 1, migration_id="unknown")])


def settle_down(where: Cluster) -> None:
    """Every group has committed everything, and nothing more comes."""
    admin = TopicsAdmin(where, replication=1)
    ends: Counter[str] = Counter()
    quiet = 0
    deadline = time.monotonic() + SECONDS
    while quiet < 4:
        assert time.monotonic() < deadline, f"never quiet: {[admin.lag(group) for group in GROUPS]}"
        before, ends = ends, Counter(record.topic for record in asyncio.run(records_of(where)))
        behind = sum(sum(admin.lag(group).values()) for group in GROUPS)
        quiet = quiet + 1 if before == ends and behind == 0 else 0
        time.sleep(0.5)


def known(records: list[Record]) -> dict[tuple[str, str], set[object]]:
    """What is said under each event id of each topic."""
    gone = {getattr(decode(record), "migration_id", "") for record in records if named(record, "MigrationDeleted")}
    found: dict[tuple[str, str], set[object]] = {}
    for record in records:
        event = decode(record)
        # Running totals are no facts, and about a migration that is gone a row's check can only say so (joint 10).
        if isinstance(event, events.ThroughputWindow) or getattr(event, "migration_id", "") in gone:
            continue
        # Outcomes are said again from the ledger, which knows what became of a message and not when that was said.
        said = changed(event, at=START) if isinstance(event, events.MessageOutcome) else record.value
        found.setdefault((record.topic, event.event_id), set()).add(said)
    return found


def named(record: Record, kind: str) -> bool:
    return header(record.headers, "ce_type") == f"{TYPE_PREFIX}{kind}"


def dump(file: Path) -> dict[str, set[str]]:
    """Every row of every table, without moments."""
    found: dict[str, set[str]] = {}
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if table not in MOMENTS:
                rows = [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
                # That nothing was decided about a migration that is gone may be noted again after its notes went.
                rows = [row for row in rows if row.get("topic") != ""]
                found[table] = {
                    json.dumps({k: v for k, v in row.items() if k not in MOMENTS}, default=bytes.hex) for row in rows
                }
    connection.close()
    return found


def judge(world: World, manifest: Manifest, directory: Path) -> None:
    """The independent checker finds every message once."""
    passwords, master = directory / "old.passwords", directory / "master.password"
    passwords.write_text("".join(f"{a.source}:{a.password}\n" for a in manifest.accounts))
    master.write_text(world.master_password + "\n")
    command = [sys.executable, "-m", "checker", "--manifest", str(manifest.write(directory / "manifest.json"))]
    command += ["--source", f"imaps://{HOST}:{world.source.imaps_port}", "--source-passwords", str(passwords)]
    command += ["--destination", f"imaps://{HOST}:{world.destination.imaps_port}", "--destination-master", MASTER]
    command += ["--destination-password-file", str(master), "--ca", str(world.authority.ca_file)]
    judged = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert judged.returncode == 0, judged.stdout


@pytest.fixture
def told(world: World, make_stack: Callable[..., Stack]) -> tuple[Stack, Manifest]:
    mail = corpus(15, MAILBOXES, MESSAGES, sizes=(LIMIT + 1,), size_limit=LIMIT)
    world.populate(mail.accounts)
    world.start()
    manifest = load(mail, world.old_server())
    stack = make_stack(
        MAILHAUL_COPIER__SETTLE_AFTER="2",
        MAILHAUL_METER__WINDOW_SECONDS="10",
        MAILHAUL_LIMITS__MESSAGE_OCTETS=str(LIMIT),
    )
    with Panel(Where(stack.panel_url, stack.token)) as api:
        tale = Tale(api, world, manifest)
        tale.tell()
        tale.another()
    return stack, manifest


@pytest.mark.timeout(400)
def test_joint_15_every_record_delivered_two_or_three_times_changes_nothing(
    told: tuple[Stack, Manifest], broker: str, topic_prefix: str, world: World, tmp_path: Path
) -> None:
    stack, manifest = told
    where = Cluster(bootstrap=broker, prefix=topic_prefix)
    settle_down(where)
    types = {header(record.headers, "ce_type") for record in asyncio.run(records_of(where))}
    missing = [kind for kind in topics.events_carried() if f"{TYPE_PREFIX}{kind.__name__}" not in types]
    assert set(missing) <= set(RARE)
    asyncio.run(made_up(where, missing))
    settle_down(where)
    records = asyncio.run(records_of(where))
    assert len(records) >= 1000
    database = stack.installation.directory / "mailhaul.sqlite3"
    before, mails, said = dump(database), len(world.smtp.mails()), known(records)

    asyncio.run(deliver_again(where, records, Random(15)))
    settle_down(where)

    after = dump(database)
    assert {table: after[table] ^ before.get(table, set()) for table in after if after[table] != before[table]} == {}
    assert known(asyncio.run(records_of(where))) == said
    assert all(len(different) == 1 for different in said.values())
    assert len(world.smtp.mails()) == mails
    judge(world, manifest, tmp_path)
