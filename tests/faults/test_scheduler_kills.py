"""The scheduler as a process on a real broker, killed at its worst instants: nothing twice, nothing forgotten."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailhaul import events as e
from mailhaul.failpoints import VARIABLE
from mailhaul.ids import CustomerId, MigrationId
from mailhaul.kafka.admin import TopicsAdmin
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.codec import decode, header
from mailhaul.kafka.connection import Cluster
from mailhaul.stack.child import Child
from mailhaul.states import Change, Grade, MigrationState
from tests.scheduler_world import World

SECONDS = 60.0
READ = ("requests", "rows", "row-checks", "mailbox-runs")
TOPICS = [f"mailhaul.{name}" for name in (*READ, "migrations", "run-triggers", "run-completions")]
TRIGGERS, FACTS, COMPLETIONS = "mailhaul.run-triggers", "mailhaul.migrations", "mailhaul.run-completions"
MIGRATIONS = [(MigrationId(f"m{number}"), CustomerId(f"c{number}")) for number in range(3)]
# Each of them ends the process once; every start has another one.
DEATHS = (
    "scheduler.decided=kill@7",
    "scheduler.decided=kill@11",
    "scheduler.ticked=kill@2",
    "scheduler.decided=kill@3",
    "scheduler.ticked=kill@4",
)


@pytest.fixture
async def bus(broker: str, topic_prefix: str) -> AsyncIterator[AIOKafkaBus]:
    where = Cluster(bootstrap=broker, prefix=topic_prefix, session_timeout=6.0)
    await asyncio.to_thread(TopicsAdmin(where, replication=1).create, TOPICS)
    started = AIOKafkaBus(where, "copier")
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
def environment(broker: str, topic_prefix: str, sqlite_schema_url: str) -> dict[str, str]:
    return dict(os.environ) | {
        "MAILHAUL_KAFKA__BOOTSTRAP": broker,
        "MAILHAUL_KAFKA__PREFIX": topic_prefix,
        "MAILHAUL_KAFKA__SESSION_TIMEOUT": "6",
        "MAILHAUL_DATABASE__URL": sqlite_schema_url,
        "MAILHAUL_SCHEDULER__TICK": "0.05",
    }


@pytest.fixture
def processes(directory: Path, environment: dict[str, str]) -> Iterator["Processes"]:
    made = Processes(directory, environment)
    yield made
    made.child.kill()


class Processes:
    """The scheduler's process: started anew with the next death as often as it dies."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.log = directory / "scheduler.log"
        self.environment = environment
        self.deaths = 0
        self.child = self._start()

    def _start(self) -> Child:
        failpoints = DEATHS[self.deaths] if self.deaths < len(DEATHS) else ""
        command = [sys.executable, "-m", "services.scheduler"]
        return Child("scheduler", command, self.log, environment=self.environment | {VARIABLE: failpoints})

    async def keep_alive(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            if self.child.status is not None:
                assert self.child.status == -9, self.log.read_text()
                self.deaths += 1
                self.child = self._start()


async def every(bus: AIOKafkaBus, topic: str) -> list[e.Event]:
    return [decode(record) async for record in bus.scan([topic])]


async def copy(bus: AIOKafkaBus, world: World) -> None:
    """A copier that answers each trigger, once with a slice and then with the finish."""
    answered: set[str] = set()
    while True:
        for event in await every(bus, TRIGGERS):
            if isinstance(event, e.RunTriggered) and event.event_id not in answered:
                answered.add(event.event_id)
                world.now = datetime.now(UTC)
                if event.trigger_no == 1:
                    answer = world.reply(event, Change.PARKED, reason="continue", progressed=True)
                else:
                    done = {"grade": Grade.EXACT, "settled": True, "found": 10, "copied": 10}
                    answer = world.reply(event, Change.FINISHED, **done)
                await bus.publish([world.reply(event, Change.STARTED), answer])
        await asyncio.sleep(0.1)


async def finished(bus: AIOKafkaBus) -> None:
    while True:
        over = {event.migration_id for event in await every(bus, FACTS) if isinstance(event, e.MigrationFinished)}
        if len(over) == len(MIGRATIONS):
            return
        await asyncio.sleep(0.2)


async def test_killed_five_times_it_decides_everything_once(bus: AIOKafkaBus, processes: Processes) -> None:
    world = World()
    world.now = datetime.now(UTC)
    for migration, customer in MIGRATIONS:
        submission = world.submission(4, migration=migration, customer=customer)
        checks = [world.verdict(line, migration=migration, customer=customer) for line in range(1, 5)]
        await bus.publish([*submission, *checks])
    helpers = [asyncio.ensure_future(processes.keep_alive()), asyncio.ensure_future(copy(bus, world))]
    try:
        async with asyncio.timeout(SECONDS):
            await asyncio.wait([*helpers, asyncio.ensure_future(finished(bus))], return_when=asyncio.FIRST_COMPLETED)
        for helper in helpers:
            assert not helper.done() or helper.exception() is None
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        world.database.engine.dispose()
    assert processes.deaths == len(DEATHS), processes.log.read_text()
    await asyncio.to_thread(processes.child.stop)
    await _judge(bus)


async def _judge(bus: AIOKafkaBus) -> None:
    """Read from the topics alone: repeats are byte-equal, and every decision was taken once."""
    contents: dict[str, set[bytes | None]] = {}
    async for record in bus.scan([TRIGGERS, FACTS, COMPLETIONS]):
        contents.setdefault(header(record.headers, "ce_id"), set()).add(record.value)
    assert {len(values) for values in contents.values()} == {1}
    facts = {event.event_id: event for event in await every(bus, FACTS) if isinstance(event, e.MigrationFact)}
    for migration, _ in MIGRATIONS:
        mine = sorted((fact for fact in facts.values() if fact.migration_id == migration), key=lambda f: f.state_seq)
        assert [type(fact).__name__ for fact in mine] == ["MigrationAccepted", "RunStarted", "MigrationFinished"]
        assert [fact.state_seq for fact in mine] == [1, 2, 3]
        assert mine[-1].state is MigrationState.DONE
    triggers = {event.event_id: event for event in await every(bus, TRIGGERS) if isinstance(event, e.RunTriggered)}
    numbers = Counter((event.mailbox_id, event.trigger_no) for event in triggers.values())
    assert len(numbers) == 3 * 4 * 2
    assert set(numbers.values()) == {1}
    completions = {event.event_id for event in await every(bus, COMPLETIONS)}
    assert len(completions) == len(MIGRATIONS)
