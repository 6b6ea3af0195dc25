"""docs/events.md is enough: written only from that page, with another client library and nothing of Mailhaul's."""

import io
import json
import struct
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, Message
from fastavro import parse_schema, schemaless_reader

from mailhaul import topics
from mailhaul.kafka import docs
from mailhaul.kafka.admin import TopicsAdmin
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.connection import Cluster
from mailhaul.kafka.tail import plain
from tests.event_samples import sample

SCHEMAS = Path(__file__).parents[2] / "schemas"
EACH = 3
Headers = list[tuple[str, bytes | None]]


def test_the_page_is_current() -> None:
    assert docs.main(["check"]) == 0, "run `make docs`"


def table_of_topics(page: str) -> dict[str, tuple[str, set[str]]]:
    """Topic -> key field and event types, as the page's table says."""
    found = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `mailhaul."):
            kinds = {part.split("]")[0].strip(" [") for part in cells[2].split(", ")}
            found[cells[0].strip("`")] = (cells[1].strip("`"), kinds)
    return found


async def feed(where: Cluster) -> dict[str, Counter[str]]:
    """Publish every event type to each of its topics; ids by topic."""
    sent: dict[str, Counter[str]] = {}
    async with AIOKafkaBus(where, "test") as bus:
        for topic in topics.TOPICS:
            events = [sample(kind, number) for kind in topic.carries for number in range(EACH)]
            await bus.publish(events, topic=topic)
            sent[topics.PREFIX + topic.name] = Counter(json.dumps(plain(event), sort_keys=True) for event in events)
    return sent


@pytest.fixture
async def sent(broker: str, topic_prefix: str) -> dict[str, Counter[str]]:
    where = Cluster(bootstrap=broker, prefix=topic_prefix)
    TopicsAdmin(where, replication=1).create()
    return await feed(where)


def consume(broker: str, names: list[str], count: int) -> list[Message]:
    consumer = Consumer(
        {"bootstrap.servers": broker, "group.id": f"{names[0]}.reader", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(names)
    records: list[Message] = []
    idle = 0
    while len(records) < count and idle < 40:
        batch = consumer.consume(count, timeout=0.5)
        idle = 0 if batch else idle + 1
        records += batch
    consumer.close()
    return records


def by_header(headers: dict[str, str]) -> Path:
    scheme, name, version = headers["ce_dataschema"].split(":")
    assert scheme == "mailhaul"
    return SCHEMAS / "released" / f"{name}.v{version}.avsc"


def by_id(schema_id: int) -> Path:
    table: dict[str, dict[str, int]] = json.loads((SCHEMAS / "ids.json").read_text())
    [(name, version)] = [(n, v) for n, given in table.items() for v, number in given.items() if number == schema_id]
    return SCHEMAS / "released" / f"{name}.v{version}.avsc"


def decoded(record: Message) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and fields of a record, as the page explains them."""
    headers = {name: bytes(value or b"").decode("utf-8") for name, value in cast("Headers", record.headers())}
    value = record.value() or b""
    magic, schema_id = struct.unpack(">bI", value[:5])
    assert magic == 0
    assert by_header(headers) == by_id(schema_id)
    body = io.BytesIO(value[5:])
    fields = schemaless_reader(body, parse_schema(json.loads(by_header(headers).read_text()), {}), None)
    assert body.read() == b""
    assert isinstance(fields, dict)
    return headers, fields


def jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [jsonable(item) for item in value]
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def test_every_topic_is_read_by_another_library_from_the_page_alone(
    broker: str, topic_prefix: str, sent: dict[str, Counter[str]]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    listed = table_of_topics(page)
    assert set(listed) == set(sent)
    total = sum(counter.total() for counter in sent.values())
    records = consume(broker, [topic_prefix + name for name in listed], total)
    assert len(records) == total
    got: dict[str, Counter[str]] = {name: Counter() for name in listed}
    for record in records:
        name = str(record.topic()).removeprefix(topic_prefix)
        key_field, kinds = listed[name]
        headers, fields = decoded(record)
        assert headers["ce_specversion"] == "1.0"
        assert headers["ce_type"].removeprefix("org.mailhaul.") in kinds
        assert headers["ce_id"] == fields["event_id"]
        assert datetime.fromisoformat(headers["ce_time"]) == fields["at"]
        assert headers["ce_source"] == "/mailhaul/test"
        assert headers["ce_subject"] == fields[key_field] == (record.key() or b"").decode()
        assert headers["content-type"] == "application/avro"
        got[name][json.dumps(jsonable(fields), sort_keys=True)] += 1
    assert got == sent
