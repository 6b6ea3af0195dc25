"""`python -m services.validator`: wiring only."""

import asyncio
import os
from random import Random
from uuid import uuid4

from mailhaul import failpoints, logs
from mailhaul.clock import SystemClock
from mailhaul.db import embedded_url, open_database
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.connection import cluster
from mailhaul.kafka.keyed_consumer import Flow, run_keyed
from mailhaul.kafka.outbox import Outbox
from mailhaul.kafka.process import serve
from mailhaul.kafka.run_loop import Edge
from mailhaul.settings import Settings
from mailhaul.vault_keys import load_opener
from services.validator import wiring
from services.validator.allowance import Shared
from services.validator.check import Checker
from services.validator.heart import Validator

SERVICE = "validator"
# Rows wait for their server's turn in the gate and hold nothing meanwhile, so the consumer may hand out many.
FLOW = Flow(at_once=1_000)


async def validate(settings: Settings) -> None:
    """Check rows until the process is asked to stop."""
    clock = SystemClock()
    gate = wiring.gate(settings.validator, clock)
    opener = load_opener(settings.vault.key_file or settings.state_dir / "vault.key")
    db = open_database(settings.database.url or embedded_url(settings.state_dir))
    outbox = Outbox(db, SERVICE)
    allowance = Shared(db, uuid4().hex, settings.source.connections_per_server, clock, Random())
    checker = Checker(
        wiring.source_policy(settings.source),
        wiring.destination(settings.platform, settings.source),
        gate,
        clock,
        allowance,
    )
    try:
        async with AIOKafkaBus(cluster(settings.kafka), SERVICE) as bus:
            heart = Validator(db, outbox, opener, checker, gate, clock)
            edge = Edge(bus, clock, outbox)
            await serve(lambda stop: run_keyed(edge, heart.handle, stop, flow=FLOW), allowance.tend)
    finally:
        await db.close()


if __name__ == "__main__":
    failpoints.configure(os.environ.get(failpoints.VARIABLE, ""))
    settings = Settings()
    logs.configure(settings, SERVICE)
    asyncio.run(validate(settings))
