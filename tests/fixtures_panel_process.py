"""A panel in a process of its own, as `up` starts it: SQLite, its own port, and no broker anywhere."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from mailhaul.db import Database, embedded_url, open_database
from mailhaul.db.upgrade import upgrade
from mailhaul.events import Event
from mailhaul.kafka.codec import decode
from mailhaul.kafka.memory_bus import MemoryBroker, MemoryBus
from mailhaul.kafka.outbox import Outbox
from mailhaul.stack.installation import Installation
from mailhaul.stack.ports import LOOPBACK, answers, free_ports
from mailhaul.vault_keys import make_vault_keys
from services.projector.apply import Projection

T = TypeVar("T")
NOBODY = "127.0.0.1:9"  # the discard port: no broker answers there


@dataclass(slots=True)
class PanelProcess:
    """Where it is, what it keeps, and the environment in which the command line finds it."""

    here: Installation
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def token(self) -> str:
        return self.here.token_file.read_text(encoding="ascii").strip()

    def publish(self) -> list[Event]:
        """Stand in for the broker that is away: take what waits in the outbox, in its order."""

        async def relayed(database: Database) -> list[Event]:
            broker = MemoryBroker(partitions=1)
            await Outbox(database, "panel").relay(MemoryBus(broker, "panel"))
            return [decode(record) for place in sorted(broker.logs) for record in broker.logs[place]]

        return self._run(relayed)

    def project(self, events: Sequence[Event]) -> None:
        """Let the projector see events."""

        def apply(tx: Connection) -> None:
            Projection(failures_allowed=5).apply(events, tx)

        async def applied(database: Database) -> None:
            await database.write(apply)

        self._run(applied)

    def _run(self, work: Callable[[Database], Awaitable[T]]) -> T:
        async def opened() -> T:
            database = open_database(embedded_url(self.here.directory))
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(opened())


async def _prepare(url: str) -> None:
    database = open_database(url)
    await upgrade(database)
    await database.close()


@pytest.fixture(scope="module")
def panel_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanelProcess]:
    """One panel for the tests of a module."""
    here = Installation(tmp_path_factory.mktemp("installation"))
    here.prepare()
    make_vault_keys(here.vault_private, here.vault_public)
    asyncio.run(_prepare(embedded_url(here.directory)))
    (port,) = free_ports(1)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAILHAUL_")} | {
        "MAILHAUL_STATE_DIR": str(here.directory),
        "MAILHAUL_PANEL__PORT": str(port),
        "MAILHAUL_KAFKA__BOOTSTRAP": NOBODY,
        "MAILHAUL_VAULT__PUBLIC_KEY_FILE": str(here.vault_public),
    }
    with here.log("panel").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.panel"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 30
        while not (here.token_file.exists() and answers(port)):
            assert process.poll() is None, here.log("panel").read_text()
            assert time.monotonic() < deadline, here.log("panel").read_text()
            time.sleep(0.05)
        yield PanelProcess(here, port, process)
    finally:
        process.terminate()
        process.wait(20)
