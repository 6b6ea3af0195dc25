"""The validator on two real Dovecots over TLS: every verdict with its side and code, said again byte for byte."""

import asyncio
import base64
import imaplib
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import SecretStr
from sqlalchemy import Connection, func, select

from mailhaul import budget, directory, vault
from mailhaul.clock import SystemClock
from mailhaul.db import Database, open_database
from mailhaul.events import (
    Endpoint,
    Event,
    FolderPlanned,
    MigrationDeleted,
    RowChecked,
    RowCorrected,
    RowLeftOut,
    RowSubmitted,
    Rules,
)
from mailhaul.ids import CustomerId, MigrationId, SecretRef, mailbox_id, row_id
from mailhaul.imap.names import encode_name
from mailhaul.kafka.bus import Message, Record
from mailhaul.kafka.codec import decode
from mailhaul.kafka.keyed_consumer import run_keyed
from mailhaul.kafka.memory_bus import MemoryBroker, MemoryBus
from mailhaul.kafka.outbox import Outbox
from mailhaul.kafka.run_loop import Edge
from mailhaul.settings import Settings
from mailhaul.stack.certificates import Authority
from mailhaul.stack.dovecot import Dovecot, DovecotSettings
from mailhaul.states import CheckState, MigrationState
from services.validator import wiring
from services.validator.allowance import Shared
from services.validator.check import Checker
from services.validator.heart import Validator
from services.validator.local import main as check_file
from tests.fixtures_imap import Peer, ScriptedServers

CUSTOMER, MIGRATION = CustomerId("c1"), MigrationId("5f0c1a52-6a0e-5a1c-8f1e-6f1c1d3f7c11")
MASTER, MASTER_PASSWORD = "migration", "canary-master-Zq7"
PASSWORD = "canary-pä;ss"
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
USERS = ["alice", "bob", *(f"user{n}" for n in range(8))]


@dataclass(frozen=True)
class Servers:
    source: Dovecot
    destination: Dovecot
    authority: Authority


@pytest.fixture(scope="module")
def servers(mail_authority: Authority) -> Iterator[Servers]:
    source = Dovecot("old", mail_authority, DovecotSettings(separator=".", plaintext=True))
    source.add_users({f"{user}@old.example.com": PASSWORD for user in USERS})
    settings = DovecotSettings(quota=True, master_users={MASTER: MASTER_PASSWORD})
    destination = Dovecot("new", mail_authority, settings)
    destination.add_users({f"{user}@example.org": "unknown" for user in USERS}, quota="2M")
    destination.add_user("small@example.org", "unknown", quota="50K")
    for server in (source, destination):
        server.start()
    fill(source, "alice@old.example.com")
    yield Servers(source, destination, mail_authority)
    for server in (source, destination):
        server.close()


def fill(server: Dovecot, user: str) -> None:
    """INBOX 3 messages, one of them large; Entwürfe.Alt 2; Trash 1 with a sub-folder of 1; Junkyard 1."""
    context = ssl.create_default_context(cafile=server.ca_file)
    with imaplib.IMAP4_SSL("localhost", server.imaps_port, ssl_context=context) as client:
        client.authenticate("PLAIN", lambda challenge: b"\0" + user.encode() + b"\0" + PASSWORD.encode())
        small, large = b"Subject: x\r\n\r\nhello\r\n", b"Subject: y\r\n\r\n" + b"z" * 99_998 + b"\r\n"
        drafts = encode_name("Entwürfe.Alt").decode()
        for folder, letters in {
            "INBOX": [small, small, large],
            f'"{drafts}"': [small] * 2,
            "Trash": [small],
            "Trash.Old": [large],
            "Junkyard": [small],
        }.items():
            client.create(folder)
            for letter in letters:
                assert client.append(folder, "", "", letter)[0] == "OK"


