"""Brings a database to the schema this release needs (`mailhaul db upgrade`, and at every `up`)."""

from importlib import import_module
from importlib.util import find_spec

from sqlalchemy import Connection, MetaData

from mailhaul.db import revisions
from mailhaul.db.database import Database
from mailhaul.db.metadata import metadata

# Named, not imported: the kernel knows no service. A module that is not installed owns no tables here.
TABLE_MODULES = (
    "mailhaul.vault",
    "mailhaul.budget",
    "mailhaul.directory.tables",
    "mailhaul.readmodel.tables",
    "services.panel.tables",
    "services.validator.tables",
    "services.scheduler.tables",
    "services.copier.tables",
    "services.notifier.tables",
    "services.projector.tables",
    "services.meter.tables",
)
# Two processes that upgrade at once take turns; on SQLite the write lock does it.
LOCK = "SELECT pg_advisory_xact_lock(7245131)"


def _installed(name: str) -> bool:
    parent, _, _ = name.rpartition(".")
    return (not parent or _installed(parent)) and find_spec(name) is not None


def all_tables() -> MetaData:
    """Every table of every part that is installed."""
    for name in TABLE_MODULES:
        if _installed(name):
            import_module(name)
    return metadata


async def upgrade(database: Database) -> None:
    """Apply every revision that is missing, in one transaction: it succeeds whole or changes nothing."""
    await database.write(_upgrade)


def _upgrade(tx: Connection) -> None:
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(LOCK)
    if revisions.any_written():
        revisions.to_head(tx)
    else:
        all_tables().create_all(tx)
