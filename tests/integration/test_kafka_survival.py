"""Joint 18 on a real broker: what the client's own calls do not survive, the run loop does."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from mailhaul import events, topics
from mailhaul.clock import SystemClock
from mailhaul.errors import MailhaulError
from mailhaul.events import Event
from mailhaul.kafka.admin import TopicsAdmin
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus, producer_options
from mailhaul.kafka.aiokafka_consumer import consumer_options
from mailhaul.kafka.bus import Message
from mailhaul.kafka.client_log import StormFilter, calm
from mailhaul.kafka.codec import decode
from mailhaul.kafka.connection import Cluster, cluster, confluent_options
from mailhaul.kafka.run_loop import Edge, run
from mailhaul.settings import KafkaSettings
from mailhaul.stack.broker import Broker
from mailhaul.stack.ports import free_ports
from tests.event_samples import sample

REQUESTS, MIGRATIONS = "mailhaul.requests", "mailhaul.migrations"


@pytest.fixture
def where(broker: str, topic_prefix: str) -> Cluster:
    where = Cluster(bootstrap=broker, prefix=topic_prefix, session_timeout=3.0)
    TopicsAdmin(where, replication=1).create([REQUESTS, MIGRATIONS])
    return where


async def answering(event: Event) -> AsyncIterator[Event | Message]:
    yield sample(events.MigrationPaused, 1, migration_id="m1", event_id=f"a-{event.event_id}")


async def said(bus: AIOKafkaBus) -> set[str]:
    return {decode(record).event_id async for record in bus.scan([MIGRATIONS])}


async def test_promise_1_the_effective_configuration(where: Cluster) -> None:
    producer = AIOKafkaProducer(**producer_options(where))
    consumer = AIOKafkaConsumer(**consumer_options(where, "g"))
    try:
        await producer.start()
        sender = producer._sender
        assert sender._acks == -1
        assert producer._txn_manager is not None  # idempotent
        assert producer._txn_manager.transactional_id is None
        assert producer._message_accumulator._linger_time == 0
        assert consumer._enable_auto_commit is False
        assert consumer._auto_offset_reset == "earliest"
        assert consumer._group_instance_id is None  # joint 19
        assert consumer._session_timeout_ms == 3000
        assert consumer._heartbeat_interval_ms * 3 < consumer._session_timeout_ms
    finally:
        await producer.stop()
        await consumer.stop()


def test_a_secured_cluster_is_reached_by_sasl_over_tls(mail_authority: object) -> None:
    ca_file = Path(str(getattr(mail_authority, "ca_file")))  # noqa: B009  # typed loosely: another's fixture
    settings = KafkaSettings.model_validate(
        {
            "bootstrap": "kafka.example.net:9093",
            "prefix": "eu.",
            "security_protocol": "SASL_SSL",
            "sasl_username": "mailhaul",
            "sasl_password": "canary-kafka",
            "ca_file": ca_file,
        }
    )
    secured = cluster(settings)
    assert "canary-kafka" not in repr(secured)
    options = producer_options(secured)
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["ssl_context"].check_hostname
    assert confluent_options(secured)["ssl.ca.location"] == str(ca_file)


async def test_joint_18_a_start_waits_for_the_broker(where: Cluster) -> None:
    async with Relay(where.bootstrap) as relay:
        bus = AIOKafkaBus(Cluster(bootstrap=relay.address, prefix=where.prefix), "scheduler")
        starting = asyncio.create_task(bus.start())
        await asyncio.sleep(1.2)
        assert not starting.done()
        await relay.listen()
        async with asyncio.timeout(15):
            await starting
        await bus.publish([sample(events.PauseRequested, 0)])
        await bus.stop()


class Relay:
    """An address that somebody begins to listen on: a way to the broker, good enough for a first connection."""

    def __init__(self, target: str) -> None:
        self._target = target
        [self._port] = free_ports(1)
        self._server: asyncio.Server | None = None
        self._pumps: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> "Relay":
        return self

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._target.split(":")
        other, sink = await asyncio.open_connection(host, int(port))
        self._writers += [writer, sink]
        self._pumps += [asyncio.create_task(_pump(reader, sink)), asyncio.create_task(_pump(other, writer))]

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._pumps:
            task.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        target.write(data)
        await target.drain()


async def test_joint_18_a_topic_that_does_not_exist_is_named_at_once(where: Cluster) -> None:
    async with AIOKafkaBus(where, "scheduler") as bus, asyncio.timeout(10):
        with pytest.raises(MailhaulError, match=r"mailhaul\.rows") as caught:
            await bus.consumer("scheduler", [REQUESTS, "mailhaul.rows"]).start()
    assert caught.value.code == "topics_missing"


async def test_joint_18_a_silent_broker_is_waited_for_and_seen(broker_process: Broker, where: Cluster) -> None:
    pid = broker_process.pid
    assert pid is not None
    bus = AIOKafkaBus(where, "scheduler")
    await bus.start()
    stop = asyncio.Event()
    loop = asyncio.create_task(run(Edge(bus, SystemClock()), answering, stop, topics=[topics.REQUESTS]))
    await bus.publish([sample(events.PauseRequested, 0)])
    async with asyncio.timeout(10):
        while not await said(bus):
            await asyncio.sleep(0.1)
    os.kill(pid, signal.SIGSTOP)
    try:
        sending = asyncio.create_task(bus.publish([sample(events.PauseRequested, 1)]))
        await asyncio.sleep(1.0)
        assert not sending.done()
        assert bus.unacknowledged_for() > 0.9
        # A wait that is given up does not withdraw the record.
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert not loop.done()
    finally:
        os.kill(pid, signal.SIGCONT)
    async with asyncio.timeout(20):
        while len(await said(bus)) < 2:
            await asyncio.sleep(0.1)
    assert bus.unacknowledged_for() == 0.0
    stop.set()
    async with asyncio.timeout(10):
        await loop
    await bus.stop()


async def test_joint_18_a_bus_and_a_member_end_although_the_broker_is_silent(
    broker_process: Broker, where: Cluster
) -> None:
    pid = broker_process.pid
    assert pid is not None
    bus = AIOKafkaBus(where, "scheduler")
    await bus.start()
    member = bus.consumer("scheduler", [REQUESTS])
    await member.start()
    os.kill(pid, signal.SIGSTOP)
    try:
        sending = asyncio.create_task(bus.publish([sample(events.PauseRequested, 1)]))
        await asyncio.sleep(0.2)
        async with asyncio.timeout(15):
            await asyncio.gather(member.stop(), bus.stop())
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_joint_18_the_clients_log_storm_is_calmed() -> None:
    now = 0.0
    storm = StormFilter(30.0, lambda: now)
    logger = logging.getLogger("aiokafka.storm")
    calm("aiokafka.storm", storm)
    calm("aiokafka.storm", storm)
    assert logger.filters == [storm]

    def passes(message: str, *values: object) -> bool:
        return bool(storm.filter(logger.makeRecord(logger.name, logging.ERROR, "", 0, message, values, None)))

    assert passes("Unable to connect to %s", "a")
    assert not passes("Unable to connect to %s", "b")
    assert passes("Another thing")
    now = 31.0
    assert passes("Unable to connect to %s", "c")
