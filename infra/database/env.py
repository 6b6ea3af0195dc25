"""Alembic's environment: it works on the connection that it is handed, inside that connection's transaction."""

from typing import Any, Literal

from alembic import context
from sqlalchemy.sql.elements import False_, True_

from mailhaul.db.upgrade import all_tables

attributes = context.config.attributes
owner = attributes.get("owner")


def mine(name: str | None, kind: str, _parents: Any) -> bool:
    """A revision is about one owner's tables, which begin with its name."""
    return kind != "table" or owner is None or (name or "").startswith(f"{owner}_")


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Booleans as each database spells them, rather than as the one that the revision is written on."""
    value = getattr(item, "arg", item)
    if kind == "server_default" and isinstance(value, False_ | True_):
        return "sa.false()" if isinstance(value, False_) else "sa.true()"
    return False


def drop_empty(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """No file for an owner whose tables have not changed."""
    if directives[0].upgrade_ops.is_empty():
        directives.clear()


context.configure(
    connection=attributes["connection"],
    target_metadata=all_tables(),
    include_name=mine,
    include_object=lambda _item, name, kind, _reflected, _other: mine(name, kind, {}),
    render_item=render,
    process_revision_directives=drop_empty,
    # SQLite alters a table by copying it; what is new needs no copy.
    render_as_batch=attributes.get("altering", False),
)
with context.begin_transaction():
    context.run_migrations()
