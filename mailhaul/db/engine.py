"""Engines for both databases: SQLite for the embedded stack, PostgreSQL for production."""

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import QueuePool, StaticPool

SQLITE_BUSY_MS = 30_000  # other processes hold the file for one short transaction at a time


def is_sqlite(url: str | URL) -> bool:
    """Whether the address names an embedded file rather than a server."""
    return make_url(url).get_backend_name() == "sqlite"


def _postgresql_url(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg")


def sqlite_engine(url: str, *, read_only: bool, connections: int) -> Engine:
    """An engine on an embedded file: a writer begins IMMEDIATE, a reader cannot write at all."""
    parsed = make_url(url)
    memory = parsed.database in (None, "", ":memory:")
    # One shared connection is the only way for several users to see the same memory.
    pool: dict[str, Any] = (
        {"poolclass": StaticPool} if memory else {"poolclass": QueuePool, "pool_size": connections, "max_overflow": 0}
    )
    engine = create_engine(
        parsed,
        hide_parameters=True,  # an error must not tell what a row holds
        connect_args={"check_same_thread": False, "timeout": SQLITE_BUSY_MS / 1000},
        **pool,
    )

    @event.listens_for(engine, "connect")
    def _prepare(dbapi_connection: Any, _record: Any) -> None:
        # The driver must not begin by itself: its own BEGIN is deferred, and a deferred reader that turns
        # writer fails at once with SQLITE_BUSY instead of waiting its turn.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        if not memory:
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # an intent must survive a power cut
        cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
        cursor.execute("PRAGMA secure_delete=ON")  # a shredded key leaves no bytes behind
        cursor.execute("PRAGMA foreign_keys=ON")
        if read_only and not memory:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def postgresql_engine(url: str, *, connections: int) -> Engine:
    """An engine on a server, READ COMMITTED; what must not change in between is locked by row."""
    return create_engine(
        _postgresql_url(make_url(url)),
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"application_name": "mailhaul", "connect_timeout": 10},
    )
