"""From an event class to its schema: one rule a type, so that a test can hold each class against its file."""

import inspect
import types
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from mailhaul.kafka.schemas import NAMESPACE

_PLAIN: dict[type, Any] = {str: "string", int: "long", bool: "boolean"}
_INSTANT = {"type": "long", "logicalType": "timestamp-micros"}


def schema_of(kind: type) -> dict[str, Any]:
    """The Avro record of a dataclass; nested dataclasses become nested records, named once and then by name."""
    return _record(kind, set())


def base_type(hint: Any) -> Any:
    """The plain type below a NewType."""
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    return hint


def optional_of(hint: Any) -> Any | None:
    """X of `X | None`, else None."""
    if get_origin(hint) not in (Union, types.UnionType):
        return None
    present = [part for part in get_args(hint) if part is not type(None)]
    if len(present) != 1 or len(get_args(hint)) != 2:
        raise TypeError(f"only `X | None` is a union on the wire, not {hint}")
    return present[0]


def own_fields(kind: type) -> Iterator[tuple[Field[Any], Any]]:
    """Fields with their resolved types, in the order of the wire."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        yield field, hints[field.name]


def _record(kind: type, known: set[str]) -> dict[str, Any]:
    known.add(kind.__name__)
    record: dict[str, Any] = {"type": "record", "name": kind.__name__, "namespace": NAMESPACE}
    if doc := _doc(kind):
        record["doc"] = doc
    record["fields"] = [_field(field, hint, known) for field, hint in own_fields(kind)]
    return record


def _field(field: Field[Any], hint: Any, known: set[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": field.name, "type": _type(hint, known)}
    if field.default is not MISSING:
        entry["default"] = list(field.default) if isinstance(field.default, tuple) else field.default
    return entry


def _type(hint: Any, known: set[str]) -> Any:
    inner = optional_of(hint)
    if inner is not None:
        return ["null", _type(inner, known)]
    hint = base_type(hint)
    if get_origin(hint) is tuple:
        item, _ellipsis = get_args(hint)
        return {"type": "array", "items": _type(item, known)}
    if hint is datetime:
        return dict(_INSTANT)
    if is_dataclass(hint) and isinstance(hint, type):
        return hint.__name__ if hint.__name__ in known else _record(hint, known)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "string"
    return _PLAIN[hint]


def _doc(kind: type) -> str:
    # A dataclass without a docstring gets its signature as one, which says nothing here.
    doc = kind.__dict__.get("__doc__") or ""
    return "" if doc.startswith(f"{kind.__name__}(") else " ".join(inspect.cleandoc(doc).split())
