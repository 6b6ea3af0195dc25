"""The meter as processes on a real broker: twelve partitions, two workers, one killed, and every octet counted once."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailhaul import topics
from mailhaul.events import FolderProgressed, ThroughputWindow
from mailhaul.kafka.admin import TopicsAdmin
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.bus import Message
from mailhaul.kafka.codec import decode, encode
from mailhaul.kafka.connection import Cluster
from services.meter.app import BUG
from tests.event_samples import sample

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NAMES = ["mailhaul.folder-progress", "mailhaul.migration-throughput", "mailhaul.server-throughput"]
FOLDERS, SNAPSHOTS, STEP = 60, 12, 3


@pytest.fixture
async def bus(broker: str, topic_prefix: str) -> AsyncIterator[AIOKafkaBus]:
    where = Cluster(bootstrap=broker, prefix=topic_prefix)
    await asyncio.to_thread(TopicsAdmin(where, replication=1).create, [*NAMES, "dlq.mailhaul.meter"])
    async with AIOKafkaBus(where, "copier") as made:
        yield made


Start = Callable[..., Awaitable[Process]]


@asynccontextmanager
async def workers(broker: str, prefix: str, directory: Path) -> AsyncIterator[Start]:
    """Starts meters as their own processes; whatever lives at the end is killed."""
    running: list[Process] = []

    async def start(name: str, failpoints: str = "") -> Process:
        environment = dict(os.environ) | {
            "MAILHAUL_KAFKA__BOOTSTRAP": broker,
            "MAILHAUL_KAFKA__PREFIX": prefix,
            "MAILHAUL_KAFKA__SESSION_TIMEOUT": "3",
            "MAILHAUL_METER__WINDOW_SECONDS": "10",
            "MAILHAUL_FAILPOINTS": failpoints,
            "MAILHAUL_STATE_DIR": str(directory / name),
        }
        with (directory / f"{name}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.meter", env=environment, stdin=DEVNULL, stdout=log, stderr=log
            )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.returncode is None:
            process.kill()
        await process.wait()


def snapshot(folder: int, number: int) -> FolderProgressed:
    """Absolute counts of a folder, two seconds apart; six migrations on three servers."""
    return sample(
        FolderProgressed,
        number,
        event_id=f"p-{folder}-{number}",
        migration_id=f"m{folder % 6}",
        mailbox_id=f"b{folder}",
        folder_id=f"f{folder}",
        source_server=f"s{folder % 3}",
        run_no=1,
        epoch=1,
        seq=number,
        copied=number * STEP,
        octets_copied=number * STEP * 1000,
        at=START + timedelta(seconds=2 * number),
    )


async def totals(bus: AIOKafkaBus, topic: str) -> dict[str, int]:
    """Messages by subject: the last record of each window and part, parts added."""
    last: dict[tuple[str, datetime, int], ThroughputWindow] = {}
    async for record in bus.scan([topic]):
        event = decode(record)
        assert isinstance(event, ThroughputWindow)
        assert event.octets == event.messages * 1000
        last[event.subject, event.window_start, event.part] = event
    sums: dict[str, int] = {}
    for event in last.values():
        sums[event.subject] = sums.get(event.subject, 0) + event.messages
    return sums


async def becomes(bus: AIOKafkaBus, topic: str, wanted: dict[str, int], seconds: float = 60.0) -> None:
    found: dict[str, int] = {}
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        found = await totals(bus, topic)
        if found == wanted:
            return
        await asyncio.sleep(0.3)
    assert found == wanted


def wanted(subjects: int, letter: str, snapshots: int) -> dict[str, int]:
    return {f"{letter}{n}": FOLDERS // subjects * snapshots * STEP for n in range(subjects)}


async def test_joint_20_totals_are_exact_although_one_of_two_workers_is_killed(
    broker: str, topic_prefix: str, bus: AIOKafkaBus, tmp_path: Path
) -> None:
    async with workers(broker, topic_prefix, tmp_path) as start:
        first, second = await start("first"), await start("second")
        half = SNAPSHOTS // 2
        for number in range(1, half + 1):
            await bus.publish([snapshot(folder, number) for folder in range(FOLDERS)])
        await becomes(bus, "mailhaul.migration-throughput", wanted(6, "m", half))
        for number in range(half + 1, SNAPSHOTS + 1):
            await bus.publish([snapshot(folder, number) for folder in range(FOLDERS)])
            if number == half + 3:
                first.kill()
        await bus.publish([snapshot(folder, SNAPSHOTS) for folder in range(FOLDERS)])  # and every last one again
        await becomes(bus, "mailhaul.migration-throughput", wanted(6, "m", SNAPSHOTS))
        await becomes(bus, "mailhaul.server-throughput", wanted(3, "s", SNAPSHOTS))
        assert listening(second.pid) == set()
        second.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await second.wait() == 0


def listening(pid: int) -> set[str]:
    """The local addresses that a process listens on."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(descriptor)
        if target.startswith("socket:["):
            sockets.add(target.removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == "0A" and cells[9] in sockets:  # TCP_LISTEN
                found.add(cells[1])
    return found


async def test_joint_20_a_bug_ends_the_process_and_its_record_is_counted_by_the_next(
    broker: str, topic_prefix: str, bus: AIOKafkaBus, tmp_path: Path
) -> None:
    for number in range(1, 4):
        await bus.publish([snapshot(folder, number) for folder in range(FOLDERS)])
    async with workers(broker, topic_prefix, tmp_path) as start:
        failing = await start("failing", "meter.counted=error@50")
        async with asyncio.timeout(30):
            assert await failing.wait() == BUG
        await start("next")
        await becomes(bus, "mailhaul.migration-throughput", wanted(6, "m", 3))


async def test_an_undecodable_record_goes_aside_and_counting_goes_on(
    broker: str, topic_prefix: str, bus: AIOKafkaBus, tmp_path: Path
) -> None:
    junk = Message(topic=NAMES[0], key=b"b0", value=b"junk", headers=(("ce_id", b"j"),))
    window = encode(sample(ThroughputWindow, 1), source="copier", topic=topics.SERVER_THROUGHPUT)
    misplaced = replace(window, topic=NAMES[0])
    await bus.publish_raw([junk, misplaced])
    await bus.publish([snapshot(0, 1)])
    async with workers(broker, topic_prefix, tmp_path) as start:
        await start("only")
        await becomes(bus, "mailhaul.migration-throughput", {"m0": STEP})
    letters = [record async for record in bus.scan(["dlq.mailhaul.meter"])]
    assert {record.value for record in letters} == {b"junk", misplaced.value}
