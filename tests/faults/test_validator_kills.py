"""The validator as a process on a real broker, killed between its decision and its word: every row one verdict."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from mailhaul import directory as grants
from mailhaul import vault
from mailhaul.db import Database, embedded_url, open_database
from mailhaul.db.upgrade import upgrade
from mailhaul.events import Endpoint, RowChecked, RowSubmitted, Rules
from mailhaul.ids import CustomerId, MigrationId, mailbox_id, row_id
from mailhaul.kafka.admin import TopicsAdmin
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.bus import Record
from mailhaul.kafka.codec import decode
from mailhaul.kafka.connection import Cluster
from mailhaul.stack.certificates import Authority
from mailhaul.stack.dovecot import Dovecot, DovecotSettings
from mailhaul.states import CheckState
from mailhaul.vault_keys import load_sealer, make_vault_keys

CUSTOMER, MIGRATION = CustomerId("c1"), MigrationId("6f0c1a52-6a0e-5a1c-8f1e-6f1c1d3f7c11")
PASSWORD, MASTER_PASSWORD = "canary-row-8d1", "canary-master-2f6"
ROWS, KILLS = 12, 5
NAMES = ["mailhaul.rows", "mailhaul.migrations", "mailhaul.row-checks", "mailhaul.plans", "dlq.mailhaul.validator"]


@pytest.fixture
def server(mail_authority: Authority) -> Iterator[Dovecot]:
    """Source and destination in one: each row moves a mailbox from one user to another."""
    made = Dovecot("both", mail_authority, DovecotSettings(master_users={"migration": MASTER_PASSWORD}))
    made.add_users({f"old{n}@example.org": PASSWORD for n in range(ROWS)})
    made.add_users({f"new{n}@example.org": "unknown" for n in range(ROWS)})
    made.start()
    yield made
    made.close()


def environment(broker: str, prefix: str, state: Path, server: Dovecot, failpoint: str) -> dict[str, str]:
    settings = {
        "KAFKA__BOOTSTRAP": broker,
        "KAFKA__PREFIX": prefix,
        "KAFKA__SESSION_TIMEOUT": "3",
        "STATE_DIR": str(state),
        "PLATFORM__HOST": "localhost",
        "PLATFORM__PORT": str(server.imaps_port),
        "PLATFORM__CA_FILE": str(server.ca_file),
        "PLATFORM__MASTER_USER": "migration",
        "PLATFORM__MASTER_PASSWORD": MASTER_PASSWORD,
        "SOURCE__ALLOW_NETWORKS": '["127.0.0.0/8"]',
        "SOURCE__PORTS": f"[{server.imaps_port}]",
        "SOURCE__CA_FILE": str(server.ca_file),
        "FAILPOINTS": failpoint,
    }
    return os.environ | {f"MAILHAUL_{name}": value for name, value in settings.items()}


async def submit(db: Database, state: Path, bus: AIOKafkaBus, server: Dovecot) -> None:
    make_vault_keys(state / "vault.key", state / "vault.pub")
    sealer = load_sealer(state / "vault.pub")
    await db.write(lambda tx: sealer.make_key(tx, CUSTOMER, MIGRATION, 0))
    await db.write(lambda tx: grants.grant(tx, CUSTOMER, "example.org", "operator", 0))
    source = Endpoint(host="localhost", port=server.imaps_port, tls="implicit")
    rows = []
    for n in range(ROWS):
        number, user = row_id(MIGRATION, n), f"old{n}@example.org"
        binding = vault.Binding.of_row(
            customer_id=CUSTOMER, migration_id=MIGRATION, row_id=number, source=source, source_user=user
        )
        ref = await db.write(lambda tx, b=binding: sealer.seal(tx, b, SecretStr(PASSWORD), 0))  # type: ignore[misc]
        rows.append(
            RowSubmitted(
                event_id=f"row-{n}",
                at=datetime.now(UTC),
                migration_id=MIGRATION,
                customer_id=CUSTOMER,
                row_id=number,
                row_version=1,
                line=n,
                mailbox_id=mailbox_id(f"new{n}@example.org"),
                destination=f"new{n}@example.org",
                source=source,
                source_user=user,
                master_user="",
                secret_ref=ref,
                rules=Rules(),
            )
        )
    await bus.publish(rows)


async def verdicts(bus: AIOKafkaBus) -> list[Record]:
    return [record async for record in bus.scan(["mailhaul.row-checks"])]


async def test_five_kills_and_every_row_has_one_verdict(
    broker: str, topic_prefix: str, tmp_path: Path, server: Dovecot
) -> None:
    cluster = Cluster(bootstrap=broker, prefix=topic_prefix)
    await asyncio.to_thread(TopicsAdmin(cluster, replication=1).create, NAMES)
    db = open_database(embedded_url(tmp_path))
    await upgrade(db)
    orders = [f"validator.{place}=kill@{n}" for place, n in (("checked", 1), ("decided", 1), ("decided", 2))]
    orders += ["validator.checked=kill@3", "validator.decided=kill@1"]
    async with AIOKafkaBus(cluster, "panel") as bus:
        await submit(db, tmp_path, bus, server)
        for order in orders[:KILLS]:
            assert await run(broker, topic_prefix, tmp_path, server, order) == -9
        assert await run(broker, topic_prefix, tmp_path, server, "", bus) == 0
        records = await verdicts(bus)
    await db.close()
    events = [decode(record) for record in records]
    by_line: dict[int, set[bytes]] = {}
    for record, event in zip(records, events, strict=True):
        assert isinstance(event, RowChecked)
        assert event.state is CheckState.PASSED
        by_line.setdefault(event.line, set()).add(record.value or b"")
    assert sorted(by_line) == list(range(ROWS))
    assert all(len(bodies) == 1 for bodies in by_line.values())
    logs = (tmp_path / "validator.log").read_bytes()
    assert b"canary" not in logs + b"".join(record.value or b"" for record in records)


async def run(
    broker: str, prefix: str, state: Path, server: Dovecot, failpoint: str, bus: AIOKafkaBus | None = None
) -> int:
    """A validator until it dies by its failpoint or, with `bus`, until every row has its verdict."""
    with (state / "validator.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.validator",
            env=environment(broker, prefix, state, server, failpoint),
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        async with asyncio.timeout(40):
            while bus is not None and len({record.value for record in await verdicts(bus)}) < ROWS:
                await asyncio.sleep(0.2)
            if bus is not None:
                process.terminate()
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
