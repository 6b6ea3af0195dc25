"""Topics on a cluster: made, compared and exported from `topics.py`; a group set back to an instant.

The only place for confluent-kafka's AdminClient: aiokafka's puts a topic's other settings back to their defaults.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from mailhaul.errors import MailhaulError, Side
from mailhaul.kafka.connection import Cluster, confluent_options
from mailhaul.topics import DEAD_LETTERS, FACTS, PREFIX, READERS, TOPICS

SECONDS = 15.0
_OFFSETS = "offsets.retention.minutes"
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # so is the library
OFFSETS_RETENTION = timedelta(minutes=144_000)  # longer than any fact: a group that slept goes on where it was


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A topic as it shall be, by its full name without the installation's prefix."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something on the cluster that is not as `topics.py` wants it."""

    topic: str  # empty: the broker itself
    setting: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"{self.topic or 'broker'}: {self.setting} is {self.found}, wanted {self.wanted}"


def wanted_topics(*, replication: int) -> list[Wanted]:
    """Every topic with its partitions and settings; one replica means the embedded broker."""
    embedded = replication == 1
    wanted = []
    for topic in TOPICS:
        config = _config(topic.retention, replication)
        if embedded and not topic.high_rate:
            # On one broker an acknowledgement means page cache only: write each record of these through.
            config["flush.messages"] = "1"
        if topic.high_rate and not embedded:
            config["compression.type"] = "gzip"  # the one that every client library reads by itself
        wanted.append(
            Wanted(
                name=PREFIX + topic.name,
                partitions=topic.partitions(embedded),
                replication=replication,
                config=config,
            )
        )
    for service in READERS:
        config = _config(FACTS, replication)
        if embedded:
            config["flush.messages"] = "1"
        wanted.append(Wanted(name=DEAD_LETTERS + service, partitions=1, replication=replication, config=config))
    return wanted


