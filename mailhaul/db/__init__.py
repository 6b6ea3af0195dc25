"""The database: synchronous transaction functions run in threads, on SQLite or PostgreSQL."""

from mailhaul.db.database import (
    Database,
    InlineDatabase,
    PostgreSQLDatabase,
    SQLiteDatabase,
    embedded_url,
    open_database,
)
from mailhaul.db.dialect import insert, insert_missing, upsert
from mailhaul.db.metadata import metadata
from mailhaul.db.now import SECOND, Microseconds, from_microseconds, now, to_microseconds

__all__ = [
    "SECOND",
    "Database",
    "InlineDatabase",
    "Microseconds",
    "PostgreSQLDatabase",
    "SQLiteDatabase",
    "embedded_url",
    "from_microseconds",
    "insert",
    "insert_missing",
    "metadata",
    "now",
    "open_database",
    "to_microseconds",
    "upsert",
]