@dataclass
class World:
    """A validator with a database of its own, and what is needed to submit rows to it."""

    db: Database
    heart: Validator
    sealer: vault.Sealer
    servers: Servers
    lines: int = 0
    said: list[Message] = field(default_factory=list)

    async def row(self, user: str = "alice", password: str | None = PASSWORD, **changes: Any) -> RowSubmitted:
        """A row of the migration whose secret is sealed for what the row says."""
        self.lines += 1
        destination = changes.pop("destination", f"{user}@example.org")
        source = changes.pop("source", Endpoint(host="localhost", port=self.servers.source.imaps_port, tls="implicit"))
        row = RowSubmitted(
            event_id=f"submitted-{self.lines}",
            at=AT,
            migration_id=MIGRATION,
            customer_id=CUSTOMER,
            row_id=row_id(MIGRATION, self.lines),
            row_version=1,
            line=self.lines,
            mailbox_id=mailbox_id(destination),
            destination=destination,
            source=source,
            source_user=changes.pop("source_user", f"{user}@old.example.com"),
            master_user="",
            secret_ref=SecretRef(""),
            rules=changes.pop("rules", Rules(max_octets=50_000)),
        )
        return row if password is None else await self.seal(row, password)

    async def seal(self, row: RowSubmitted, password: str) -> RowSubmitted:
        binding = vault.Binding.of_row(
            customer_id=row.customer_id,
            migration_id=row.migration_id,
            row_id=row.row_id,
            source=row.source,
            source_user=row.source_user,
        )
        ref = await self.db.write(lambda tx: self.sealer.seal(tx, binding, SecretStr(password), 0))
        return replace(row, secret_ref=ref)

    async def tell(self, event: Event) -> list[Message]:
        said = [item async for item in self.heart.handle(event)]
        assert all(isinstance(item, Message) for item in said)
        self.said += [item for item in said if isinstance(item, Message)]
        return [item for item in said if isinstance(item, Message)]

    async def verdict(self, event: Event) -> RowChecked:
        said = [decoded(message) for message in await self.tell(event)]
        checks = [event for event in said if isinstance(event, RowChecked)]
        assert len(checks) == 1
        return checks[0]


def decoded(message: Message) -> Event:
    return decode(
        Record(
            topic=message.topic,
            partition=0,
            offset=0,
            key=message.key,
            value=message.value,
            headers=message.headers,
            appended_at=AT,
        )
    )


def settings_of(servers: Servers, **changes: Any) -> Settings:
    return Settings.model_validate(
        {
            "platform": {
                "host": "localhost",
                "port": servers.destination.imaps_port,
                "ca_file": servers.authority.ca_file,
                "master_user": MASTER,
                "master_password": changes.pop("master_password", MASTER_PASSWORD),
            },
            "source": {
                "allow_networks": ["127.0.0.0/8"],
                "ca_file": servers.authority.ca_file,
                "connect_timeout": 5,
            },
            "validator": {"refused_in_a_row": 3},
            **changes,
        }
    )


@asynccontextmanager
async def world_of(servers: Servers, url: str, **changes: Any) -> AsyncIterator[World]:
    settings, clock = settings_of(servers, **changes), SystemClock()
    db, key = open_database(url), X25519PrivateKey.generate()
    sealer = vault.Sealer(key.public_key())
    await db.write(lambda tx: sealer.make_key(tx, CUSTOMER, MIGRATION, 0))
    await db.write(lambda tx: directory.grant(tx, CUSTOMER, "example.org", "operator", 0))
    gate = wiring.gate(settings.validator, clock)
    checker = Checker(
        replace(wiring.source_policy(settings.source), ports=None),
        wiring.destination(settings.platform, settings.source),
        gate,
        clock,
        Shared(db, "worker", 2, clock, Random(1)),
    )
    heart = Validator(db, Outbox(db, "validator"), vault.Opener(key), checker, gate, clock)
    world = World(db, heart, sealer, servers)
    try:
        yield world
    finally:
        await db.close()
        for message in world.said:
            assert_no_secret(message)


def assert_no_secret(message: Message) -> None:
    blob = (message.value or b"") + b"".join(value for _, value in message.headers) + message.key
    for secret in (PASSWORD, MASTER_PASSWORD, "wrong-canary"):
        for form in (secret.encode(), base64.b64encode(secret.encode()).rstrip(b"=")):
            assert form not in blob


