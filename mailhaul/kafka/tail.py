"""Records as lines of JSON, in the shape of `kcat -J`, with the event decoded as their payload."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from mailhaul.errors import InvalidEvent, RequestInvalid
from mailhaul.events import Event
from mailhaul.kafka.bus import Bus, Record
from mailhaul.kafka.codec import decode
from mailhaul.topics import DEAD_LETTERS, PREFIX, READERS, TOPICS


def full_name(name: str) -> str:
    """A topic as people name it (`rows`, `mailhaul.rows`, `dlq.mailhaul.copier`); raises RequestInvalid."""
    known = {topic.name for topic in TOPICS}
    if name.removeprefix(PREFIX) in known:
        return PREFIX + name.removeprefix(PREFIX)
    if name.removeprefix(DEAD_LETTERS) in READERS and name.startswith(DEAD_LETTERS):
        return name
    raise RequestInvalid("no_such_topic", f"there is no topic {name!r}; there are {', '.join(sorted(known))}")


async def tail(bus: Bus, topic: str, *, newest: int | None = None, follow: bool = False) -> AsyncIterator[str]:
    """One line a record, from the beginning or the `newest` of each partition on."""
    async for record in bus.scan([full_name(topic)], newest=newest, follow=follow):
        yield json.dumps(envelope(record), ensure_ascii=False, separators=(",", ":"))


def envelope(record: Record) -> dict[str, Any]:
    """A record as `kcat -J` prints it; `payload` is the event, or null beside `error` when it cannot be decoded."""
    line: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "tstype": "create",
        "ts": round(record.appended_at.timestamp() * 1000),
        "headers": [text for name, value in record.headers for text in (name, value.decode("utf-8", "replace"))],
        "key": record.key.decode("utf-8", "replace"),
    }
    try:
        line["payload"] = plain(decode(record))
    except InvalidEvent as error:
        line |= {"payload": None, "error": error.text}
    return line


def plain(event: Event) -> dict[str, Any]:
    """An event as JSON values; instants in RFC 3339."""
    values: dict[str, Any] = _json(asdict(event))
    return values


def _json(value: Any) -> Any:
    match value:
        case dict():
            return {name: _json(item) for name, item in value.items()}
        case list() | tuple():
            return [_json(item) for item in value]
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case _:
            return value
