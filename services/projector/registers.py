"""A register is a group of columns that one kind of event writes, guarded by a version (joint 15).

Writing an older version changes nothing and a key that is missing is made, so the order in which topics arrive does not
matter. Writes of a batch are folded first (the last state wins), then each register is one statement.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection

from mailhaul.readmodel import ReadModel
from services.projector import bulk

Values: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Register:
    """`version` names the guarding columns; empty: every write replaces; None: the first one stays."""

    name: str
    table: str
    key: tuple[str, ...]
    version: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Write:
    """`values` hold the key, the version and the group's other columns, the same ones for every write of a register."""

    register: Register
    values: Values


def fold(writes: Iterable[Write]) -> dict[Register, list[Values]]:
    """The writes that count, by register: for each key the highest version, of equal ones the last."""
    latest: defaultdict[Register, dict[tuple[Any, ...], Values]] = defaultdict(dict)
    for write in writes:
        register, values = write.register, write.values
        key = tuple(values[name] for name in register.key)
        known = latest[register].get(key)
        if known is None or _replaces(register, values, known):
            latest[register][key] = values
    # In the order of the keys, so that two writers never lock rows in opposite orders.
    return {register: [rows[key] for key in sorted(rows)] for register, rows in latest.items()}


def _replaces(register: Register, values: Values, known: Values) -> bool:
    if register.version is None:
        return False
    version = [values[name] for name in register.version]
    return version >= [known[name] for name in register.version]


def store(tx: Connection, model: ReadModel, writes: dict[Register, list[Values]]) -> None:
    """Write folded registers, each with one statement."""
    for register, rows in writes.items():
        bulk.upsert(tx, getattr(model, register.table), rows, register.key, version=register.version)
