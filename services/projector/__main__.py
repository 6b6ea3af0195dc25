"""Start the projector (`python -m services.projector`), or replay the topics into fresh tables (`... rebuild`)."""

import asyncio
import sys
from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from mailhaul import logs
from mailhaul.clock import SystemClock
from mailhaul.db import embedded_url, open_database
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.connection import cluster
from mailhaul.kafka.process import serve
from mailhaul.kafka.projection import Projection as Loop
from mailhaul.kafka.run_loop import Edge, Received
from mailhaul.settings import Settings
from services.projector.apply import Projection
from services.projector.rebuild import Rebuild
from services.projector.tables import projector_offset

SERVICE = "projector"
BATCH = 5000  # the larger the batch, the more snapshots of a folder fold into one row
log = structlog.get_logger(__name__)


async def project(settings: Settings) -> None:
    """Follow the topics until the process is asked to stop."""
    heart = Projection(failures_allowed=settings.scheduler.failures)

    def apply(batch: Sequence[Received], tx: Connection) -> None:
        heart.apply([received.event for received in batch], tx)

    db = open_database(settings.database.url or embedded_url(settings.state_dir))
    try:
        async with AIOKafkaBus(cluster(settings.kafka), SERVICE) as bus:
            loop = Loop(Edge(bus, SystemClock()), db, apply, projector_offset)
            await serve(lambda stop: loop.run(stop, batch=BATCH))
    finally:
        await db.close()


async def rebuild(settings: Settings) -> None:
    """Replay every topic into fresh tables and swap them in; a running projector goes on meanwhile."""
    db = open_database(settings.database.url or embedded_url(settings.state_dir))
    try:
        async with AIOKafkaBus(cluster(settings.kafka), SERVICE) as bus:
            rebuilt = await Rebuild(bus, db, failures_allowed=settings.scheduler.failures).run()
    finally:
        await db.close()
    log.info("read_model_rebuilt", generation=rebuilt.generation, records=rebuilt.records)


if __name__ == "__main__":
    settings = Settings()
    logs.configure(settings, SERVICE)
    asyncio.run(rebuild(settings) if sys.argv[1:] == ["rebuild"] else project(settings))
