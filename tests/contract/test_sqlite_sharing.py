"""Joint 38: SQLite holds one writer at a time, so processes take turns, and what was committed survives."""

import asyncio
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Connection, func, select

from mailhaul.db import Database, open_database
from mailhaul.db.upgrade import upgrade
from mailhaul.ids import MailboxId
from services.copier.lease import Worker
from services.copier.tables import copier_lease, copier_worker

PROCESSES, WRITES = 4, 60
WRITER = """
import asyncio, sys
from sqlalchemy import text
from mailhaul.db import open_database

def add(tx):
    seen = tx.execute(text("SELECT n FROM counted")).scalar_one()
    tx.execute(text("UPDATE counted SET n = :n"), {"n": seen + 1})

async def main():
    database = open_database(sys.argv[1])
    for _ in range(int(sys.argv[2])):
        await database.write(add)
    await database.close()

asyncio.run(main())
"""


async def test_joint_38_processes_take_turns_and_lose_no_write(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.sqlite3'}"
    database = open_database(url)
    await database.write(lambda tx: tx.exec_driver_sql("CREATE TABLE counted (n INTEGER)"))
    await database.write(lambda tx: tx.exec_driver_sql("INSERT INTO counted VALUES (0)"))
    command = [sys.executable, "-c", WRITER, url, str(WRITES)]
    running = [subprocess.Popen(command) for _ in range(PROCESSES)]
    codes = await asyncio.gather(*(asyncio.to_thread(process.wait) for process in running))
    counted = await database.read(lambda tx: tx.exec_driver_sql("SELECT n FROM counted").scalar_one())
    await database.close()
    assert codes == [0] * PROCESSES
    assert counted == PROCESSES * WRITES


async def test_joint_38_a_commit_survives_a_power_cut(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    settings = await database.write(_settings)
    await database.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}  # 2: FULL


def _settings(tx: Connection) -> dict[str, object]:
    return {
        name: tx.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("journal_mode", "synchronous", "secure_delete")
    }


async def test_joint_38_leases_are_renewed_per_worker(database: Database) -> None:
    worker = Worker(database, "worker", None, 15.0)
    await worker.start()
    for number in range(50):
        assert await worker.acquire(MailboxId(f"mailbox-{number}")) == 1
    before = await database.read(_leases)
    await worker.renew()
    after = await database.read(_leases)
    assert before[0] == after[0] == 50
    assert after[1] == 1  # one row carries the life of all fifty
    assert after[2] >= before[2]


def _leases(tx: Connection) -> tuple[int, int, int]:
    leases = tx.execute(select(func.count()).select_from(copier_lease)).scalar_one()
    workers = tx.execute(select(func.count(), func.max(copier_worker.c.expires_at))).one()
    return int(leases), int(workers[0]), int(workers[1])


async def test_upgrading_twice_changes_nothing(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    await upgrade(database)
    first = await database.read(_schema)
    await upgrade(database)
    assert await database.read(_schema) == first
    await database.close()


def _schema(tx: Connection) -> list[str]:
    rows = tx.exec_driver_sql("SELECT name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY name")
    return [str(row[0]) for row in rows]
