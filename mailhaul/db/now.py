"""Instants in SQL are whole microseconds since 1970 UTC, and the database's clock decides them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, cast

from sqlalchemy import Connection

Microseconds: TypeAlias = int
SECOND = 1_000_000
CLOCK_OPTION = "mailhaul_clock"  # an execution option: the clock of a test or a simulation
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATEMENT = {
    # julianday counts from noon of 24 November 4714 BC; 2440587.5 is 1970 (milliseconds are all SQLite has).
    "sqlite": "SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000",
    "postgresql": "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
}


def now(tx: Connection) -> Microseconds:
    """The database's present, so that any number of workers agree on what is due."""
    clock = cast("Callable[[], Microseconds] | None", tx.get_execution_options().get(CLOCK_OPTION))
    if clock is not None:
        return clock()
    return int(tx.exec_driver_sql(_STATEMENT[tx.dialect.name]).scalar_one())


def to_microseconds(instant: datetime) -> Microseconds:
    """An aware instant as a whole number of microseconds."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(value: Microseconds) -> datetime:
    """The instant behind a stored number, in UTC."""
    return _EPOCH + timedelta(microseconds=value)
