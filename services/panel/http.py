"""The HTTP server of the panel: on loopback, or behind TLS."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from mailhaul.settings import PanelSettings

PATIENCE = 3  # seconds for answers under way when asked to stop


class Server(uvicorn.Server):
    """Leaves the signals to the process, which ends all of its loops together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(settings: PanelSettings) -> socket.socket:
    """Bind the address. Raises OSError when it is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return socket.create_server((settings.host, settings.port), family=family, backlog=512)


async def serve_http(app: FastAPI, settings: PanelSettings, place: socket.socket, stop: asyncio.Event) -> None:
    """Answer until `stop`."""
    server = Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=PATIENCE,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
        )
    )
    ending = asyncio.create_task(_end(server, stop))
    try:
        await server.serve(sockets=[place])
    finally:
        ending.cancel()
        stop.set()
        await asyncio.gather(ending, return_exceptions=True)


async def _end(server: Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
