"""What may run, and how much at once: stops, connections per source server, and servers that asked for patience."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, Table, Text, and_, delete, func, select, update

from mailhaul.db import SECOND, Microseconds, insert_missing, metadata, upsert
from mailhaul.ids import CustomerId, MailboxId, MigrationId

RECOVERY = 60 * SECOND  # a throttled server gets one more connection after each such span

budget_stop = Table(
    "budget_stop",
    metadata,
    Column("level", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
budget_server = Table(
    "budget_server",
    metadata,
    Column("server", Text, primary_key=True),
    Column("parked_until", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("allowed", Integer),  # connections since it was last throttled; none: as the settings say
    Column("throttled_at", BigInteger),
)
budget_lease = Table(
    "budget_lease",
    metadata,
    Column("server", Text, primary_key=True),
    Column("worker", Text, primary_key=True),
    Column("connections", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index(None, "worker"),
)


class StopLevel(StrEnum):
    MAILBOX = "mailbox"
    MIGRATION = "migration"
    CUSTOMER = "customer"
    SERVER = "server"
    RULE = "rule"  # a kill switch of the operator's, by a name that the code asks for


@dataclass(frozen=True, slots=True)
class Stops:
    """Everything that is stopped, as read at one instant."""

    reasons: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def reason(
        self, *, mailbox: MailboxId, migration: MigrationId, customer: CustomerId, server: str = "", rule: str = ""
    ) -> str | None:
        """Why this work must stop, or None; the narrowest order wins."""
        asked = (
            (StopLevel.MAILBOX, mailbox),
            (StopLevel.MIGRATION, migration),
            (StopLevel.CUSTOMER, customer),
            (StopLevel.SERVER, server),
            (StopLevel.RULE, rule),
        )
        return next(
            (self.reasons[level, subject] for level, subject in asked if (level, subject) in self.reasons), None
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """What a worker learns at its renewal: stops, and servers parked until an instant."""

    stops: Stops
    parked: Mapping[str, Microseconds]


def stop(tx: Connection, level: StopLevel, subject: str, reason: str, at: Microseconds) -> None:
    """Order a stop; every worker reads it within a second (joint 9). A later order replaces the reason."""
    row = {"level": level.value, "subject": subject, "reason": reason, "at": at}
    upsert(tx, budget_stop, [row], ["level", "subject"])


def clear(tx: Connection, level: StopLevel, subjects: Collection[str]) -> None:
    """Take stops back."""
    if subjects:
        tx.execute(delete(budget_stop).where(budget_stop.c.level == level.value, budget_stop.c.subject.in_(subjects)))


def stops(tx: Connection) -> Stops:
    """Everything that is stopped now."""
    rows = tx.execute(select(budget_stop.c.level, budget_stop.c.subject, budget_stop.c.reason))
    return Stops({(row.level, row.subject): row.reason for row in rows})


def allowed_connections(limit: int, allowed: int | None, throttled_at: int | None, at: Microseconds) -> int:
    """Half of what was in use when the server complained, then one more each minute, up to the setting's limit."""
    if allowed is None or throttled_at is None:
        return limit
    return min(limit, allowed + (at - throttled_at) // RECOVERY)


def acquire(
    tx: Connection, server: str, worker: str, wanted: int, limit: int, lease: Microseconds, at: Microseconds
) -> int:
    """Raise this worker's connections to a source server by up to `wanted`; returns how many it got.

    All workers together never hold more than `limit` live ones; none are given while the server is parked.
    """
    insert_missing(tx, budget_server, [{"server": server, "parked_until": 0, "code": ""}])
    standing = tx.execute(select(budget_server).where(budget_server.c.server == server).with_for_update()).one()
    if standing.parked_until > at:
        return 0
    rows = tx.execute(
        select(budget_lease.c.worker, budget_lease.c.connections).where(
            budget_lease.c.server == server, budget_lease.c.expires_at > at
        )
    ).all()
    free = allowed_connections(limit, standing.allowed, standing.throttled_at, at) - sum(
        row.connections for row in rows
    )
    got: int = max(0, min(wanted, free))
    if got:
        mine = next((row.connections for row in rows if row.worker == worker), 0)
        row = {"server": server, "worker": worker, "connections": mine + got, "expires_at": at + lease}
        upsert(tx, budget_lease, [row], ["server", "worker"])
    return got


def release(tx: Connection, server: str, worker: str, connections: int) -> None:
    """Give connections back."""
    mine = and_(budget_lease.c.server == server, budget_lease.c.worker == worker)
    tx.execute(update(budget_lease).where(mine).values(connections=budget_lease.c.connections - connections))
    tx.execute(delete(budget_lease).where(mine, budget_lease.c.connections <= 0))


def renew(tx: Connection, worker: str, lease: Microseconds, at: Microseconds) -> Standing:
    """Once a second: keep all of this worker's connections, and learn what is stopped or parked.

    A worker that slept past its lease takes it up again: its connections are there, and counting them is honest.
    """
    tx.execute(update(budget_lease).where(budget_lease.c.worker == worker).values(expires_at=at + lease))
    return Standing(stops(tx), parked_servers(tx, at))


def parked_servers(tx: Connection, at: Microseconds) -> dict[str, Microseconds]:
    """The servers that are parked now, each with its instant."""
    rows = tx.execute(
        select(budget_server.c.server, budget_server.c.parked_until).where(budget_server.c.parked_until > at)
    )
    return {row.server: row.parked_until for row in rows}


def park(tx: Connection, server: str, wait: Microseconds, code: str, rng: Random, at: Microseconds) -> Microseconds:
    """Park a whole server, once and with jitter (joint 14); returns when it may be tried again.

    Whoever complains while it is parked gets the time that was decided already, unless the server asked for more.
    """
    insert_missing(tx, budget_server, [{"server": server, "parked_until": 0, "code": ""}])
    standing = tx.execute(select(budget_server).where(budget_server.c.server == server).with_for_update()).one()
    if standing.parked_until >= at + wait:
        return int(standing.parked_until)
    until = at + wait + int(wait * 0.1 * rng.random())
    if standing.parked_until > at:  # the same trouble, told at greater length: it was halved already
        changes: dict[str, object] = {"parked_until": until, "code": code}
    else:
        used = tx.execute(
            select(func.coalesce(func.sum(budget_lease.c.connections), 0)).where(
                budget_lease.c.server == server, budget_lease.c.expires_at > at
            )
        ).scalar_one()
        changes = {"parked_until": until, "code": code, "allowed": max(1, int(used) // 2), "throttled_at": at}
    tx.execute(update(budget_server).where(budget_server.c.server == server).values(**changes))
    return until
