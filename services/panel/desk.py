"""What every route of the panel works with; made once, in `__main__` or in a test."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Header, Query, Request

from mailhaul.addresses import Network
from mailhaul.clock import Clock
from mailhaul.db import Database, Microseconds, to_microseconds
from mailhaul.errors import RequestInvalid
from mailhaul.kafka.bus import Bus
from mailhaul.kafka.outbox import Outbox
from mailhaul.schedule import Horizon
from mailhaul.settings import Settings
from mailhaul.texts import Language
from mailhaul.vault import Sealer
from services.panel import callers
from services.panel.callers import Caller
from services.panel.changes import Watch
from services.panel.problems import language_of


def random_id() -> str:
    """A name for something that a person or a program begins here (joint 3)."""
    return str(uuid4())


@dataclass(slots=True, kw_only=True)
class Desk:
    """`secret` keys the fingerprints of uploads; `asked` wakes the publisher."""

    settings: Settings
    db: Database
    bus: Bus
    sealer: Sealer
    clock: Clock
    secret: str
    networks: tuple[Network, ...] = ()
    new_id: Callable[[], str] = random_id
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    outbox: Outbox = field(init=False)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.db, "panel")
        self.watch = Watch(self.db, self.stop)

    @property
    def now(self) -> Microseconds:
        return to_microseconds(self.clock.now())

    @property
    def horizon(self) -> Horizon:
        limits = self.settings.limits
        return Horizon(
            first=timedelta(days=limits.schedule_days),
            second=timedelta(hours=limits.second_run_hours),
        )


def desk_of(request: Request) -> Desk:
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk


AtDesk = Annotated[Desk, Depends(desk_of)]


async def caller_of(desk: AtDesk, authorization: Annotated[str, Header(include_in_schema=False)] = "") -> Caller:
    """Who sent the bearer token (RFC 6750 §2.1). Raises RequestInvalid(`sign_in_needed`)."""
    scheme, _, token = authorization.partition(" ")
    caller = await desk.db.read(callers.find, token.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        raise RequestInvalid("sign_in_needed", "a token is missing or wrong")
    return caller


def operator_of(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
    """A caller who runs the platform. Raises RequestInvalid(`not_allowed`)."""
    if not caller.operator:
        raise RequestInvalid("not_allowed", "only an operator may do that")
    return caller


def reader_language(
    request: Request, language: Annotated[str | None, Query(description="en | it; default: Accept-Language")] = None
) -> Language:
    return language_of(request.headers, language)


Calling = Annotated[Caller, Depends(caller_of)]
Operating = Annotated[Caller, Depends(operator_of)]
InLanguage = Annotated[Language, Depends(reader_language)]
RepeatKey = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]
