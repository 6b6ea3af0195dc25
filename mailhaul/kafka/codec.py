"""Events to bytes and back: Avro in the Confluent wire format, CloudEvents headers in binary mode."""

import io
import struct
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from datetime import UTC
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, get_args, get_origin

from fastavro import schemaless_reader, schemaless_writer

from mailhaul import topics
from mailhaul.errors import InvalidEvent
from mailhaul.events import Event
from mailhaul.kafka import schemas
from mailhaul.kafka.bus import Headers, Message, Record
from mailhaul.kafka.derive import base_type, optional_of, own_fields
from mailhaul.topics import Topic

MAGIC = 0  # Confluent wire format: a zero byte, the schema id in four bytes, the body
_HEAD = struct.Struct(">bI")
TYPE_PREFIX = f"{schemas.NAMESPACE}."
SCHEMA_PREFIX = "mailhaul:"
SPEC_VERSION = b"1.0"
CONTENT_TYPE = b"application/avro"
_UNREADABLE = (ValueError, TypeError, KeyError, EOFError, IndexError, OverflowError, AttributeError)
# The trace that the event being handled belongs to; whatever is published meanwhile joins it.
traceparent: ContextVar[str] = ContextVar("traceparent", default="")


def header(headers: Headers, name: str) -> str:
    """A header's text, empty when it is missing; the last one counts, as in Kafka's own `lastHeader`."""
    found = b""
    for key, value in headers:
        if key == name:
            found = value
    return found.decode("utf-8", "replace")


def topic_of(event: Event) -> Topic:
    """The topic of an event that only one topic carries."""
    topic = _only_topics().get(type(event))
    if topic is None:
        raise ValueError(f"{type(event).__name__} is not carried by one topic alone: name the one that is meant")
    return topic


@cache
def _only_topics() -> dict[type[Event], Topic]:
    carrying = {kind: topics.topics_of(kind) for kind in topics.events_carried()}
    return {kind: places[0] for kind, places in carrying.items() if len(places) == 1}


