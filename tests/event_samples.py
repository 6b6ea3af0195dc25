"""An event of any type, made from its annotations: for tests that care for the wire and not for the meaning."""

import dataclasses
from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar, cast, get_args, get_origin

from mailhaul.events import Event
from mailhaul.kafka.derive import base_type, optional_of, own_fields

START = datetime(2026, 3, 2, 8, 30, 0, 123456, tzinfo=UTC)
E = TypeVar("E", bound=Event)


def sample(kind: type[E], number: int = 0, **given: object) -> E:
    """The `number`-th made-up event of a type; every third optional field is empty."""
    values = {field.name: _value(hint, field.name, number) for field, hint in own_fields(kind)}
    values |= {"event_id": f"{kind.__name__}-{number}"} | given
    return kind(**values)


def _value(hint: Any, name: str, number: int) -> Any:
    inner = optional_of(hint)
    if inner is not None:
        return None if (number + len(name)) % 3 == 0 else _value(inner, name, number)
    hint = base_type(hint)
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], f"{name}{place}", number) for place in range(number % 4))
    if is_dataclass(hint) and isinstance(hint, type):
        return hint(**{field.name: _value(part, field.name, number) for field, part in own_fields(hint)})
    if issubclass(hint, Enum):
        return list(hint)[number % len(hint)]
    if hint is bool:
        return number % 2 == 0
    if hint is int:
        return number * 7 + len(name)
    if hint is datetime:
        return START + timedelta(seconds=number, microseconds=len(name))
    return f"{name} è {number}"


def changed(event: E, **fields: object) -> E:
    """The same event with other values."""
    return dataclasses.replace(event, **cast("dict[str, Any]", fields))
