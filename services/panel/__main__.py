"""Start the panel: `python -m services.panel`."""

import asyncio
import secrets
import sys
from pathlib import Path

import structlog
from sqlalchemy import Connection

from mailhaul import logs
from mailhaul.clock import SystemClock
from mailhaul.db import Database, Microseconds, embedded_url, open_database, to_microseconds
from mailhaul.dial import parse_networks
from mailhaul.errors import MailhaulError
from mailhaul.kafka.aiokafka_bus import AIOKafkaBus
from mailhaul.kafka.connection import cluster
from mailhaul.kafka.process import serve, together
from mailhaul.kafka.run_loop import Edge, run
from mailhaul.settings import Settings
from mailhaul.vault_keys import load_sealer
from services.panel.app import make_app
from services.panel.callers import LOCAL_CUSTOMER, LOCAL_USER, Caller, add, local_token, secret_file
from services.panel.desk import Desk
from services.panel.guard import check_binding
from services.panel.handle import Handler
from services.panel.http import listen, serve_http
from services.panel.publisher import publish, tidy

SERVICE = "panel"
log = structlog.get_logger(__name__)


async def open_desk(settings: Settings, db: Database) -> Desk:
    """The desk with its keys; the local user's token is made at the first start."""
    clock = SystemClock()
    file = settings.panel.token_file or settings.state_dir / "panel.token"
    token = local_token(file, secrets.token_urlsafe(32))
    await db.write(_let_in, token, to_microseconds(clock.now()))
    return Desk(
        settings=settings,
        db=db,
        bus=AIOKafkaBus(cluster(settings.kafka), SERVICE),
        sealer=load_sealer(settings.vault.public_key_file or settings.state_dir / "vault.pub"),
        clock=clock,
        secret=secret_file(_beside(file), secrets.token_urlsafe(32)),
        networks=parse_networks(settings.source.allow_networks),
    )


def _beside(file: Path) -> Path:
    return file.with_name("panel.key")


def _let_in(tx: Connection, token: str, at: Microseconds) -> None:
    add(tx, token, Caller(LOCAL_CUSTOMER, LOCAL_USER, operator=True), at)


async def main(settings: Settings) -> None:
    """Answer at once, whether a broker is there or not; publish and listen as soon as one is."""
    check_binding(settings.panel)
    place = listen(settings.panel)
    db = open_database(settings.database.url or embedded_url(settings.state_dir))
    try:
        desk = await open_desk(settings, db)
        app = make_app(desk)
        log.info("panel_listening", host=settings.panel.host, port=place.getsockname()[1])
        await serve(
            lambda stop: serve_http(app, settings.panel, place, stop),
            lambda stop: _on_the_bus(desk, stop),
            lambda stop: tidy(desk, stop),
            desk.watch.run,
            stop=desk.stop,
        )
    finally:
        place.close()
        await db.close()


async def _on_the_bus(desk: Desk, stop: asyncio.Event) -> None:
    connecting = asyncio.create_task(desk.bus.start())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({connecting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if connecting.done():
            connecting.result()
            handler = Handler(desk.db, desk.outbox)
            edge = Edge(desk.bus, desk.clock)
            await together(stop, publish(desk, stop), run(edge, handler.handle, stop))
    finally:
        for task in (connecting, stopped):
            task.cancel()
        await asyncio.gather(connecting, stopped, return_exceptions=True)
        await desk.bus.stop()


if __name__ == "__main__":
    try:
        settings = Settings()
        logs.configure(settings, SERVICE)
        asyncio.run(main(settings))
    except MailhaulError as error:
        sys.exit(error.text)
