"""How fast one scheduler releases triggers that are all due at once, up to the point where they would be published.

    python benchmarks/trigger_release.py [URL] [mailboxes ...]

Without a URL: an SQLite file in the current directory. The mailboxes lie over 2,000 customers and source servers with
the caps lifted; three sizes show that the cost grows linearly. The database must be empty.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from sqlalchemy import Connection

from mailhaul.db import Database, metadata, now, open_database
from mailhaul.db.upgrade import upgrade
from mailhaul.ids import derive
from mailhaul.kafka.outbox import Outbox
from services.scheduler import tables
from services.scheduler.case import Policy
from services.scheduler.heart import Scheduler

CUSTOMERS = 2000
POLICY = Policy(rng=Random(1), mailboxes_per_customer=10**6, mailboxes_per_server=10**6, open_migrations=10**6)


def fill(tx: Connection, mailboxes: int) -> None:
    """One accepted migration for each customer, its first run due now."""
    at = now(tx)
    migrations, rows = [], []
    for number in range(min(CUSTOMERS, mailboxes)):
        migration = derive("bench", number)
        values = {"migration_id": migration, "customer_id": f"customer-{number}", "state": "valid", "state_seq": 1}
        values |= {"row_count": mailboxes // CUSTOMERS, "first_at": at, "submitted_at": at, "surplus": "auto"}
        migrations.append(values | {"recipients": "[]", "first_plan": '{"mode": "asap"}', "second_plan": "{}"})
        rows += [_row(migration, number, line) for line in range(max(1, mailboxes // CUSTOMERS))]
    tx.execute(tables.migration.insert(), migrations)
    tx.execute(tables.row.insert(), rows)
    timer = {"kind": "run", "run_no": 1, "due_at": at}
    tx.execute(tables.timer.insert(), [{"migration_id": each["migration_id"], **timer} for each in migrations])


def _row(migration: str, number: int, line: int) -> dict[str, object]:
    return {
        "row_id": derive("row", migration, line),
        "migration_id": migration,
        "customer_id": f"customer-{number}",
        "mailbox_id": derive("mailbox", migration, line),
        "row_version": 1,
        "line": line,
        "destination": f"user{line}@customer{number}.example.com",
        "host": f"imap.server{number}.example.org",
        "port": 993,
        "tls": "implicit",
        "source_user": f"user{line}@example.org",
        "secret_ref": derive("secret", migration, line),
        "rules": "{}",
        "check_version": 1,
        "check_state": "passed",
        "pinned_address": "192.0.2.1",
    }


async def measure(database: Database, mailboxes: int) -> None:
    """Tick until nothing is due, and print what it took."""
    await upgrade(database)
    scheduler, outbox = Scheduler(POLICY), Outbox(database, "scheduler")
    await database.write(scheduler.prepare)
    await database.write(fill, mailboxes)
    begun, sent, longest = time.perf_counter(), 0, 0.0
    while True:
        tick = time.perf_counter()
        messages = await outbox.commit(scheduler.tick)
        await outbox.flag(messages)
        longest = max(longest, time.perf_counter() - tick)
        if not messages:
            break
        sent += sum("run-triggers" in message.topic for message in messages)
    took = time.perf_counter() - begun
    print(f"{sent:8d} triggers in {took:6.1f} s: {sent / took:6.0f}/s, longest transaction {longest:.2f} s", flush=True)
    await database.write(metadata.drop_all)


async def main(arguments: list[str]) -> None:
    """Run the three sizes."""
    url = next((word for word in arguments if "://" in word), "")
    sizes = [int(word) for word in arguments if word.isdigit()] or [20_000, 50_000, 100_000]
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=".") as directory:
            database = open_database(url or f"sqlite:///{Path(directory).resolve() / 'bench.sqlite3'}")
            await measure(database, size)
            await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
