"""Many rows with one statement: SQLite takes them one by one in no time, PostgreSQL as one document."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, Connection, Select, Table, Text, bindparam, cast, column, func, select, tuple_, update

from mailhaul.db import insert

DOCUMENT = "rows"  # the one parameter


def upsert(
    tx: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    key: Sequence[str],
    *,
    version: Sequence[str] | None = (),
) -> None:
    """Insert rows, or write over those whose version is not newer; None as version keeps what is there."""
    if not rows:
        return
    statement = insert(tx, table)
    excluded = statement.excluded
    at_once = tx.dialect.name == "postgresql"
    if at_once:
        statement = statement.from_select(list(rows[0]), _given(table, list(rows[0])))
    if version is None:
        made = statement.on_conflict_do_nothing()
    else:
        changed = {name: excluded[name] for name in rows[0] if name not in key}
        guard = None
        if version:
            guard = tuple_(*(excluded[name] for name in version)) >= tuple_(*(table.c[name] for name in version))
        made = (
            statement.on_conflict_do_update(index_elements=list(key), set_=changed, where=guard)
            if changed
            else statement.on_conflict_do_nothing(index_elements=list(key))
        )
    tx.execute(made, _document(rows) if at_once else list(rows))


def rewrite(tx: Connection, table: Table, rows: Sequence[dict[str, Any]], key: Sequence[str]) -> None:
    """Update rows that are known to be there, every one in the same columns."""
    if not rows:
        return
    names = [name for name in rows[0] if name not in key]
    if tx.dialect.name == "postgresql":
        fresh = _given(table, list(rows[0])).subquery("fresh")
        matching = [table.c[name] == fresh.c[name] for name in key]
        tx.execute(update(table).where(*matching).values({name: fresh.c[name] for name in names}), _document(rows))
        return
    matching = [table.c[name] == bindparam(f"key_{name}") for name in key]
    changed: dict[str, Any] = {name: bindparam(name) for name in names}
    named = [{f"key_{name}" if name in key else name: value for name, value in row.items()} for row in rows]
    tx.execute(update(table).where(*matching).values(changed), named)


def _given(table: Table, names: Sequence[str]) -> Select[Any]:
    """The rows as a relation. JSON, because the driver would build an array value by value."""
    columns = (column(name, table.c[name].type) for name in names)
    document = cast(bindparam(DOCUMENT, type_=Text()), JSON)
    relation = func.json_to_recordset(document).table_valued(*columns, name="given").render_derived(with_types=True)
    return select(*(relation.c[name] for name in names))


def _document(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {DOCUMENT: json.dumps(rows, ensure_ascii=False)}
