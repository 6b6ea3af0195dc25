"""Start the copier (`python -m services.copier`): wiring only."""

import asyncio
import os
from pathlib import Path
from random import Random
from uuid import uuid4

from mailhaul import failpoints, logs
from mailhaul.clock import SystemClock
from mailhaul.db import embedded_url, open_database
from mailhaul.dial import DialPolicy, parse_networks, tls_context
from mailhaul.imap.limits import Limits
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.connection import cluster
from mailhaul.kafka.keyed_consumer import Flow, run_keyed
from mailhaul.kafka.process import serve
from mailhaul.kafka.run_loop import Edge
from mailhaul.settings import Settings
from mailhaul.vault_keys import load_opener
from services.copier.control import Control
from services.copier.heart import SERVICE, Ends, Heart
from services.copier.lease import Worker


def ends(settings: Settings) -> Ends:
    """How either side is reached."""
    source, platform = settings.source, settings.platform
    limits = Limits(stall_window=source.progress_timeout)
    return Ends(
        source=DialPolicy(
            allow=parse_networks(source.allow_networks),
            ports=frozenset(source.ports),
            connect_timeout=source.connect_timeout,
            limits=limits,
            context=tls_context(source.ca_file),
        ),
        target=DialPolicy(
            everywhere=True,
            ports=None,
            connect_timeout=source.connect_timeout,
            limits=limits,
            context=tls_context(platform.ca_file),
        ),
        platform=platform,
    )


async def copy(settings: Settings) -> None:
    """Answer triggers until the process is asked to stop."""
    clock, rng = SystemClock(), Random()
    database = open_database(settings.database.url or embedded_url(settings.state_dir))
    owner = uuid4().hex
    lock_file: Path = settings.state_dir / "locks" / f"copier-{owner}.lock"
    worker = Worker(database, owner, lock_file, settings.copier.lease_seconds)
    await worker.start()
    control = Control(worker, clock, slice_seconds=settings.copier.slice_seconds)
    opener = load_opener(settings.vault.key_file or settings.state_dir / "vault.key")
    heart = Heart(database, worker, control, opener, ends(settings), settings, clock, rng)
    flow = Flow(at_once=settings.copier.mailboxes_at_once)
    try:
        async with AIOKafkaBus(cluster(settings.kafka), SERVICE) as bus:
            over = asyncio.Event()

            async def consume(stop: asyncio.Event) -> None:
                try:
                    await run_keyed(Edge(bus, clock), heart.handle, stop, flow=flow)
                finally:
                    over.set()

            await serve(consume, lambda stop: control.run(stop, over))
    finally:
        await worker.close()
        await database.close()


if __name__ == "__main__":
    failpoints.configure(os.environ.get(failpoints.VARIABLE, ""))
    settings = Settings()
    logs.configure(settings, SERVICE)
    asyncio.run(copy(settings))