@pytest.fixture
async def world(servers: Servers, sqlite_schema_url: str) -> AsyncIterator[World]:
    async with world_of(servers, sqlite_schema_url) as made:
        yield made


async def test_a_good_row_passes_with_its_inventory_and_plan(world: World) -> None:
    said = [decoded(message) for message in await world.tell(await world.row())]
    check = said[-1]
    assert isinstance(check, RowChecked)
    assert (check.state, check.side, check.code, check.detail) == (CheckState.PASSED, "", "", "")
    assert (check.source_server, check.pinned_address) == ("localhost", "127.0.0.1")
    assert (check.folders, check.messages, check.oversize_messages) == (5, 8, 1)
    assert (check.left_out_messages, check.left_out_octets) == (2, 100_014 + 21)
    assert check.octets == 2 * 100_014 + 6 * 21
    plans = {plan.source_name: plan for plan in said if isinstance(plan, FolderPlanned)}
    assert {name: (plan.action, plan.reason) for name, plan in plans.items()} == {
        "INBOX": ("copy", ""),
        "Entwürfe": ("skip", "not_selectable"),
        "Entwürfe/Alt": ("copy", ""),
        "Junkyard": ("copy", ""),
        "Trash": ("skip", "trash"),
        "Trash/Old": ("skip", "trash"),
    }
    assert plans["Entwürfe/Alt"].destination_name == "Entwürfe/Alt"
    assert (plans["INBOX"].messages, plans["INBOX"].role) == (3, "inbox")
    assert {plan.run_no for plan in plans.values()} == {0}


async def test_an_old_server_gives_the_same_inventory(
    servers: Servers, sqlite_schema_url: str, mail_authority: Authority
) -> None:
    capability = "IMAP4rev1 UIDPLUS NAMESPACE"
    old = Dovecot("older", mail_authority, DovecotSettings(separator=".", capability=capability))
    old.add_user("alice@old.example.com", PASSWORD)
    old.start()
    try:
        fill(old, "alice@old.example.com")
        async with world_of(servers, sqlite_schema_url) as world:
            place = Endpoint(host="localhost", port=old.imaps_port, tls="implicit")
            new, aged = await world.verdict(await world.row()), await world.verdict(await world.row(source=place))
    finally:
        old.close()
    assert aged.state is CheckState.PASSED
    for name in ("messages", "octets", "left_out_messages", "left_out_octets", "oversize_messages"):
        assert getattr(aged, name) == getattr(new, name)


@pytest.mark.parametrize(
    ("user", "password", "changes", "expected"),
    [
        ("alice", "wrong-canary", {}, ("source", "sign_in_refused")),
        ("nobody", PASSWORD, {"destination": "bob@example.org"}, ("source", "sign_in_refused")),
        ("alice", PASSWORD, {"destination": "missing@example.org"}, ("destination", "destination_missing")),
        ("alice", PASSWORD, {"destination": "alice@example.net"}, ("destination", "domain_not_granted")),
        ("alice", PASSWORD, {"destination": "alice@sub.example.org"}, ("destination", "domain_not_granted")),
        ("alice", PASSWORD, {"destination": "small@example.org"}, ("destination", "no_room")),
        ("alice", PASSWORD, {"rules": Rules(translations=("broken",))}, ("request", "bad_translation")),
    ],
)
async def test_rows_that_fail(
    world: World, user: str, password: str, changes: Mapping[str, Any], expected: tuple[str, str]
) -> None:
    rules = {"rules": Rules(max_octets=52_428_800)} if expected[1] == "no_room" else {}
    check = await world.verdict(await world.row(user, password, **rules, **changes))
    assert (check.state, check.side, check.code) == (CheckState.FAILED, *expected)
    for name in ("alice", "nobody", "canary", "migration"):
        assert name not in check.detail


