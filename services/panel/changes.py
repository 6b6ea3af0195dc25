"""Live updates: what the projector changed, as server-sent events that a browser resumes exactly (joint 35)."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from mailhaul.db import Database
from mailhaul.ids import CustomerId
from mailhaul.readmodel import read_change, read_generation
from services.panel.tables import panel_submission

LOOK = 0.3  # seconds between two looks at the read model
HEARTBEAT = 15.0
PAGE = 500


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a browser stands; `generation.seq` on the wire."""

    generation: int
    seq: int

    def __str__(self) -> str:
        return f"{self.generation}.{self.seq}"


def place_of(text: str) -> Place | None:
    """The place in a Last-Event-ID; None when it is none of ours."""
    generation, _, seq = text.partition(".")
    return Place(int(generation), int(seq)) if generation.isdecimal() and seq.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Change:
    place: Place
    code: str
    kinds: str


@dataclass(frozen=True, slots=True)
class News:
    """`until`: how far these changes go, other customers' included."""

    lost: bool
    changes: tuple[Change, ...]
    until: Place


class Watch:
    """One look at the read model serves every open page; nobody looks while no page is open."""

    def __init__(self, db: Database, stop: asyncio.Event) -> None:
        self._db = db
        self._stop = stop
        self._now = Place(0, 0)
        self._moved = asyncio.Condition()
        self.readers = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until `stop`."""
        while not stop.is_set():
            if self.readers:
                await self._look()
            await asyncio.sleep(LOOK)
        async with self._moved:
            self._moved.notify_all()

    async def follow(self, customer: CustomerId, since: Place | None) -> AsyncGenerator[str, None]:
        """The stream of one page: changes of its customer from where it stood, or `reload`."""
        self.readers += 1
        try:
            await self._look()
            at = since or self._now
            yield _sent("hello", at, {})
            while not self._stop.is_set():
                news = await self._db.read(_news, customer, at)
                if news.lost:
                    yield _sent("reload", news.until, {})
                for change in news.changes:
                    yield _sent("change", change.place, {"code": change.code, "kinds": change.kinds.split()})
                at = news.until
                if not await self._beyond(at):
                    yield ": still here\n\n"
        finally:
            self.readers -= 1

    async def _look(self) -> None:
        found = await self._db.read(_present)
        if found != self._now:
            async with self._moved:
                self._now = found
                self._moved.notify_all()

    async def _beyond(self, at: Place) -> bool:
        """Wait until the read model has gone further; False when it is time for a sign of life."""
        try:
            async with asyncio.timeout(HEARTBEAT), self._moved:
                await self._moved.wait_for(lambda: self._now > at or self._stop.is_set())
        except TimeoutError:
            return False
        return True


def _sent(event: str, place: Place, data: object) -> str:
    return f"id: {place}\nevent: {event}\ndata: {json.dumps(data)}\n\n"


def _present(tx: Connection) -> Place:
    row = tx.execute(select(read_generation.c.generation, read_generation.c.seq)).one_or_none()
    # Before the projector's first batch there is nothing, of the first generation.
    return Place(1, 0) if row is None else Place(row.generation, row.seq)


def _news(tx: Connection, customer: CustomerId, at: Place) -> News:
    """What came after `at`, in one snapshot; lost when that is not known any more."""
    present = _present(tx)
    oldest = tx.execute(select(func.min(read_change.c.seq))).scalar_one()
    known_from = oldest - 1 if oldest is not None else present.seq
    if at.generation != present.generation or not known_from <= at.seq <= present.seq:
        return News(True, (), present)
    change, own = read_change.c, panel_submission.c
    joined = read_change.outerjoin(panel_submission, change.migration_id == own.migration_id)
    query = (
        select(change.seq, change.kinds, func.coalesce(own.code, "").label("code"))
        .select_from(joined)
        .where(change.customer_id == customer, change.seq > at.seq)
        .order_by(change.seq)
        .limit(PAGE)
    )
    rows = tx.execute(query).all()
    found = tuple(Change(Place(at.generation, row.seq), row.code, row.kinds) for row in rows)
    return News(False, found, found[-1].place if len(found) == PAGE else present)
