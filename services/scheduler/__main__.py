"""Start a scheduler (`python -m services.scheduler`); any number may run."""

import asyncio
import os
from datetime import timedelta
from random import Random

from mailhaul import failpoints, logs
from mailhaul.clock import SystemClock
from mailhaul.db import SECOND, embedded_url, open_database
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.connection import cluster
from mailhaul.kafka.outbox import Outbox
from mailhaul.kafka.process import serve, wait_until
from mailhaul.kafka.run_loop import Edge, run_decisions, run_ticks
from mailhaul.retry import Policy as RetryPolicy
from mailhaul.schedule import Horizon
from mailhaul.settings import Settings
from services.scheduler.case import Policy
from services.scheduler.heart import Scheduler

SERVICE = "scheduler"
FORGET_EVERY = 300.0  # seconds after which deleted bytes are gone from the write-ahead log too
DAY = 86_400 * SECOND


def policy_of(settings: Settings) -> Policy:
    """The settings as the scheduler decides by them."""
    limits, own = settings.limits, settings.scheduler
    return Policy(
        rng=Random(),
        retry=RetryPolicy(failures=own.failures, base=own.retry_base, cap=own.retry_cap),
        horizon=Horizon(first=timedelta(days=limits.schedule_days), second=timedelta(hours=limits.second_run_hours)),
        rows_per_file=limits.rows_per_file,
        open_migrations=limits.open_migrations,
        mailboxes_per_customer=own.mailboxes_per_customer,
        mailboxes_per_server=own.mailboxes_per_server,
        check_timeout=int(own.check_timeout * SECOND),
        waiting=int(own.waiting_hours * 3600 * SECOND),
        after_mx=int(own.after_mx_hours * 3600 * SECOND),
        purge=limits.purge_days * DAY,
        purge_after_upload=limits.purge_days_after_upload * DAY,
    )


async def schedule(settings: Settings) -> None:
    """Decide until the process is asked to stop."""
    scheduler = Scheduler(policy_of(settings))
    db = open_database(settings.database.url or embedded_url(settings.state_dir))
    try:
        await db.write(scheduler.prepare)
        outbox = Outbox(db, SERVICE)
        async with AIOKafkaBus(cluster(settings.kafka), SERVICE) as bus:
            edge = Edge(bus, SystemClock(), outbox)

            async def decisions(stop: asyncio.Event) -> None:
                await run_decisions(edge, scheduler.decide, stop)

            async def ticks(stop: asyncio.Event) -> None:
                await run_ticks(edge, scheduler.tick, stop, every=settings.scheduler.tick)

            async def forgetting(stop: asyncio.Event) -> None:
                while not stop.is_set():
                    await db.truncate_log()
                    await wait_until(stop, FORGET_EVERY)

            await serve(decisions, ticks, forgetting)
    finally:
        await db.close()


if __name__ == "__main__":
    failpoints.configure(os.environ.get(failpoints.VARIABLE, ""))
    settings = Settings()
    logs.configure(settings, SERVICE)
    asyncio.run(schedule(settings))
