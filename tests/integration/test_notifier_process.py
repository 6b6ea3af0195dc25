"""The notifier as a process on a real broker, killed at the worst instants: every mail accepted, repeats byte-equal."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest

from mailhaul.events import NotificationChanged
from mailhaul.failpoints import VARIABLE
from mailhaul.kafka.admin import TopicsAdmin
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.codec import decode
from mailhaul.kafka.connection import Cluster
from mailhaul.stack.child import Child
from mailhaul.stack.smtp import SMTPSink
from tests.notifier_samples import finished, hindered

SECONDS = 40.0
NOTIFICATIONS = "mailhaul.notifications"
TOPICS = [f"mailhaul.{name}" for name in ("run-completions", "notices", "migrations", "notifications")]


class Process:
    """The notifier's process, started as often as it takes."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.log = directory / "notifier.log"
        self.environment = environment
        self.child: Child | None = None

    def start(self, failpoints: str = "") -> None:
        environment = self.environment | {VARIABLE: failpoints}
        self.child = Child("notifier", [sys.executable, "-m", "services.notifier"], self.log, environment=environment)

    async def died(self) -> int:
        """The exit status, once there is one."""
        assert self.child is not None
        async with asyncio.timeout(SECONDS):
            while self.child.status is None:
                await asyncio.sleep(0.05)
        return self.child.status

    def end(self) -> int:
        assert self.child is not None
        return self.child.stop()


@pytest.fixture
async def bus(broker: str, topic_prefix: str) -> AsyncIterator[AIOKafkaBus]:
    where = Cluster(bootstrap=broker, prefix=topic_prefix, session_timeout=6.0)
    await asyncio.to_thread(TopicsAdmin(where, replication=1).create, TOPICS)
    started = AIOKafkaBus(where, "scheduler")
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
def process(
    broker: str, topic_prefix: str, sqlite_schema_url: str, smtp_sink: SMTPSink, directory: Path
) -> Iterator[Process]:
    made = Process(
        directory,
        dict(os.environ)
        | {
            "MAILHAUL_KAFKA__BOOTSTRAP": broker,
            "MAILHAUL_KAFKA__PREFIX": topic_prefix,
            "MAILHAUL_KAFKA__SESSION_TIMEOUT": "6",
            "MAILHAUL_DATABASE__URL": sqlite_schema_url,
            "MAILHAUL_SMTP__HOST": smtp_sink.host,
            "MAILHAUL_SMTP__PORT": str(smtp_sink.port),
            "MAILHAUL_SMTP__SENDER": "Mailhaul <mailhaul@platform.test>",
            "MAILHAUL_NOTIFIER__CLAIM_SECONDS": "1",
            "MAILHAUL_NOTIFIER__LOOK_SECONDS": "0.1",
        },
    )
    yield made
    if made.child is not None:
        made.child.kill()


async def told(bus: AIOKafkaBus, count: int) -> list[NotificationChanged]:
    async with asyncio.timeout(SECONDS):
        while True:
            records = [record async for record in bus.scan([NOTIFICATIONS])]
            if len(records) >= count:
                return [cast("NotificationChanged", decode(record)) for record in records]
            await asyncio.sleep(0.1)


async def test_killed_between_acceptance_and_flag_it_repeats_the_same_octets(
    bus: AIOKafkaBus, process: Process, smtp_sink: SMTPSink
) -> None:
    process.start("notifier.accepted=kill@2")
    await bus.publish([finished(recipients=("a@example.com", "b@example.com", "c@example.com"))])
    assert await process.died() == -9
    process.start("notifier.decided=kill@1")
    await bus.publish([hindered(event_id="other", migration_id="migration-2", run_id="other")])
    assert await process.died() == -9
    process.start()
    changed = await told(bus, 4)
    assert process.end() == 0
    assert {each.state for each in changed} == {"sent"}
    assert len({each.notification_id for each in changed}) == 4
    kept: dict[str, set[bytes]] = {}
    for each in smtp_sink.mails():
        kept.setdefault(each.recipients[0], set()).add(each.content)
    assert sorted(kept) == ["a@example.com", "admin@example.com", "b@example.com", "c@example.com"]
    assert {len(contents) for contents in kept.values()} == {1}
    assert len(smtp_sink.mails()) > 4
    assert "Traceback" not in process.log.read_text()
