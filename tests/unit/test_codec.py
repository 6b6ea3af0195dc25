"""The wire: every event goes out and comes back, the same bytes each time, and nonsense is refused by name."""

import io
import json
import struct
from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from fastavro import parse_schema, schemaless_writer

from mailhaul import events, topics
from mailhaul.errors import InvalidEvent
from mailhaul.events import Event
from mailhaul.kafka import codec, schemas
from mailhaul.kafka.bus import Message
from mailhaul.kafka.codec import Codec, decode, encode, header
from mailhaul.kafka.derive import schema_of
from tests.event_samples import START, changed, sample

KINDS = list(topics.events_carried())


def written(event: Event) -> Message:
    return encode(event, source="test", topic=topics.topics_of(type(event))[0])


def with_header(message: Message, name: str, value: bytes) -> Message:
    return replace(message, headers=tuple((key, value if key == name else old) for key, old in message.headers))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_every_event_comes_back_equal(kind: type[Event]) -> None:
    for number in range(13):
        event = sample(kind, number)
        assert decode(written(event)) == event
        assert written(event) == written(sample(kind, number))


def test_an_event_type_never_decodes_as_another() -> None:
    for kind in KINDS:
        assert type(decode(written(sample(kind, 1)))) is kind


def test_the_headers_are_cloudevents_in_binary_mode() -> None:
    event = sample(events.RowLeftOut, 3, at=START.astimezone(timezone(timedelta(hours=2))))
    message = encode(event, source="scheduler")
    assert dict(message.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"RowLeftOut-3",
        "ce_type": b"org.mailhaul.RowLeftOut",
        "ce_time": b"2026-03-02T08:30:00.123456Z",
        "ce_source": b"/mailhaul/scheduler",
        "ce_subject": str(event.mailbox_id).encode(),
        "ce_dataschema": b"mailhaul:RowLeftOut:1",
        "content-type": b"application/avro",
    }
    assert message.topic == "mailhaul.rows"
    assert message.key == str(event.mailbox_id).encode()
    magic, schema_id = struct.unpack(">bI", (message.value or b"")[:5])
    assert (magic, schema_id) == (0, schemas.shipped().ids["RowLeftOut"][1])


def test_a_trace_is_carried_on_when_there_is_one() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    token = codec.traceparent.set(trace)
    try:
        assert header(written(sample(events.RowLeftOut)).headers, "traceparent") == trace
    finally:
        codec.traceparent.reset(token)
    assert header(written(sample(events.RowLeftOut)).headers, "traceparent") == ""


def test_joint_16_the_schema_id_in_the_bytes_decides_nothing() -> None:
    event = sample(events.FolderProgressed, 5)
    message = written(event)
    other_registry = struct.pack(">bI", 0, 4_000_000) + (message.value or b"")[5:]
    assert decode(replace(message, value=other_registry)) == event


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown(Event):
    """An event type that was released without its last field."""

    migration_id: str
    added: str = "unknown"


@pytest.fixture
def grown(tmp_path: Path) -> Codec:
    older = schema_of(Grown)
    older["fields"] = older["fields"][:-1]
    (tmp_path / "released").mkdir()
    for version, schema in ((1, older), (2, schema_of(Grown))):
        (tmp_path / "released" / f"Grown.v{version}.avsc").write_text(json.dumps(schema))
    (tmp_path / "ids.json").write_text(json.dumps({"Grown": {"1": 7, "2": 8}}))
    return Codec([Grown], schemas.Catalogue(tmp_path))


def test_joint_16_an_older_version_is_read_with_its_own_schema(grown: Codec) -> None:
    newest = grown.encode(sample(Grown, 1, migration_id="m"), source="test", topic=topics.MIGRATIONS)
    assert header(newest.headers, "ce_dataschema") == "mailhaul:Grown:2"
    body = io.BytesIO()
    older = json.loads((schemas_of(grown) / "Grown.v1.avsc").read_text())
    schemaless_writer(body, parse_schema(older, {}), {"event_id": "e", "at": START, "migration_id": "m"})
    old = replace(newest, value=struct.pack(">bI", 0, 7) + body.getvalue())
    read = grown.decode(with_header(old, "ce_dataschema", b"mailhaul:Grown:1"))
    assert read == Grown(event_id="e", at=START, migration_id="m", added="unknown")


def schemas_of(codec: Codec) -> Path:
    return codec.catalogue.folder / "released"


def test_joint_16_a_newer_version_is_read_as_far_as_we_know_it(grown: Codec) -> None:
    event = sample(Grown, 1)
    message = grown.encode(event, source="test", topic=topics.MIGRATIONS)
    message = with_header(message, "ce_dataschema", b"mailhaul:Grown:9")
    assert grown.decode(replace(message, value=(message.value or b"") + b"\x06new")) == event


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda message: replace(message, headers=()), "no_event_headers"),
        (lambda message: with_header(message, "ce_type", b"org.mailhaul.RowChecked"), "no_event_headers"),
        (lambda message: with_header(message, "ce_dataschema", b"mailhaul:RowLeftOut:x"), "no_event_headers"),
        (lambda message: with_header(message, "ce_dataschema", b"mailhaul:RowLeftOut:0"), "unknown_schema"),
        (lambda message: replace(message, value=None), "not_avro"),
        (lambda message: replace(message, value=b""), "not_avro"),
        (lambda message: replace(message, value=b"{}"), "not_avro"),
        (lambda message: replace(message, value=b"\x00\x00\x00\x00\x01"), "undecodable"),
        (lambda message: replace(message, value=(message.value or b"")[:-1]), "undecodable"),
        (lambda message: replace(message, value=(message.value or b"") + b"x"), "undecodable"),
        (
            lambda message: replace(message, value=b"\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\x7f"),
            "undecodable",
        ),
    ],
)
def test_nonsense_is_an_invalid_event(spoil: object, code: str) -> None:
    assert callable(spoil)
    with pytest.raises(InvalidEvent) as caught:
        decode(spoil(written(sample(events.RowLeftOut, 1))))
    assert caught.value.code == code


def test_an_unknown_type_and_an_unknown_state_are_invalid_events() -> None:
    message = written(sample(events.RowLeftOut, 1))
    stranger = with_header(message, "ce_type", b"org.mailhaul.Stranger")
    stranger = with_header(stranger, "ce_dataschema", b"mailhaul:Stranger:1")
    with pytest.raises(InvalidEvent) as caught:
        decode(stranger)
    assert caught.value.code == "unknown_event_type"
    paused = sample(events.MigrationPaused, 0)
    with pytest.raises(InvalidEvent) as caught:
        decode(written(changed(paused, state="dancing")))
    assert caught.value.code == "undecodable"


def test_an_event_of_several_topics_must_name_one() -> None:
    window = sample(events.ThroughputWindow, 1)
    with pytest.raises(ValueError, match="name the one"):
        encode(window, source="meter")
    assert encode(window, source="meter", topic=topics.SERVER_THROUGHPUT).topic == "mailhaul.server-throughput"
