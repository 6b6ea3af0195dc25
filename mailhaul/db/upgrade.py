"""Brings a database to the schema this release needs (`mailhaul db upgrade`, and at every `up`)."""

from importlib import import_module
from importlib.util import find_spec

from sqlalchemy import MetaData

from mailhaul.db.database import Database
from mailhaul.db.metadata import metadata

# Named, not imported: the kernel knows no service. A module that is not installed owns no tables here.
TABLE_MODULES = (
    "mailhaul.vault",
    "mailhaul.budget",
    "mailhaul.directory.tables",
    "mailhaul.kafka.outbox",
    "services.panel.tables",
    "services.validator.tables",
    "services.scheduler.tables",
    "services.copier.tables",
    "services.notifier.tables",
    "services.projector.tables",
    "services.meter.tables",
    "services.watcher.tables",
    "services.importer.tables",
)


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
    """Create what is missing; run by one process at a time, before the services start."""
    await database.write(all_tables().create_all)
