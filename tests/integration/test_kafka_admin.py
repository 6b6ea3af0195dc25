"""Topics on a real broker: made as `topics.py` says, compared, and refused when they forget too early."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from mailhaul import events, topics
from mailhaul.errors import MailhaulError
from mailhaul.kafka.admin import OFFSETS_RETENTION, TopicsAdmin, export, wanted_topics
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.connection import Cluster
from mailhaul.kafka.run_loop import after
from tests.event_samples import sample
from tests.fixtures_bus import read


@pytest.fixture
def where(broker: str, topic_prefix: str) -> Cluster:
    return Cluster(bootstrap=broker, prefix=topic_prefix, session_timeout=3.0)


def alter(where: Cluster, topic: str, setting: str, value: str) -> None:
    entry = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, where.prefix + topic, incremental_configs=[entry])
    client = AdminClient({"bootstrap.servers": where.bootstrap})
    for future in client.incremental_alter_configs([resource]).values():
        future.result(timeout=10)


def seen(true: Callable[[], bool]) -> None:
    """A broker acknowledges an alteration a moment before it shows it."""
    for _ in range(50):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("the alteration never showed")


def test_topics_are_made_once_and_then_checked_without_a_finding(where: Cluster) -> None:
    admin = TopicsAdmin(where, replication=1)
    findings = admin.check()
    wanted = {where.prefix + topic.name for topic in wanted_topics(replication=1)}
    assert {finding.topic for finding in findings} == wanted
    assert {finding.found for finding in findings} == {"missing"}
    assert set(admin.create()) == wanted
    assert admin.create() == []
    assert admin.check() == []
    admin.require_retention(longest_life=timedelta(days=75))


def test_joint_17_a_topic_that_forgets_too_early_stops_the_start(where: Cluster) -> None:
    admin = TopicsAdmin(where, replication=1)
    admin.create(["mailhaul.requests"])
    alter(where, "mailhaul.requests", "retention.ms", str(30 * 86_400_000))
    seen(lambda: [finding.setting for finding in admin.check() if finding.found != "missing"] == ["retention.ms"])
    with pytest.raises(MailhaulError, match=r"requests: retention.ms is 2592000000, wanted 7776000000") as caught:
        admin.require_retention(longest_life=timedelta(days=75))
    assert caught.value.code == "retention_too_short"
    alter(where, "mailhaul.requests", "retention.ms", "-1")
    seen(lambda: {finding.found for finding in admin.check()} == {"missing"})
    admin.require_retention(longest_life=timedelta(days=75))


def test_joint_17_a_migration_may_not_outlive_the_facts_about_it(where: Cluster) -> None:
    with pytest.raises(MailhaulError, match="longest life of a migration"):
        TopicsAdmin(where, replication=1).require_retention(longest_life=timedelta(days=90))


def test_joint_17_offsets_outlive_the_facts() -> None:
    assert all(topic.retention < OFFSETS_RETENTION for topic in topics.TOPICS)
    assert all(topic.retention >= timedelta(days=90) for topic in topics.TOPICS)


def test_production_replicates_and_the_embedded_broker_writes_through() -> None:
    embedded = {topic.name: topic for topic in wanted_topics(replication=1)}
    production = {topic.name: topic for topic in wanted_topics(replication=3)}
    assert embedded["mailhaul.rows"].partitions == 12
    assert embedded["mailhaul.rows"].config["flush.messages"] == "1"
    assert "flush.messages" not in embedded["mailhaul.folder-progress"].config
    assert production["mailhaul.rows"].partitions == 48
    assert production["mailhaul.migrations"].partitions == 12
    assert {topic.config["min.insync.replicas"] for topic in production.values()} == {"2"}
    assert not any("flush.messages" in topic.config for topic in production.values())
    assert "dlq.mailhaul.copier" in embedded


def test_the_export_is_what_would_be_made(where: Cluster) -> None:
    exported = export(where, replication=3)
    assert [topic["name"] for topic in exported] == [
        where.prefix + topic.name for topic in wanted_topics(replication=3)
    ]
    assert exported[0]["config"]["retention.ms"] == "7776000000"


def test_no_broker_is_an_error_that_may_pass() -> None:
    admin = TopicsAdmin(Cluster(bootstrap="127.0.0.1:9"), replication=1, seconds=0.5)
    with pytest.raises(MailhaulError) as caught:
        admin.check()
    assert (caught.value.code, caught.value.retryable) == ("broker_unreachable", True)


async def test_a_stopped_group_is_set_back_to_an_instant(where: Cluster) -> None:
    admin = TopicsAdmin(where, replication=1)
    admin.create(["mailhaul.requests"])
    async with AIOKafkaBus(where, "scheduler") as bus:
        await bus.publish([sample(events.PauseRequested, n) for n in range(6)])
        first = bus.consumer("scheduler", ["mailhaul.requests"])
        await first.start()
        records = await read(first, 6)
        await first.commit(after(records))
        await first.stop()
        assert set(admin.lag("scheduler").values()) == {0}
        admin.rewind("scheduler", ["mailhaul.requests"], datetime(2020, 1, 1, tzinfo=UTC))
        assert sum(admin.lag("scheduler").values()) == 6
        second = bus.consumer("scheduler", ["mailhaul.requests"])
        await second.start()
        assert len(await read(second, 6)) == 6
        await second.stop()
