"""Joint 19: static membership is asked for, and even two processes with one id do no harm behind the epoch."""

import asyncio

from mailhaul.db import Database
from mailhaul.errors import Fenced
from mailhaul.events import RunTriggered
from mailhaul.ids import MailboxId
from mailhaul.kafka.admin import TopicsAdmin
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.aiokafka_consumer import consumer_options
from mailhaul.kafka.bus import Consumer
from mailhaul.kafka.connection import Cluster, cluster
from mailhaul.settings import KafkaSettings
from mailhaul.topics import PREFIX, RUN_TRIGGERS
from services.copier.lease import Worker
from services.copier.ledger import Ledger
from tests.event_samples import sample

SECONDS = 20.0


def test_joint_19_membership_is_dynamic_unless_asked_for() -> None:
    plain = cluster(KafkaSettings(bootstrap="127.0.0.1:1"))
    assert consumer_options(plain, "g")["group_instance_id"] is None
    named = cluster(KafkaSettings(bootstrap="127.0.0.1:1", instance_id="copier-0"))
    assert consumer_options(named, "g")["group_instance_id"] == "copier-0"


async def test_joint_19_two_processes_with_one_id_cannot_both_write(
    broker: str, topic_prefix: str, database: Database
) -> None:
    where = Cluster(bootstrap=broker, prefix=topic_prefix, session_timeout=6.0, instance_id="copier-0")
    await asyncio.to_thread(TopicsAdmin(where, replication=1).create, (PREFIX + RUN_TRIGGERS.name,))
    trigger = sample(RunTriggered)
    async with AIOKafkaBus(where, "copier") as bus:
        await bus.publish([trigger])
        # Both live under one id: the second takes the partitions from the first, which is not told, and reads it too.
        members = [bus.consumer("copier", [PREFIX + RUN_TRIGGERS.name]) for _ in range(2)]
        for member in members:
            await _reading(member)
        for member in members:
            await member.stop()
    ledgers = []
    for number in range(2):
        worker = Worker(database, f"worker-{number}", None, 0.5)
        await worker.start()
        ledgers.append(await _held(worker, trigger.mailbox_id))
    assert [ledger.epoch for ledger in ledgers] == [1, 2]
    assert await ledgers[1].write(lambda tx: "written") == "written"
    try:
        await ledgers[0].write(lambda tx: "written")
    except Fenced:
        return
    raise AssertionError("the first worker wrote although the second holds the lease")


async def _reading(member: Consumer) -> None:
    await member.start()
    async with asyncio.timeout(SECONDS):
        while not await member.poll(seconds=0.2, limit=10):
            pass


async def _held(worker: Worker, mailbox: MailboxId) -> Ledger:
    async with asyncio.timeout(SECONDS):
        while (epoch := await worker.acquire(mailbox)) is None:
            await asyncio.sleep(0.1)  # the other's lease has to run out first: it is never stolen
    return Ledger(worker.database, mailbox, "pair", epoch)
