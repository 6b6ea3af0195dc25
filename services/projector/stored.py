"""Events as the log keeps them: plain JSON, without secret references (joint 34)."""

import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from mailhaul import events
from mailhaul.db import to_microseconds
from mailhaul.events import Event
from services.projector.registers import Register, Write

STORED = Register("stored", "event", ("event_id",), None)
# These have columns of their own or stand in another table.
APART = frozenset({"event_id", "at", "migration_id", "mailbox_id", "row_id", "run_no"})
FORGOTTEN = frozenset({"secret_ref"})


def kept(event: Event) -> bool:
    """Whether the log keeps the event; outcomes have a table of their own, snapshots on the way are superseded."""
    if isinstance(event, events.FolderProgressed):
        return event.final
    return not isinstance(event, events.MessageOutcome | events.ThroughputWindow)


def stored(event: Event) -> Write:
    """The log's row of an event."""
    data = {f.name: plain(getattr(event, f.name)) for f in fields(event) if f.name not in APART | FORGOTTEN}
    return Write(
        STORED,
        {
            "event_id": event.event_id,
            "migration_id": str(getattr(event, "migration_id", "")),
            "mailbox_id": str(getattr(event, "mailbox_id", "") or ""),
            "row_id": str(getattr(event, "row_id", "") or ""),
            "run_no": int(getattr(event, "run_no", 0)),
            "kind": type(event).__name__,
            "at": to_microseconds(event.at),
            "data": json.dumps(data, ensure_ascii=False, sort_keys=True),
        },
    )


def plain(value: object) -> Any:
    """A field's value as JSON can say it."""
    match value:
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case tuple() | list():
            return [plain(item) for item in value]
        case _ if is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        case _:
            return value
