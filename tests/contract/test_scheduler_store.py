"""The scheduler's SQL, on both databases: a whole life, caps, several schedulers at once."""

import asyncio
from collections.abc import Callable, Iterator
from random import Random

import pytest

from mailhaul import events as e
from mailhaul.db import Database
from mailhaul.ids import CustomerId, MigrationId
from mailhaul.kafka.outbox import Outbox
from mailhaul.states import CheckState, MigrationState
from services.scheduler.case import Policy
from services.scheduler.heart import Scheduler
from tests.scheduler_world import World, after, names


@pytest.fixture
def world(schema_url: str) -> Iterator[World]:
    made = World(schema_url, mailboxes_per_server=3)
    yield made
    asyncio.run(made.database.close())


def test_a_whole_life(world: World) -> None:
    world.deliver(*world.submission(4, second=after(60)))
    for line in (1, 2, 3):
        world.check(line)
    told = world.tick(minutes=15)
    assert names(told) == ["RowChecked", "MigrationRejected", "NoticeRequested"]
    row = world.submission(4)[4]
    told = world.ask(e.LeaveOutRowRequested, row_id=row.row_id)  # type: ignore[attr-defined]
    assert names(told) == ["RowLeftOut", "MigrationAccepted"]
    triggers = world.triggers()
    assert len(triggers) == 3
    world.finish(*triggers[:2])
    world.fail(triggers[2], "over_quota")
    assert world.state() is MigrationState.NEEDS_ATTENTION
    world.ask(e.RetryRequested, mailbox_id=None)
    (again,) = world.triggers()
    world.ask(e.PauseRequested)
    world.ask(e.ResumeRequested)
    world.finish(again)
    assert world.state() is MigrationState.READY_FOR_CUTOVER
    second = world.triggers(hours=1)
    assert len(second) == 3
    world.finish(*second)
    assert world.state() is MigrationState.DONE
    assert names(world.ask(e.DeleteRequested)) == ["MigrationDeleted"]


def test_a_late_owner_joins(world: World) -> None:
    world.deliver(*world.submission(2))
    world.check(1, CheckState.WAITING_FOR_OWNER)
    world.check(2)
    (trigger,) = world.triggers()
    assert names(world.check(1)) == []
    (late,) = world.triggers()
    world.finish(trigger)
    assert names(world.finish(late)) == ["RunFinished", "MigrationFinished"]


def test_joint_13_caps_hold(world: World) -> None:
    for number in range(3):
        world.accepted(3, migration=MigrationId(f"m{number}"), customer=CustomerId(f"c{number}"))
    triggers = world.triggers()
    assert sorted(trigger.customer_id for trigger in triggers) == ["c0", "c1", "c2"]
    world.finish(triggers[0])
    assert len(world.triggers()) == 1


async def test_two_schedulers_decide_each_thing_once(
    schema_url: str, open_databases: Callable[[str], Database]
) -> None:
    """Redelivered to both at once, as around a rebalance: every fact has one id, every mailbox one trigger."""
    sides = [open_databases(schema_url) for _ in range(2)]
    schedulers = [Scheduler(Policy(rng=Random(number), mailboxes_per_server=100)) for number in range(2)]
    outboxes = [Outbox(side, "scheduler") for side in sides]
    await sides[0].write(schedulers[0].prepare)
    script = World()
    customers = [(MigrationId(f"m{number}"), CustomerId(f"c{number}")) for number in range(4)]
    causes = []
    for migration, customer in customers:
        causes += script.submission(5, migration=migration, customer=customer)
        causes += [script.verdict(line, migration=migration, customer=customer) for line in range(1, 6)]
    script.database.engine.dispose()
    told: list[str] = []

    async def side(number: int) -> None:
        for begin in range(0, len(causes), 4):
            batch = [(cause, "") for cause in causes[begin : begin + 4]]
            for decided in await outboxes[number].decide_all(schedulers[number].decide, batch):
                told.extend(message.event_id for message in decided.messages)
            told.extend(message.event_id for message in await outboxes[number].commit(schedulers[number].tick))

    await asyncio.gather(side(0), side(1))
    for _ in range(3):
        told.extend(message.event_id for message in await outboxes[0].commit(schedulers[0].tick))
    # 4 accepted, 4 runs started, 20 mailboxes triggered.
    assert len(set(told)) == 28
