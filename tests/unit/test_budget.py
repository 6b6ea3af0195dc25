"""The budget: stops, connections per source server, parked servers."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from mailhaul import budget
from mailhaul.budget import StopLevel, allowed_connections
from mailhaul.db import SECOND, Database
from mailhaul.ids import CustomerId, MailboxId, MigrationId

MAILBOX, MIGRATION, CUSTOMER = MailboxId("mailbox-1"), MigrationId("migration-1"), CustomerId("customer-1")
LEASE = 5 * SECOND


@pytest.mark.parametrize(
    ("level", "subject"),
    [
        (StopLevel.MAILBOX, MAILBOX),
        (StopLevel.MIGRATION, MIGRATION),
        (StopLevel.CUSTOMER, CUSTOMER),
        (StopLevel.SERVER, "imap.example.org"),
        (StopLevel.RULE, "surplus"),
    ],
)
async def test_joint_09_a_stop_is_read_with_the_renewal(database: Database, level: StopLevel, subject: str) -> None:
    def reason(standing: budget.Standing) -> str | None:
        return standing.stops.reason(
            mailbox=MAILBOX, migration=MIGRATION, customer=CUSTOMER, server="imap.example.org", rule="surplus"
        )

    assert reason(await database.write(budget.renew, "worker", LEASE, 1)) is None
    await database.write(budget.stop, level, subject, "paused", 1)
    await database.write(budget.stop, level, "another", "cancelled", 1)
    assert reason(await database.write(budget.renew, "worker", LEASE, 2)) == "paused"
    await database.write(budget.stop, level, subject, "cancelled", 3)
    assert reason(await database.write(budget.renew, "worker", LEASE, 4)) == "cancelled"
    await database.write(budget.clear, level, [subject])
    await database.write(budget.clear, level, [])
    assert reason(await database.write(budget.renew, "worker", LEASE, 5)) is None


async def test_a_server_never_has_more_connections_than_allowed(
    database: Database, schema_url: str, open_databases: Callable[[str], Database]
) -> None:
    other = open_databases(schema_url)
    sides = [(database, "one"), (other, "two"), (database, "three")]
    got = await asyncio.gather(
        *(side.write(budget.acquire, "imap.example.org", worker, 3, 10, LEASE, 100) for side, worker in sides * 3)
    )
    assert sum(got) == 10
    assert max(got) == 3


async def test_connections_come_back_by_release_or_by_silence(database: Database) -> None:
    server = "imap.example.org"
    assert await database.write(budget.acquire, server, "one", 4, 4, LEASE, 0) == 4
    assert await database.write(budget.acquire, server, "two", 1, 4, LEASE, 0) == 0
    await database.write(budget.release, server, "one", 1)
    assert await database.write(budget.acquire, server, "two", 2, 4, LEASE, 0) == 1
    await database.write(budget.renew, "two", LEASE, 4 * SECOND)
    # Worker one died: its three are free when its lease is over, worker two has renewed.
    assert await database.write(budget.acquire, server, "three", 4, 4, LEASE, 6 * SECOND) == 3
    await database.write(budget.release, server, "three", 3)
    assert await database.write(budget.acquire, server, "three", 4, 4, LEASE, 6 * SECOND) == 3


async def test_joint_14_a_server_parks_once_and_with_jitter(database: Database) -> None:
    server, rng = "imap.example.org", Random(1)
    await database.write(budget.acquire, server, "one", 8, 10, LEASE, 0)
    first = await database.write(budget.park, server, 60 * SECOND, "throttled", rng, 0)
    assert 60 * SECOND <= first <= 66 * SECOND
    assert await database.write(budget.park, server, 50 * SECOND, "throttled", rng, SECOND) == first
    longer = await database.write(budget.park, server, 300 * SECOND, "throttled", rng, SECOND)
    assert longer > first
    assert await database.write(budget.acquire, server, "two", 1, 10, LEASE, SECOND) == 0
    standing = await database.write(budget.renew, "one", LEASE, SECOND)
    assert standing.parked == {server: longer}
    # Afterwards half of what was in use then, and one more each minute since the complaint.
    minutes = longer // (60 * SECOND)
    assert await database.write(budget.acquire, server, "two", 10, 10, LEASE, longer) == 4 + minutes - 0 - 0
    assert (await database.write(budget.renew, "one", LEASE, longer)).parked == {}


@pytest.mark.parametrize(
    ("allowed", "throttled_at", "at", "expected"),
    [(None, None, 0, 20), (4, 0, 0, 4), (4, 0, 60 * SECOND, 5), (4, 0, 3600 * SECOND, 20)],
)
def test_the_allowance_recovers(allowed: int | None, throttled_at: int | None, at: int, expected: int) -> None:
    assert allowed_connections(20, allowed, throttled_at, at) == expected
