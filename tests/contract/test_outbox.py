"""Decide, publish, flag on both databases (joint 5): one decision, one payload, however often it is sent."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Connection, func, select, update

from mailhaul import events
from mailhaul.db import Database
from mailhaul.errors import InvalidEvent
from mailhaul.events import Event
from mailhaul.kafka.bus import Message
from mailhaul.kafka.codec import decode
from mailhaul.kafka.memory_bus import MemoryBroker, MemoryBus
from mailhaul.kafka.outbox import Outbox
from tests.event_samples import changed, sample

MIGRATIONS = "mailhaul.migrations"


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database, "scheduler")


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(MemoryBroker(), "scheduler")


def asked(number: int = 0) -> Event:
    return sample(events.PauseRequested, number, event_id=f"e{number}", migration_id="m1")


def facts(cause: str, count: int) -> list[Event]:
    return [sample(events.MigrationPaused, n, event_id=f"{cause}-{n}", migration_id="m1") for n in range(count)]


def ids(messages: Sequence[Message]) -> list[str]:
    return [decode(message).event_id for message in messages]


async def decided(outbox: Outbox, *causes: Event, count: int = 2) -> list[Message]:
    def decide(tx: Connection, event: Event) -> list[Event]:
        return facts(event.event_id, count)

    results = await outbox.decide_all(decide, [(cause, "") for cause in causes])
    return [message for result in results for message in result.messages]


async def rows(outbox: Outbox) -> int:
    return await outbox.db.read(lambda tx: int(tx.execute(select(func.count()).select_from(outbox.table)).scalar_one()))


async def test_joint_05_the_same_cause_gives_the_first_bytes_again(outbox: Outbox) -> None:
    first = await decided(outbox, asked())
    assert ids(first) == ["e0-0", "e0-1"]

    def other(tx: Connection, event: Event) -> list[Event]:
        raise AssertionError("it was decided before")

    [again] = await outbox.decide_all(other, [(asked(), "")])
    assert list(again.messages) == first
    assert await rows(outbox) == 2


async def test_joint_05_the_same_id_keeps_its_first_payload(outbox: Outbox) -> None:
    [event] = facts("x", 1)
    first = await outbox.db.write(lambda tx: outbox.put(tx, [event]))
    later = changed(event, at=event.at + timedelta(hours=1))
    assert await outbox.db.write(lambda tx: outbox.put(tx, [later])) == first
    assert await rows(outbox) == 1


async def test_a_decision_of_nothing_is_a_decision(outbox: Outbox) -> None:
    assert await decided(outbox, asked(), count=0) == []
    assert await decided(outbox, asked(), count=2) == []


async def test_an_impossible_event_in_a_batch_undoes_only_itself(outbox: Outbox) -> None:
    def decide(tx: Connection, event: Event) -> list[Event]:
        outbox.put(tx, facts(f"side-{event.event_id}", 1))
        if event.event_id == "e1":
            raise InvalidEvent("impossible", "that cannot be")
        return facts(event.event_id, 1)

    results = await outbox.decide_all(decide, [(asked(n), "") for n in range(3)])
    assert [ids(result.messages) for result in results] == [["e0-0"], [], ["e2-0"]]
    assert results[1].refused is not None
    assert await rows(outbox) == 4


async def test_twice_in_one_batch_is_decided_once(outbox: Outbox) -> None:
    assert ids(await decided(outbox, asked(), asked(), count=1)) == ["e0-0", "e0-0"]
    assert await rows(outbox) == 1


async def test_joint_05_what_was_never_flagged_is_relayed_in_order_and_once(outbox: Outbox, bus: MemoryBus) -> None:
    for number in range(3):
        await decided(outbox, asked(number))
    await outbox.flag(await decided(outbox, asked(1)))
    assert await outbox.relay(bus, older_than=60.0) == 0
    assert await outbox.relay(bus) == 4
    assert [decode(record).event_id for record in bus.broker.records(MIGRATIONS)] == ["e0-0", "e0-1", "e2-0", "e2-1"]
    assert await outbox.relay(bus) == 0


async def test_joint_05_a_broker_that_is_away_loses_no_decision(outbox: Outbox, bus: MemoryBus) -> None:
    messages = await decided(outbox, asked())
    bus.broker.reachable.clear()
    sending = asyncio.create_task(outbox.send(bus, messages))
    await asyncio.sleep(0.05)
    sending.cancel()  # the process dies while it waits
    await asyncio.gather(sending, return_exceptions=True)
    bus.broker.reachable.set()
    assert await outbox.relay(bus) == 2
    assert [record.value for record in bus.broker.records(MIGRATIONS)] == [message.value for message in messages]


async def test_a_tick_is_stored_with_its_rows_or_not_at_all(outbox: Outbox) -> None:
    assert ids(await outbox.commit(lambda tx: facts("tick", 2))) == ["tick-0", "tick-1"]

    def failing(tx: Connection) -> list[Event]:
        outbox.put(tx, facts("lost", 1))
        raise ArithmeticError("a bug")

    with pytest.raises(ArithmeticError):
        await outbox.commit(failing)
    assert await rows(outbox) == 2


async def age(outbox: Outbox, days: int) -> None:
    earlier = outbox.table.c.flagged_at - days * 86_400_000_000
    await outbox.db.write(lambda tx: tx.execute(update(outbox.table).values(flagged_at=earlier)) and None)


async def test_old_rows_lose_their_payload_and_then_go(outbox: Outbox) -> None:
    await outbox.flag(await decided(outbox, asked(0)))
    await age(outbox, 8)
    await outbox.flag(await decided(outbox, asked(1)))
    unflagged = await decided(outbox, asked(2))
    await outbox.purge()
    # Decided and sent long ago: nothing is sent again, and nothing is decided again.
    assert await decided(outbox, asked(0)) == []
    assert ids(await decided(outbox, asked(1))) == ["e1-0", "e1-1"]
    await age(outbox, 90)
    await outbox.purge()
    assert await rows(outbox) == 2
    assert await decided(outbox, asked(2)) == unflagged


async def test_joint_10_of_a_deleted_migration_only_the_fact_of_deciding_is_left(outbox: Outbox) -> None:
    await outbox.flag(await decided(outbox, asked(0)))
    await decided(outbox, asked(1), count=0)
    await outbox.db.write(lambda tx: outbox.forget(tx, "m1"))
    text = await outbox.db.read(lambda tx: str([tuple(row) for row in tx.execute(select(outbox.table))]))
    assert "m1" not in text
    assert await decided(outbox, asked(0), asked(1)) == []
    await age(outbox, 91)
    await outbox.purge()
    assert await rows(outbox) == 0
