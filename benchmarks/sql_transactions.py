"""How many SQL transactions a second: functions in a writer thread, against aiosqlite (pip install aiosqlite).

    python benchmarks/sql_transactions.py [transactions] [tasks at once]

Each transaction inserts one row and updates another, with synchronous=FULL on a file in the current directory. The two
run in turn, five times; the medians are printed.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, Table, event
from sqlalchemy.ext.asyncio import create_async_engine

from mailhaul.db import open_database

scratch = MetaData()
entry = Table("entry", scratch, Column("id", Integer, primary_key=True), Column("n", Integer, nullable=False))


def step(tx: Connection, number: int) -> None:
    """The work of one transaction."""
    tx.execute(entry.insert().values(id=number, n=0))
    tx.execute(entry.update().where(entry.c.id == number - 1).values(n=number))


async def in_tasks(run: Callable[[int], Coroutine[Any, Any, None]], transactions: int, tasks: int) -> float:
    """Run the transactions from several tasks; returns transactions a second."""
    numbers = iter(range(1, transactions + 1))

    async def worker() -> None:
        for number in numbers:
            await run(number)

    begun = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(tasks)))
    return transactions / (time.perf_counter() - begun)


async def threaded(file: Path, transactions: int, tasks: int) -> float:
    """Mailhaul's way."""
    database = open_database(f"sqlite:///{file}")
    await database.write(scratch.create_all)
    rate = await in_tasks(lambda number: database.write(step, number), transactions, tasks)
    await database.close()
    return rate


async def through_aiosqlite(file: Path, transactions: int, tasks: int) -> float:
    """SQLAlchemy's asyncio engine: each statement crosses to a thread and back; one connection writes."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", pool_size=1, max_overflow=0, pool_timeout=600)

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    async with engine.begin() as tx:
        await tx.run_sync(scratch.create_all)

    async def one(number: int) -> None:
        async with engine.begin() as tx:
            await tx.execute(entry.insert().values(id=number, n=0))
            await tx.execute(entry.update().where(entry.c.id == number - 1).values(n=number))

    rate = await in_tasks(one, transactions, tasks)
    await engine.dispose()
    return rate


def main() -> None:
    """Print the medians."""
    transactions = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    tasks = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    rates: dict[str, list[float]] = {"thread": [], "aiosqlite": []}
    for _ in range(5):
        for name, way in (("thread", threaded), ("aiosqlite", through_aiosqlite)):
            with tempfile.TemporaryDirectory(dir=".") as directory:
                rates[name].append(asyncio.run(way(Path(directory).resolve() / "bench.sqlite3", transactions, tasks)))
    for name, values in rates.items():
        print(f"{name:>10}: {statistics.median(values):8.0f} transactions/s ({min(values):.0f} to {max(values):.0f})")


if __name__ == "__main__":
    main()
