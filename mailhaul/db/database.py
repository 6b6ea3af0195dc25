"""Transactions as plain functions: `await db.write(fn, *args)` runs `fn(tx, *args)` in a thread and commits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar, TypeVarTuple

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import OperationalError

from mailhaul.db.engine import is_sqlite, postgresql_engine, sqlite_engine
from mailhaul.db.now import CLOCK_OPTION, Microseconds
from mailhaul.db.writer import Writer, run_now

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
DEADLOCK_TRIES = 10
# PostgreSQL's words for "somebody else won, begin again": serialization_failure and deadlock_detected.
BEGIN_AGAIN = frozenset({"40001", "40P01"})


class Database(Protocol):
    """What a service needs of a database; a transaction function makes no network call and may run twice."""

    @property
    def engine(self) -> Engine:
        """The engine that writes, for schema work and tests."""
        ...

    async def write(self, fn: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Run `fn(tx, *args)` in a writing transaction and return its value after the commit."""
        ...

    async def read(self, fn: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Run `fn(tx, *args)` in a transaction that must not write."""
        ...

    async def truncate_log(self) -> None:
        """Remove deleted bytes from the write-ahead log, after secrets were shredded."""
        ...

    async def close(self) -> None:
        """Finish what is queued and close every connection."""
        ...


class SQLiteDatabase:
    """An embedded file: one writer thread, a few readers beside it."""

    def __init__(self, url: str, *, readers: int = 4, clock: Callable[[], Microseconds] | None = None) -> None:
        options = {CLOCK_OPTION: clock}
        self.engine = sqlite_engine(url, read_only=False, connections=1).execution_options(**options)
        self._read_engine = sqlite_engine(url, read_only=True, connections=readers).execution_options(**options)
        self._writer = Writer(self.engine)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="mailhaul-db-reader")

    async def write(self, fn: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        return await asyncio.wrap_future(self._writer.submit(lambda tx: fn(tx, *args)))

    async def read(self, fn: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        future = self._readers.submit(run_now, self._read_engine, lambda tx: fn(tx, *args))
        return await asyncio.wrap_future(future)

    async def truncate_log(self) -> None:
        def truncate() -> None:
            connection = self._read_engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

        await asyncio.wrap_future(self._readers.submit(truncate))

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._readers.shutdown)
        self._read_engine.dispose()
        self.engine.dispose()


class PostgreSQLDatabase:
    """A server: a small pool, one thread a connection; a transaction that lost a deadlock begins again."""

    def __init__(self, url: str, *, connections: int = 6, clock: Callable[[], Microseconds] | None = None) -> None:
        self.engine = postgresql_engine(url, connections=connections).execution_options(**{CLOCK_OPTION: clock})
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="mailhaul-db")

    async def write(self, fn: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        future = self._threads.submit(self._persist, lambda tx: fn(tx, *args))
        return await asyncio.wrap_future(future)

    async def read(self, fn: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        future = self._threads.submit(self._look, lambda tx: fn(tx, *args))
        return await asyncio.wrap_future(future)

    async def truncate_log(self) -> None:
        """Nothing to do: the server's log is the operator's, and its age stands in the documents."""

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self.engine.dispose()

    def _look(self, run: Callable[[Connection], T]) -> T:
        # One snapshot for the whole function, so that a page never mixes two moments.
        with self.engine.connect() as connection:
            tx = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with tx.begin():
                return run(tx)

    def _persist(self, run: Callable[[Connection], T]) -> T:
        for attempt in range(1, DEADLOCK_TRIES + 1):
            try:
                return run_now(self.engine, run)
            except OperationalError as error:
                if attempt == DEADLOCK_TRIES or getattr(error.orig, "sqlstate", None) not in BEGIN_AGAIN:
                    raise
        raise AssertionError("unreachable")


class InlineDatabase:
    """For simulations on a virtual clock: every transaction runs in the caller's thread, without any thread."""

    def __init__(self, url: str = "sqlite://", *, clock: Callable[[], Microseconds] | None = None) -> None:
        self.engine = sqlite_engine(url, read_only=False, connections=1).execution_options(**{CLOCK_OPTION: clock})

    async def write(self, fn: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        return run_now(self.engine, lambda tx: fn(tx, *args))

    async def read(self, fn: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        return await self.write(fn, *args)

    async def truncate_log(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        self.engine.dispose()


def open_database(url: str, *, clock: Callable[[], Microseconds] | None = None) -> Database:
    """Open the database at `url` (`sqlite:///FILE` or `postgresql://...`); the tables are `upgrade`'s work."""
    if not is_sqlite(url):
        return PostgreSQLDatabase(url, clock=clock)
    file = make_url(url).database
    if file in (None, "", ":memory:"):
        return InlineDatabase(url, clock=clock)
    assert file is not None
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    return SQLiteDatabase(url, clock=clock)


def embedded_url(state_directory: Path) -> str:
    """The default database: one file in the state directory."""
    return f"sqlite:///{state_directory / 'mailhaul.sqlite3'}"
