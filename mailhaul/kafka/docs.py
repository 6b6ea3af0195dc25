"""Writes docs/events.md from topics, event classes and schemas: `python -m mailhaul.kafka.docs [check]`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mailhaul import topics
from mailhaul.events import Event
from mailhaul.kafka import schemas
from mailhaul.kafka.codec import SCHEMA_PREFIX, TYPE_PREFIX
from mailhaul.kafka.derive import schema_of
from mailhaul.topics import DEAD_LETTERS, PREFIX, READERS, TOPICS, Topic

PAGE = "docs/events.md"

HEAD = f"""# Events on the wire

Everything that Mailhaul does is on these Kafka topics. This page is all you need to read them with any client
library: nothing of Mailhaul's own code is involved. It is generated from `mailhaul/topics.py`, `mailhaul/events.py`
and `schemas/` (`make docs` writes it, a test keeps it true).

## How to read a record

**Topic.** The names below, with the setting `kafka.prefix` of the installation in front of them (empty by default).

**Key.** Plain UTF-8 text, the field named in the table. Records of one key stay in one partition and in order;
nothing else is ordered.

**Headers.** [CloudEvents](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md)
1.0 in binary mode, each a UTF-8 text:

| header | holds |
|---|---|
| `ce_specversion` | `1.0` |
| `ce_id` | the event's identifier; a repeated delivery has the same one, so use it to count each event once |
| `ce_type` | `{TYPE_PREFIX}` and the event type |
| `ce_time` | when the fact was decided, RFC 3339, UTC |
| `ce_source` | `/mailhaul/` and the service that published it |
| `ce_subject` | the record's key |
| `ce_dataschema` | `{SCHEMA_PREFIX}` event type `:` version, which name the schema file below |
| `content-type` | `application/avro` |
| `traceparent` | the W3C trace that the event belongs to, when there is one |

**Value.** Avro in the Confluent wire format: one byte 0, the schema's id as four bytes (big-endian), then the
Avro binary encoding of one record. There are two ways to its schema, and they lead to the same one:

* by `ce_dataschema`: `{SCHEMA_PREFIX}RowChecked:1` is the file `schemas/released/RowChecked.v1.avsc`;
* by the id in the value: look it up in `schemas/ids.json`, which gives `{{event type: {{version: id}}}}`, or let your
  client ask the panel, which serves these ids under the read half of the Confluent registry's REST API. Where an
  installation uses a registry of its own, the ids are that registry's.

`timestamp-micros` is the microseconds since 1970 in UTC. Counts are absolute, sizes are octets. Avro enumerations are
not used: a word may be added to a list of words at any time.

**Versions.** A new version of a schema only appends fields, each with a default, so that old readers read new records
and new readers old ones (FULL_TRANSITIVE). An id or a version once released never changes.

**Delivery.** At least once: a record may come twice, with the same `ce_id` and the same bytes.

**Retention.** What the table says, by time; no topic is compacted.

**Dead letters.** A record that a service cannot read is put aside on `{DEAD_LETTERS}SERVICE`, with its original key,
value and headers and with `__dlq.errors.topic`, `.partition`, `.offset`, `.group`, `.delivery.count`, `.message`,
`error.code` and `error.side` beside them. A record there with the header `handled.place` is an operator's note that a
letter was retried or dropped. Services: {", ".join(READERS)}.

## Topics

| topic | key | event types | for analytics | partitions, embedded and production | kept for |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    lines = [_row(topic) for topic in TOPICS]
    parts = [HEAD + "\n".join(lines) + "\n"]
    parts += [
        "\nTopics for analytics carry one flat record type each, and no address, folder name, subject or secret.\n",
        "`migration-throughput` and `server-throughput` hold running totals: of each (subject, window_start, part)\n"
        "the last record counts, and the totals of a window's parts are added.\n",
        "\n## Event types\n",
    ]
    parts += ["".join(_event(kind)) for kind in topics.events_carried()]
    return "".join(parts)


def _row(topic: Topic) -> str:
    kinds = ", ".join(f"[{kind.__name__}](#{kind.__name__.lower()})" for kind in topic.carries)
    public = "yes" if topic.public else ""
    count = f"{topic.partitions(True)}, {topic.partitions(False)}"
    return f"| `{PREFIX}{topic.name}` | `{topic.key}` | {kinds} | {public} | {count} | {topic.retention.days} days |"


def _event(kind: type[Event]) -> Iterator[str]:
    schema = schema_of(kind)
    current = schemas.shipped().current(kind.__name__)
    where = ", ".join(f"`{PREFIX}{topic.name}`" for topic in topics.topics_of(kind))
    yield f"\n### {kind.__name__}\n\n"
    if "doc" in schema:
        yield f"{schema['doc']}\n\n"
    yield f"On {where} · version {current.version} · id {current.schema_id} · "
    yield f"[`schemas/{kind.__name__}.avsc`](../schemas/{kind.__name__}.avsc)\n\n"
    yield "| field | type |\n|---|---|\n"
    for field in schema["fields"]:
        yield f"| `{field['name']}` | {_words(field['type'])} |\n"


def _words(schema: Any) -> str:
    match schema:
        case str():
            return schema
        case ["null", inner]:
            return f"{_words(inner)} or null"
        case {"logicalType": logical}:
            return str(logical)
        case {"type": "array", "items": items}:
            return f"array of {_words(items)}"
        case {"type": "record", "name": name, "fields": fields}:
            return f"record {name} ({', '.join(field['name'] + ': ' + _words(field['type']) for field in fields)})"
        case _:
            raise TypeError(f"no words for {schema}")


def main(arguments: list[str]) -> int:
    """Write the page, or with `check` exit with 1 when it is not current."""
    file = Path(__file__).parents[2] / PAGE
    if arguments == ["check"]:
        return 0 if file.read_text(encoding="utf-8") == page() else 1
    file.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
