"""What every bus does, in memory and on Kafka: order within a key, commits, rebalances, scans."""

import asyncio

import pytest

from mailhaul import events, topics
from mailhaul.events import Event
from mailhaul.kafka.bus import Bus, Message, TopicPartition
from mailhaul.kafka.codec import decode
from mailhaul.kafka.run_loop import after
from tests.event_samples import sample
from tests.fixtures_bus import Stage, read, silence, until

REQUESTS = "mailhaul.requests"


def asked(count: int, *, keys: int = 5) -> list[Event]:
    return [sample(events.PauseRequested, n, migration_id=f"m{n % keys}", event_id=f"e{n}") for n in range(count)]


class Told:
    """A listener that remembers, and may seek."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, frozenset[TopicPartition]]] = []

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        self.heard.append(("revoked", partitions))

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self.heard.append(("assigned", partitions))


async def published(stage: Stage, count: int, *, keys: int = 5) -> tuple[Bus, list[Event]]:
    bus = await stage.bus("panel")
    sent = asked(count, keys=keys)
    await bus.publish(sent)
    return bus, sent


async def test_a_new_group_reads_everything_from_the_earliest_in_each_keys_order(stage: Stage) -> None:
    bus, sent = await published(stage, 40)
    consumer = bus.consumer("scheduler", [REQUESTS])
    await consumer.start()
    records = await read(consumer, 40)
    await consumer.stop()
    got = [decode(record) for record in records]
    assert sorted(event.event_id for event in got) == sorted(event.event_id for event in sent)
    for key in {record.key for record in records}:
        mine = [event for event, record in zip(got, records, strict=True) if record.key == key]
        assert mine == [event for event in sent if f"m{int(event.event_id[1:]) % 5}" == key.decode()]
        assert len({record.source for record in records if record.key == key}) == 1
    assert {record.topic for record in records} == {REQUESTS}


async def test_an_event_of_two_topics_goes_where_it_is_told(stage: Stage) -> None:
    bus = await stage.bus("meter")
    window = sample(events.ThroughputWindow, 1)
    await bus.publish([window], topic=topics.SERVER_THROUGHPUT)
    found = [record async for record in bus.scan(["mailhaul.server-throughput", "mailhaul.migration-throughput"])]
    assert [(record.topic, decode(record)) for record in found] == [("mailhaul.server-throughput", window)]


async def test_bytes_and_headers_arrive_as_they_were_sent(stage: Stage) -> None:
    bus = await stage.bus("panel")
    odd = Message(topic=REQUESTS, key="ä".encode(), value=b"\x00\xff", headers=(("a", b"1"), ("a", b"2"), ("b", b"")))
    await bus.publish_raw([odd])
    [record] = [record async for record in bus.scan([REQUESTS])]
    assert (record.key, record.value, record.headers) == (odd.key, odd.value, odd.headers)


async def test_what_was_committed_is_not_read_again_and_the_rest_is(stage: Stage) -> None:
    bus, _ = await published(stage, 30)
    first = bus.consumer("scheduler", [REQUESTS])
    await first.start()
    records = await read(first, 30)
    half = [record for record in records if record.offset < 3]
    assert await first.commit(after(half))
    await first.stop()
    second = bus.consumer("scheduler", [REQUESTS])
    await second.start()
    again = await read(second, 30 - len(half))
    assert {record.place for record in again} == {record.place for record in records} - {
        record.place for record in half
    }
    await silence(second)
    await second.stop()


async def test_members_share_the_partitions_and_inherit_them(stage: Stage) -> None:
    bus, _ = await published(stage, 20)
    told = Told()
    first = bus.consumer("scheduler", [REQUESTS], told)
    await first.start()
    await until(lambda: len(first.assignment()) == 3, [first])
    second = bus.consumer("scheduler", [REQUESTS])

    joining = asyncio.create_task(second.start())
    await until(joining.done, [first])
    await until(lambda: 0 < len(second.assignment()) == 3 - len(first.assignment()), [first, second])
    assert first.assignment().isdisjoint(second.assignment())
    everything = frozenset(TopicPartition(REQUESTS, number) for number in range(3))
    assert told.heard[:3] == [("assigned", everything), ("revoked", everything), ("assigned", first.assignment())]
    await second.stop()
    await until(lambda: len(first.assignment()) == 3, [first])
    await first.stop()


async def test_a_commit_for_what_is_not_held_is_refused(stage: Stage) -> None:
    bus, _ = await published(stage, 10)
    consumer = bus.consumer("scheduler", [REQUESTS])
    await consumer.start()
    await read(consumer, 10)
    assert not await consumer.commit({TopicPartition("mailhaul.migrations", 0): 1})
    await consumer.stop()


async def test_a_paused_partition_is_silent_and_a_resumed_one_goes_on(stage: Stage) -> None:
    bus, _ = await published(stage, 10)
    consumer = bus.consumer("scheduler", [REQUESTS])
    await consumer.start()
    await read(consumer, 10)
    consumer.pause(consumer.assignment())
    await bus.publish(asked(10))
    await silence(consumer)
    consumer.resume(consumer.assignment())
    assert len(await read(consumer, 10)) == 10
    await consumer.stop()


class Seeking(Told):
    """Starts every partition at its second record."""

    def __init__(self, bus: Bus) -> None:
        super().__init__()
        self.consumer = bus.consumer("scheduler", [REQUESTS], self)

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        for place in partitions:
            self.consumer.seek(place, 1)


async def test_reading_begins_where_the_listener_sought(stage: Stage) -> None:
    bus, _ = await published(stage, 30)
    everything = [record async for record in bus.scan([REQUESTS])]
    seeking = Seeking(bus)
    await seeking.consumer.start()
    wanted = {record.place for record in everything if record.offset >= 1}
    assert {record.place for record in await read(seeking.consumer, len(wanted))} == wanted
    await seeking.consumer.stop()


class Failing(Told):
    """Cannot take what it is given."""

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        raise LookupError("no such table")


async def test_what_a_listener_raises_reaches_the_run_loop(stage: Stage) -> None:
    bus, _ = await published(stage, 3)
    consumer = bus.consumer("scheduler", [REQUESTS], Failing())
    await consumer.start()
    with pytest.raises(LookupError, match="no such table"):
        await until(lambda: False, [consumer])
    await consumer.stop()


async def test_a_scan_reads_all_or_the_newest_or_from_a_position(stage: Stage) -> None:
    bus, sent = await published(stage, 30)
    everything = [record async for record in bus.scan([REQUESTS])]
    assert sorted(decode(record).event_id for record in everything) == sorted(event.event_id for event in sent)
    newest = [record async for record in bus.scan([REQUESTS], newest=1)]
    ends = after(everything)
    assert {record.source: record.offset + 1 for record in newest} == ends
    start = dict.fromkeys(ends, 2)
    later = [record async for record in bus.scan([REQUESTS], start=start)]
    assert {record.place for record in later} == {record.place for record in everything if record.offset >= 2}


async def test_a_scan_can_follow(stage: Stage) -> None:
    bus, _ = await published(stage, 2)
    following = bus.scan([REQUESTS], newest=0, follow=True)

    waiting = asyncio.ensure_future(anext(following))
    await asyncio.sleep(1.0)
    await bus.publish(asked(1))
    async with asyncio.timeout(10):
        record = await waiting
    assert decode(record).event_id == "e0"
    await following.aclose()  # type: ignore[attr-defined]  # a generator on both stages