@pytest.mark.parametrize(
    ("place", "code"),
    [
        (Endpoint(host="127.0.0.2", port=0, tls="implicit"), "connection_refused"),
        (Endpoint(host="source.test", port=0, tls="implicit", address="127.0.0.1"), "tls_name_mismatch"),
        (Endpoint(host="nowhere.invalid", port=0, tls="implicit"), "name_not_resolved"),
        (Endpoint(host="10.1.2.3", port=0, tls="implicit"), "address_forbidden"),
        (Endpoint(host="localhost", port=-1, tls="implicit"), "tls_not_spoken"),
    ],
)
async def test_servers_that_cannot_be_reached(world: World, place: Endpoint, code: str) -> None:
    source = world.servers.source
    place = replace(place, port=source.imap_port if place.port else source.imaps_port)
    check = await world.verdict(await world.row(source=place))
    assert (check.state, check.side, check.code) == (CheckState.FAILED, "source", code)


@pytest.mark.parametrize("tls", ["starttls", "none"])
async def test_the_other_ways_in(world: World, tls: str) -> None:
    place = Endpoint(host="localhost", port=world.servers.source.imap_port, tls=tls)
    assert (await world.verdict(await world.row(source=place))).state is CheckState.PASSED


async def test_a_failing_master_user_is_the_platforms_fault(servers: Servers, sqlite_schema_url: str) -> None:
    async with world_of(servers, sqlite_schema_url, master_password="wrong-canary") as world:
        check = await world.verdict(await world.row())
    assert (check.side, check.code) == ("destination", "destination_refused")


async def test_a_row_may_wait_for_its_owner(world: World) -> None:
    check = await world.verdict(await world.row(password=None))
    assert (check.state, check.code) == (CheckState.WAITING_FOR_OWNER, "waiting_for_owner")
    check = await world.verdict(await world.row(password=None, destination="missing@example.org"))
    assert (check.state, check.code) == (CheckState.FAILED, "destination_missing")


async def test_a_server_is_left_alone_after_refused_sign_ins(world: World) -> None:
    for user in ("alice", "bob", "user1"):
        assert (await world.verdict(await world.row(user, "wrong-canary"))).code == "sign_in_refused"
    row = await world.row()
    check = await world.verdict(row)
    assert (check.state, check.side, check.code) == (CheckState.NOT_TESTED, "source", "not_tested_refusals")
    again = RowCorrected(
        **{name: getattr(row, name) for name in RowSubmitted.__dataclass_fields__}
        | {"event_id": "corrected", "row_version": 2, "at": datetime.now(UTC)}
    )
    assert (await world.verdict(again)).state is CheckState.PASSED


@pytest.mark.joint(29)
async def test_joint_29_a_destination_needs_its_grant(world: World) -> None:
    assert (await world.verdict(await world.row())).state is CheckState.PASSED
    await world.db.write(lambda tx: directory.revoke(tx, CUSTOMER, "example.org"))
    check = await world.verdict(await world.row())
    assert (check.side, check.code) == ("destination", "domain_not_granted")
    await world.db.write(lambda tx: directory.grant(tx, CustomerId("c2"), "example.org", "operator", 0))
    assert (await world.verdict(await world.row())).code == "domain_not_granted"


@pytest.mark.joint(31)
@pytest.mark.parametrize("change", ["host", "port", "tls", "user", "row"])
async def test_joint_31_a_secret_opens_for_its_own_server_and_user_alone(world: World, change: str) -> None:
    row, other = await world.row(), await world.row("bob")
    changed = {
        "host": lambda: replace(row, source=replace(row.source, host="localhost.test")),
        "port": lambda: replace(row, source=replace(row.source, port=143)),
        "tls": lambda: replace(row, source=replace(row.source, tls="none")),
        "user": lambda: replace(row, source_user="bob@old.example.com"),
        "row": lambda: replace(row, secret_ref=other.secret_ref),
    }[change]()
    check = await world.verdict(changed)
    assert check.state is CheckState.FAILED
    assert check.code == ("secret_misplaced" if change == "row" else "secret_void")


@pytest.mark.joint(10)
async def test_joint_10_a_late_row_of_a_deleted_migration_finds_no_secret(world: World) -> None:
    row = await world.row()
    await world.tell(await world.row("bob"))
    await world.heart.outbox.flag(world.said)
    await world.db.write(vault.shred, MIGRATION)
    deleted = MigrationDeleted(
        event_id="deleted",
        at=AT,
        migration_id=MIGRATION,
        customer_id=CUSTOMER,
        state=MigrationState.CANCELLED,
        state_seq=9,
        reason="requested",
    )
    assert await world.tell(deleted) == []
    assert await world.heart.outbox.decided("submitted-2") == ()  # decided once, and what was said is gone
    check = await world.verdict(row)
    assert (check.side, check.code) == ("platform", "credentials_expired")