def _config(retention: timedelta, replication: int) -> dict[str, str]:
    config = {"cleanup.policy": "delete", "retention.ms": str(retention // timedelta(milliseconds=1))}
    if replication >= 3:
        config["min.insync.replicas"] = "2"
    return config


def export(where: Cluster, *, replication: int) -> list[dict[str, Any]]:
    """The same as plain data, for whoever makes topics by other means."""
    return [
        {
            "name": where.prefix + topic.name,
            "partitions": topic.partitions,
            "replication": topic.replication,
            "config": dict(topic.config),
        }
        for topic in wanted_topics(replication=replication)
    ]


class TopicsAdmin:
    """The administrator's view of a cluster; a broker that does not answer is a retryable MailhaulError."""

    def __init__(self, where: Cluster, *, replication: int, seconds: float = SECONDS) -> None:
        self._where = where
        self._seconds = seconds
        self._replication = replication
        self._client = AdminClient(confluent_options(where) | {"log_level": 0})

    def create(self, only: Collection[str] | None = None) -> list[str]:
        """Make the topics that are missing, all or `only` those, and return their names; what is there stays."""
        existing = self._existing()
        missing = [
            topic
            for topic in wanted_topics(replication=self._replication)
            if self._name(topic) not in existing and (only is None or topic.name in only)
        ]
        if not missing:
            return []
        new = [
            NewTopic(
                self._name(topic),
                num_partitions=topic.partitions,
                replication_factor=topic.replication,
                config=dict(topic.config),
            )
            for topic in missing
        ]
        made = []
        for name, future in self._client.create_topics(new, operation_timeout=SECONDS).items():
            try:
                _answer(future)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
            else:
                made.append(name)
        self._await(set(made))
        return sorted(made)

    def _await(self, names: set[str]) -> None:
        """Return when the brokers tell of the topics: the controller has them earlier, much earlier after a restart."""
        until = time.monotonic() + SECONDS
        while not names <= set(self._existing()) and time.monotonic() < until:
            time.sleep(0.1)

    def check(self) -> list[Finding]:
        """What differs from `topics.py`; more partitions and a longer retention are nobody's fault."""
        existing = self._existing()
        wanted = wanted_topics(replication=self._replication)
        findings = [
            Finding(topic=self._name(topic), setting="topic", wanted="there", found="missing")
            for topic in wanted
            if self._name(topic) not in existing
        ]
        present = [topic for topic in wanted if self._name(topic) in existing]
        for topic in present:
            if existing[self._name(topic)] < topic.partitions:
                findings.append(
                    Finding(
                        topic=self._name(topic),
                        setting="partitions",
                        wanted=str(topic.partitions),
                        found=str(existing[self._name(topic)]),
                    )
                )
        found = self._configs([self._name(topic) for topic in present])
        for topic in present:
            findings += _differences(self._name(topic), topic.config, found[self._name(topic)])
        return findings + self._broker_findings()

    def require_retention(self, *, longest_life: timedelta) -> None:
        """The start-up check of joint 17; raises MailhaulError when facts or offsets are forgotten too early."""
        findings = [finding for finding in self.check() if finding.setting in ("retention.ms", _OFFSETS)]
        if longest_life >= FACTS:
            findings.append(
                Finding(
                    topic="", setting="the longest life of a migration", wanted=f"< {FACTS}", found=str(longest_life)
                )
            )
        if findings:
            raise MailhaulError("retention_too_short", "; ".join(map(str, findings)), side=Side.PLATFORM)

    def rewind(self, service: str, topics: Sequence[str], instant: datetime) -> dict[str, int]:
        """Set a stopped service's group back to the first record at `instant`; returns `topic/partition` -> offset."""
        existing = self._existing()
        names = [self._where.prefix + topic for topic in topics]
        places = [TopicPartition(name, number) for name in names for number in range(existing[name])]
        starts = self._offsets(places, OffsetSpec.for_timestamp(int(instant.timestamp() * 1000)))
        ends = self._offsets(places, _LATEST)
        # Beyond the last record there is no offset for an instant.
        moved = [
            TopicPartition(place.topic, place.partition, starts[place] if starts[place] >= 0 else ends[place])
            for place in places
        ]
        group = f"{self._where.prefix}{PREFIX}{service}"
        answers = self._client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, moved)])
        for future in answers.values():
            _answer(future)
        return {f"{place.topic.removeprefix(self._where.prefix)}/{place.partition}": place.offset for place in moved}

    def lag(self, service: str) -> dict[str, int]:
        """How many records a service's group has not committed yet, by `topic/partition`."""
        group = f"{self._where.prefix}{PREFIX}{service}"
        request = [ConsumerGroupTopicPartitions(group)]
        committed = [_answer(future) for future in self._client.list_consumer_group_offsets(request).values()]
        places = {TopicPartition(place.topic, place.partition): place.offset for place in committed[0].topic_partitions}
        return {
            f"{place.topic.removeprefix(self._where.prefix)}/{place.partition}": end - places[place]
            for place, end in self._offsets(places, _LATEST).items()
        }

    def _offsets(self, places: Iterable[TopicPartition], spec: OffsetSpec) -> dict[TopicPartition, int]:
        wanted = dict.fromkeys(places, spec)
        answers = self._client.list_offsets(wanted) if wanted else {}
        return {place: _answer(future).offset for place, future in answers.items()}

    def _name(self, topic: Wanted) -> str:
        return self._where.prefix + topic.name

    def _existing(self) -> dict[str, int]:
        try:
            listed = self._client.list_topics(timeout=self._seconds).topics
        except KafkaException as error:
            raise MailhaulError(
                "broker_unreachable",
                f"no broker answers at {self._where.bootstrap}",
                side=Side.PLATFORM,
                retryable=True,
            ) from error
        return {name: len(topic.partitions) for name, topic in listed.items()}

    def _configs(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        answers = self._client.describe_configs(resources)
        return {
            resource.name: {entry.name: entry.value for entry in _answer(future).values()}
            for resource, future in answers.items()
        }

    def _broker_findings(self) -> list[Finding]:
        broker = next(iter(self._client.list_topics(timeout=self._seconds).brokers))
        [future] = self._client.describe_configs([ConfigResource(ResourceType.BROKER, str(broker))]).values()
        minutes = timedelta(minutes=int(_answer(future)[_OFFSETS].value))
        if minutes >= OFFSETS_RETENTION:
            return []
        wanted = str(OFFSETS_RETENTION // timedelta(minutes=1))
        return [Finding(topic="", setting=_OFFSETS, wanted=wanted, found=str(minutes // timedelta(minutes=1)))]


def _differences(name: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> list[Finding]:
    findings = []
    for setting, value in wanted.items():
        has = found.get(setting, "")
        longer = setting == "retention.ms" and (has == "-1" or int(has) >= int(value))
        if has != value and not longer:
            findings.append(Finding(topic=name, setting=setting, wanted=value, found=has))
    return findings


def _answer(future: Future[Any]) -> Any:
    return future.result(timeout=SECONDS)
