"""Manners towards source servers: few checks at once, a halt after refused sign-ins, no queue before a dead server.

Its memory is the process's own. Each process of the group keeps to the limits for its share of the rows.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailhaul.clock import Clock
from mailhaul.errors import MailhaulError
from mailhaul.events import Endpoint
from mailhaul.ids import MigrationId

# Failures of the server as a whole: the next row would only wait for the same answer.
WHOLE_SERVER = frozenset(
    {
        "connection_refused",
        "connect_timed_out",
        "greeting_timed_out",
        "name_not_resolved",
        "network_unreachable",
        "not_imap",
        "tls_expired",
        "tls_name_mismatch",
        "tls_not_spoken",
        "tls_not_yet_valid",
        "tls_too_old",
        "tls_untrusted",
    }
)
TWICE = 2
REMEMBERED = timedelta(seconds=60)


@dataclass(slots=True)
class _Trouble:
    """A row of failures of one kind, and when the last of them was."""

    count: int = 0
    at: datetime | None = None
    error: MailhaulError | None = None


class Gate:
    """`at_once` checks on one server; after `refused_in_a_row` a migration's rows on it are not tested."""

    def __init__(self, clock: Clock, *, at_once: int, in_all: int, refused_in_a_row: int) -> None:
        self._clock = clock
        self._at_once = at_once
        self._refused_in_a_row = refused_in_a_row
        self._all = asyncio.Semaphore(in_all)
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._waiting: dict[str, int] = {}
        self._refusals: dict[tuple[MigrationId, str], _Trouble] = {}
        self._dead: dict[Endpoint, _Trouble] = {}

    @asynccontextmanager
    async def turn(self, server: str) -> AsyncIterator[None]:
        """A place at the server, then one in the process: rows of a slow server never hold up those of another."""
        self._waiting[server] = self._waiting.get(server, 0) + 1
        turns = self._turns.setdefault(server, asyncio.Semaphore(self._at_once))
        try:
            async with turns, self._all:
                yield
        finally:
            self._waiting[server] -= 1
            if not self._waiting[server]:
                del self._waiting[server], self._turns[server]

    def halted(self, migration: MigrationId, server: str, asked_at: datetime) -> bool:
        """Whether the server refused too many in a row. Whoever asks anew after that gets another try."""
        trouble = self._refusals.get((migration, server))
        if trouble is None or trouble.at is None or trouble.count < self._refused_in_a_row:
            return False
        if asked_at > trouble.at:
            del self._refusals[migration, server]
            return False
        return True

    def refused(self, migration: MigrationId, server: str) -> None:
        trouble = self._refusals.setdefault((migration, server), _Trouble())
        trouble.count += 1
        trouble.at = self._clock.now()

    def accepted(self, migration: MigrationId, server: str) -> None:
        """A sign-in succeeded: the row of refusals is broken."""
        self._refusals.pop((migration, server), None)

    def dead(self, endpoint: Endpoint, asked_at: datetime) -> MailhaulError | None:
        """Why a server that could not be reached twice in a row just now is not tried again for this row."""
        trouble = self._dead.get(endpoint)
        if trouble is None or trouble.at is None or trouble.count < TWICE:
            return None
        if asked_at > trouble.at or self._clock.now() - trouble.at > REMEMBERED:
            del self._dead[endpoint]
            return None
        return trouble.error

    def unreachable(self, endpoint: Endpoint, error: MailhaulError) -> None:
        if error.code in WHOLE_SERVER:
            trouble = self._dead.setdefault(endpoint, _Trouble())
            trouble.count += 1
            trouble.at, trouble.error = self._clock.now(), error

    def reached(self, endpoint: Endpoint) -> None:
        self._dead.pop(endpoint, None)

    def forget(self, migration: MigrationId) -> None:
        """The migration is gone."""
        for key in [key for key in self._refusals if key[0] == migration]:
            del self._refusals[key]
