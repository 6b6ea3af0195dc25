"""What every run of a worker listens to, once a second: stops, parked servers, its slice, the worker's own lease."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from mailhaul.budget import Standing, Stops
from mailhaul.clock import Clock
from mailhaul.db import SECOND
from mailhaul.ids import CustomerId, MailboxId, MigrationId
from services.copier.lease import Worker

CONTINUE, THROTTLED, LEASE_LOST = "continue", "throttled", "lease_lost"
SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Work:
    """Whose work a run is."""

    mailbox: MailboxId
    migration: MigrationId
    customer: CustomerId
    server: str


class Control:
    """Renews the worker once a second, which is also how it learns of stops (joint 9)."""

    def __init__(self, worker: Worker, clock: Clock, *, slice_seconds: float) -> None:
        self._worker, self._clock, self._slice = worker, clock, slice_seconds
        self._standing = Standing(Stops(), {})
        self._renewed = clock.monotonic()
        self.ending = False

    async def run(self, stop: asyncio.Event, over: asyncio.Event) -> None:
        """Renew until `over`; from `stop` on every run gives up its slot at its next batch and still has its lease."""
        while not over.is_set():
            await self._renew()
            self.ending = stop.is_set()
            awaited = over if self.ending else stop
            with suppress(TimeoutError):
                async with asyncio.timeout(SECONDS):
                    await awaited.wait()

    async def _renew(self) -> None:
        self._standing = await self._worker.renew()
        self._renewed = self._clock.monotonic()

    def _stopped(self, work: Work) -> str:
        """Why this work may not go on at all; empty when it may."""
        reason = self._standing.stops.reason(
            mailbox=work.mailbox, migration=work.migration, customer=work.customer, server=work.server
        )
        return reason or ""

    def watch(self, work: Work) -> Callable[[], str]:
        """A function that says why a run that begins now should stop, or an empty string."""
        began = self._clock.monotonic()

        def held_up() -> str:
            at = self._clock.monotonic()
            if at - self._renewed > self._worker.lease / SECOND:
                return LEASE_LOST
            if reason := self._stopped(work):
                return reason
            if work.server in self._standing.parked:
                return THROTTLED
            return CONTINUE if self.ending or at - began >= self._slice else ""

        return held_up
