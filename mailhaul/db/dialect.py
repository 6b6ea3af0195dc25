"""The one place where the two databases' SQL differs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(tx: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, for the database behind `tx`."""
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def insert_missing(tx: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose key is not there yet; what is there stays as it is."""
    if rows:
        tx.execute(insert(tx, table).on_conflict_do_nothing(), [dict(row) for row in rows])


def upsert(tx: Connection, table: Table, rows: Sequence[Mapping[str, Any]], key: Iterable[str]) -> None:
    """Insert the rows, or replace the other columns given where the key is there already."""
    if not rows:
        return
    names = list(key)
    statement = insert(tx, table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in names}
    conflict = (
        statement.on_conflict_do_update(index_elements=names, set_=changed)
        if changed
        else statement.on_conflict_do_nothing(index_elements=names)
    )
    tx.execute(conflict, [dict(row) for row in rows])