class Codec:
    """Encodes and decodes some event classes by the schemas of one catalogue."""

    def __init__(self, kinds: Iterable[type[Event]], catalogue: schemas.Catalogue) -> None:
        self.catalogue = catalogue
        self._kinds = {kind.__name__: kind for kind in kinds}
        self._forms: dict[type[Event], _Form] = {}

    def encode(self, event: Event, *, source: str, topic: Topic | None = None, trace: str | None = None) -> Message:
        """The record of an event; the same event always gives the same bytes."""
        place = topic or topic_of(event)
        form = self._form(type(event))
        key = str(getattr(event, place.key))
        body = io.BytesIO()
        body.write(form.head)
        schemaless_writer(body, form.schema, form.to_plain(event))
        headers: Headers = (
            ("ce_specversion", SPEC_VERSION),
            ("ce_id", event.event_id.encode()),
            ("ce_type", form.ce_type),
            ("ce_time", event.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z").encode()),
            ("ce_source", f"/mailhaul/{source}".encode()),
            ("ce_subject", key.encode()),
            ("ce_dataschema", form.ce_dataschema),
            ("content-type", CONTENT_TYPE),
        )
        joined = traceparent.get() if trace is None else trace
        if joined:
            headers = (*headers, ("traceparent", joined.encode()))
        return Message(
            topic=topics.PREFIX + place.name,
            key=key.encode(),
            value=body.getvalue(),
            headers=headers,
            event_id=event.event_id,
        )

    def decode(self, record: Record | Message) -> Event:
        """The event in a record, by `ce_type` and `ce_dataschema` alone (joint 16); raises InvalidEvent."""
        name, version = _named(record.headers)
        kind = self._kinds.get(name)
        if kind is None:
            raise InvalidEvent("unknown_event_type", f"no event type is called {name!r}")
        if not record.value or len(record.value) < _HEAD.size or record.value[0] != MAGIC:
            raise InvalidEvent("not_avro", f"a record of {name} does not begin as the Confluent wire format does")
        known = self.catalogue.released(name)
        newer = version > max(known)
        if version not in known and not newer:
            raise InvalidEvent("unknown_schema", f"{name} has no version {version}")
        form = self._form(kind)
        body = io.BytesIO(record.value)
        body.seek(_HEAD.size)
        # Versions only append fields, so the first bytes of a newer record are a record as we know it.
        written = form.schema if newer else known[version].parsed
        try:
            plain: Any = schemaless_reader(body, written, None if written is form.schema else form.schema)
            event = form.from_plain(plain)
        except _UNREADABLE as error:
            raise InvalidEvent("undecodable", f"a record of {name} {version} cannot be decoded: {error}") from error
        if not newer and body.tell() != len(record.value):
            raise InvalidEvent("undecodable", f"a record of {name} {version} is longer than its schema")
        return event

    def _form(self, kind: type[Event]) -> "_Form":
        form = self._forms.get(kind)
        if form is None:
            form = self._forms[kind] = _Form(kind, self.catalogue.current(kind.__name__))
        return form


def encode(event: Event, *, source: str, topic: Topic | None = None, trace: str | None = None) -> Message:
    """`Codec.encode` of every event that a topic carries, by the schemas that are shipped."""
    return _shipped().encode(event, source=source, topic=topic, trace=trace)


def decode(record: Record | Message) -> Event:
    """`Codec.decode` of every event that a topic carries, by the schemas that are shipped."""
    return _shipped().decode(record)


@cache
def _shipped() -> Codec:
    return Codec(topics.events_carried(), schemas.shipped())


class _Form:
    """What is known of one event class, worked out once."""

    __slots__ = ("ce_dataschema", "ce_type", "from_plain", "head", "schema", "to_plain")

    def __init__(self, kind: type[Event], current: schemas.Registered) -> None:
        self.schema = current.parsed
        self.head = _HEAD.pack(MAGIC, current.schema_id)
        self.ce_type = f"{TYPE_PREFIX}{kind.__name__}".encode()
        self.ce_dataschema = f"{SCHEMA_PREFIX}{kind.__name__}:{current.version}".encode()
        self.to_plain = _to_plain(kind)
        self.from_plain: Callable[[dict[str, Any]], Event] = _from_plain(kind)


def _named(headers: Headers) -> tuple[str, int]:
    kind, schema = header(headers, "ce_type"), header(headers, "ce_dataschema")
    name, _, number = schema.removeprefix(SCHEMA_PREFIX).partition(":")
    if not kind.startswith(TYPE_PREFIX) or name != kind.removeprefix(TYPE_PREFIX) or not number.isdecimal():
        raise InvalidEvent("no_event_headers", f"ce_type {kind!r} and ce_dataschema {schema!r} name no event")
    return name, int(number)


def _to_plain(kind: type) -> Callable[[Any], dict[str, Any]]:
    """What fastavro writes: a dict of the fields, nested ones as dicts again."""
    names = tuple(field.name for field in fields(kind))
    values = attrgetter(*names)
    nested = {name: turn for (field, hint) in own_fields(kind) if (turn := _turn_out(hint)) for name in (field.name,)}

    def to_plain(value: Any) -> dict[str, Any]:
        plain = dict(zip(names, values(value), strict=True))
        for name, turn in nested.items():
            if plain[name] is not None:
                plain[name] = turn(plain[name])
        return plain

    return to_plain


def _turn_out(hint: Any) -> Callable[[Any], Any] | None:
    hint = base_type(optional_of(hint) or hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return _to_plain(hint)
    if get_origin(hint) is tuple:
        turn = _turn_out(get_args(hint)[0])
        return None if turn is None else lambda values: [turn(value) for value in values]
    return None


def _from_plain(kind: type) -> Callable[[dict[str, Any]], Any]:
    """The way back; a value that an enumeration does not know raises ValueError."""
    turned = {field.name: turn for field, hint in own_fields(kind) if (turn := _turn_in(hint))}

    def from_plain(plain: dict[str, Any]) -> Any:
        for name, turn in turned.items():
            if plain[name] is not None:
                plain[name] = turn(plain[name])
        return kind(**plain)

    return from_plain


def _turn_in(hint: Any) -> Callable[[Any], Any] | None:
    hint = base_type(optional_of(hint) or hint)
    if get_origin(hint) is tuple:
        turn = _turn_in(get_args(hint)[0])
        return tuple if turn is None else lambda values: tuple(turn(value) for value in values)
    if is_dataclass(hint) and isinstance(hint, type):
        return _from_plain(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return None
