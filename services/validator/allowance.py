"""The validator's part of each source server's budget, which all workers of the installation share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Protocol

from sqlalchemy import Connection

from mailhaul import budget
from mailhaul.clock import Clock
from mailhaul.db import SECOND, Database, now
from mailhaul.errors import Side, Throttled

LEASE = 60 * SECOND
RENEW_EVERY = 15.0
ASK_EVERY = 1.0
PATIENCE = 120  # askings, about two minutes, until it counts as busy all the time
PARK = 60.0  # seconds for a server that asks for patience and names no time


class Allowance(Protocol):
    """Who says when a connection to a source server may be opened."""

    def connection(self, server: str) -> AbstractAsyncContextManager[None]:
        """One connection for as long as the block lasts; raises Throttled when none is free for long."""
        ...

    async def park(self, server: str, error: Throttled) -> None:
        """The server asked for patience: nobody of the installation opens another one for a while."""
        ...


class Unlimited:
    """For a check by hand, beside the installation."""

    @asynccontextmanager
    async def connection(self, server: str) -> AsyncIterator[None]:
        yield

    async def park(self, server: str, error: Throttled) -> None:
        return


@dataclass(slots=True)
class Shared:
    """Connections leased in SQL; `worker` is this process, `limit` the most to one server over all workers."""

    db: Database
    worker: str
    limit: int
    clock: Clock
    rng: Random

    @asynccontextmanager
    async def connection(self, server: str) -> AsyncIterator[None]:
        for _ in range(PATIENCE):
            if await self.db.write(self._acquire, server):
                break
            await self.clock.sleep(ASK_EVERY)
        else:
            raise Throttled("server_limit", "the source server has no connection to spare", side=Side.SOURCE)
        try:
            yield
        finally:
            await asyncio.shield(self.db.write(budget.release, server, self.worker, 1))

    async def park(self, server: str, error: Throttled) -> None:
        await self.db.write(self._park, server, error)

    async def tend(self, stop: asyncio.Event) -> None:
        """Beside the run loop: keep what is leased."""
        while not stop.is_set():
            await self.db.write(lambda tx: budget.renew(tx, self.worker, LEASE, now(tx)))
            try:
                await asyncio.wait_for(stop.wait(), RENEW_EVERY)
            except TimeoutError:
                continue

    def _acquire(self, tx: Connection, server: str) -> int:
        return budget.acquire(tx, server, self.worker, 1, self.limit, LEASE, now(tx))

    def _park(self, tx: Connection, server: str, error: Throttled) -> None:
        wait = int((error.back_off or PARK) * SECOND)
        budget.park(tx, server, wait, error.code, self.rng, now(tx))