async def test_a_row_that_comes_again_gets_the_same_answer(servers: Servers, schema_url: str) -> None:
    async with world_of(servers, schema_url) as world:
        row = await world.row()
        first = await world.tell(row)
        servers.source.stop()
        try:
            assert await world.tell(row) == first
        finally:
            servers.source.start()
        left_out = RowLeftOut(
            event_id="left-out",
            at=AT,
            migration_id=MIGRATION,
            customer_id=CUSTOMER,
            row_id=row.row_id,
            row_version=2,
            mailbox_id=row.mailbox_id,
        )
        assert await world.tell(left_out) == []


async def test_a_source_is_dialled_within_the_servers_budget(
    world: World, scripted: ScriptedServers, server_tls: ssl.SSLContext
) -> None:
    async def busy(peer: Peer) -> None:
        await peer.send(b"* BYE Request is throttled. Suggested Backoff Time: 600 milliseconds\r\n")
        await peer.end()

    server = await scripted(busy, context=server_tls)
    place = Endpoint(host="localhost", port=server.port, tls="implicit")
    check = await world.verdict(await world.row(source=place))
    assert (check.side, check.code) == ("source", "throttled")
    assert "600 milliseconds" in check.detail
    assert len(server.peers) == 3
    leased, parked = await world.db.read(_budget)
    assert leased == 0
    assert parked > 0


def _budget(tx: Connection) -> tuple[int, int]:
    leased = tx.execute(select(func.count()).select_from(budget.budget_lease)).scalar_one()
    return leased, tx.execute(select(budget.budget_server.c.parked_until)).scalar_one()


async def test_checks_side_by_side_decide_once(world: World) -> None:
    row = await world.row()
    one, two = await asyncio.gather(world.tell(row), world.tell(row))
    assert one == two


async def test_rows_go_over_the_bus_and_come_out_as_verdicts(world: World) -> None:
    broker = MemoryBroker()
    panel, bus = MemoryBus(broker, "panel"), MemoryBus(broker, "validator")
    rows = [await world.row(f"user{n}") for n in range(6)]
    await panel.publish([*rows, *rows])
    stop = asyncio.Event()
    edge = Edge(bus, SystemClock(), world.heart.outbox)
    running = asyncio.create_task(run_keyed(edge, world.heart.handle, stop))
    async with asyncio.timeout(20):
        while len(broker.records("mailhaul.row-checks")) < len(rows):
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
    stop.set()
    await running
    checks = [decode(record) for record in broker.records("mailhaul.row-checks")]
    assert sorted(check.line for check in checks if isinstance(check, RowChecked)) == list(range(1, 7))
    assert {check.state for check in checks if isinstance(check, RowChecked)} == {CheckState.PASSED}


@pytest.mark.joint(36)
def test_joint_36_check_does_the_same_by_hand_and_stores_nothing(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path_factory.mktemp("home")
    file = tmp_path_factory.mktemp("upload") / "rows.csv"
    row = 'alice@example.org;localhost:{port};alice@old.example.com;"{password}"\r\n'
    good = row.format(port=servers.source.imaps_port, password=PASSWORD)
    bad = "bob@example.org;127.0.0.1;bob@old.example.com;wrong-canary\r\n"
    settings = settings_of(servers, state_dir=home)
    words = [str(file), "--allow-network", "127.0.0.0/8"]
    file.write_text(good, encoding="utf-8")
    assert check_file(words, settings) == 0
    assert "Line 1, alice@example.org: 5 folders, 8 messages" in capsys.readouterr().out
    file.write_text(bad, encoding="utf-8")
    assert check_file([*words, "-o", "json"], settings) == 3
    shown = capsys.readouterr()
    assert "canary" not in shown.out + shown.err
    assert list(home.iterdir()) == []
