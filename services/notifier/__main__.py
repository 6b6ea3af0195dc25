"""Start the notifier: `python -m services.notifier`."""

import asyncio
import os
from random import Random

from mailhaul import failpoints, logs
from mailhaul.clock import SystemClock
from mailhaul.db import embedded_url, open_database
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.connection import cluster
from mailhaul.kafka.outbox import Outbox
from mailhaul.kafka.process import serve
from mailhaul.kafka.run_loop import Edge, run
from mailhaul.settings import Settings
from services.notifier.delivery import Delivery
from services.notifier.heart import Notifier
from services.notifier.letters import Platform
from services.notifier.page import Pages
from services.notifier.recipients import envelope_address
from services.notifier.records import DNS
from services.notifier.relay import Relay, RelaySettings

SERVICE = "notifier"


def platform(settings: Settings) -> Platform:
    """What the mails say of this installation."""
    records = settings.platform.dns
    dns = DNS(mx=tuple(records.mx), spf=records.spf, dkim=tuple(records.dkim), webmail=records.webmail)
    return Platform(dns=dns, panel_url=settings.panel.url)


def relay(settings: Settings) -> RelaySettings:
    """How the relay is reached."""
    smtp = settings.smtp
    return RelaySettings(
        host=smtp.host,
        port=smtp.port,
        tls=smtp.tls,
        username=smtp.username,
        password=smtp.password.get_secret_value(),
        ca_file=smtp.ca_file,
        greet_as=envelope_address(smtp.sender).rpartition("@")[2],
    )


async def notify(settings: Settings) -> None:
    """Store mails as events ask for them, and send what is stored, until the process is asked to stop."""
    db = open_database(settings.database.url or embedded_url(settings.state_dir))
    outbox, reached = Outbox(db, SERVICE), relay(settings)
    try:
        async with AIOKafkaBus(cluster(settings.kafka), SERVICE) as bus:
            delivery = Delivery(
                db,
                bus,
                outbox,
                lambda: Relay(reached),
                Random(),
                claim_seconds=settings.notifier.claim_seconds,
                look_seconds=settings.notifier.look_seconds,
            )
            heart = Notifier(
                db,
                outbox,
                platform=platform(settings),
                sender=settings.smtp.sender,
                pages=Pages(),
                mails_due=delivery.due.set,
            )
            edge = Edge(bus, SystemClock(), outbox)
            await serve(lambda stop: run(edge, heart.handle, stop), delivery.run)
    finally:
        await db.close()


if __name__ == "__main__":
    failpoints.configure(os.environ.get(failpoints.VARIABLE, ""))
    settings = Settings()
    logs.configure(settings, SERVICE)
    asyncio.run(notify(settings))
