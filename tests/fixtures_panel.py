"""The panel in a test: a desk on either database with a bus in memory, and a client that speaks to it by ASGI."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import Connection

from mailhaul.clock import VirtualClock
from mailhaul.db import Database
from mailhaul.events import Event
from mailhaul.ids import CustomerId
from mailhaul.kafka.codec import decode
from mailhaul.kafka.memory_bus import MemoryBroker, MemoryBus
from mailhaul.settings import PanelSettings, Settings
from mailhaul.vault import Opener, Sealer
from services.panel.app import make_app
from services.panel.callers import Caller, add
from services.panel.desk import Desk
from services.projector.apply import Projection

CSV = (
    "anna@example.com;imap.example.org;anna@old.example;canary-anna\n"
    'bruno@example.com;imap.example.org:1993;bruno@old.example;"canary;bruno"\n'
)
OWNER = Caller(CustomerId("customer-1"), "anna", operator=False)
OTHER = Caller(CustomerId("customer-2"), "otto", operator=False)
OPERATOR = Caller(CustomerId("platform"), "olga", operator=True)


@dataclass(slots=True)
class PanelWorld:
    """A panel with its database, broker and clock; `opener` is what only validator and copier hold."""

    desk: Desk
    broker: MemoryBroker
    clock: VirtualClock
    opener: Opener
    transport: httpx2.ASGITransport

    def client(self, token: str = "owner", **headers: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=self.transport,
            base_url="http://127.0.0.1:8025",
            headers={"Authorization": f"Bearer {token}", **headers},
        )

    def published(self, topic: str | None = None) -> list[Event]:
        """Every event on the broker, or in one topic."""
        topics = [topic] if topic else sorted({place.topic for place in self.broker.logs})
        return [decode(record) for name in topics for record in self.broker.records(name)]

    async def publish_once(self) -> None:
        """Let the publisher send what waits."""
        await self.desk.outbox.relay(self.desk.bus)

    async def project(self, events: Sequence[Event]) -> None:
        """Let the projector see events."""
        heart = Projection(failures_allowed=5)

        def apply(tx: Connection) -> None:
            heart.apply(events, tx)

        await self.desk.db.write(apply)

    async def submitted(self, **fields: object) -> str:
        """Upload the two rows and return the code."""
        body = {"type": "standard-ssl", "csv": CSV, **fields}
        async with self.client() as client:
            answer = await client.post("/api/v1/migrations", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["code"])


def _let_in(tx: Connection) -> None:
    for token, caller in (("owner", OWNER), ("other", OTHER), ("operator", OPERATOR)):
        add(tx, token, caller, 0)


def desk_for(database: Database, broker: MemoryBroker, clock: VirtualClock, key: X25519PrivateKey) -> Desk:
    """A desk whose ids are counted, so that a test can name them."""
    numbers = count(1)
    return Desk(
        settings=Settings(state_dir=Path("unused"), panel=PanelSettings()),
        db=database,
        bus=MemoryBus(broker, "panel"),
        sealer=Sealer(key.public_key()),
        clock=clock,
        secret="secret of a test",
        new_id=lambda: f"00000000-0000-4000-8000-{next(numbers):012d}",
    )


@pytest.fixture
async def panel(database: Database) -> PanelWorld:
    """A panel on SQLite and on PostgreSQL, with three callers."""
    key, clock, broker = X25519PrivateKey.generate(), VirtualClock(), MemoryBroker()
    desk = desk_for(database, broker, clock, key)
    await database.write(_let_in)
    return PanelWorld(desk, broker, clock, Opener(key), httpx2.ASGITransport(app=make_app(desk)))


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that another task brings about."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
