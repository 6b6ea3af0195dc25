"""Wall times and zones become instants: pure, by the rules that people were promised.

An hour that exists twice means the first; one that does not exist is refused (product.md section 1).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mailhaul.errors import RequestInvalid
from mailhaul.events import RunTime

GRACE = timedelta(minutes=10)  # a form that lay open a little while is not refused
ADVISED_GAP = timedelta(hours=4)  # less between the two runs is warned about


@dataclass(frozen=True, slots=True)
class Horizon:
    """How far ahead runs may lie."""

    first: timedelta = timedelta(days=30)
    second: timedelta = timedelta(hours=23)


@dataclass(frozen=True, slots=True)
class Plan:
    """The planned starts; None where there is none, or where it depends on a first that has no date yet."""

    first: datetime | None
    second: datetime | None


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone. Raises RequestInvalid(`unknown_zone`)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RequestInvalid("unknown_zone", "the time zone is a name such as Europe/Rome") from error


def instant_of(wall: str, zone: str) -> datetime:
    """The instant of `YYYY-MM-DDTHH:MM` in a zone.

    Raises RequestInvalid(`bad_time`, `no_such_hour`, `unknown_zone`).
    """
    place = zone_of(zone)
    try:
        local = datetime.strptime(wall, "%Y-%m-%dT%H:%M")
    except ValueError as error:
        raise RequestInvalid("bad_time", "a time looks like 2026-03-29T21:30") from error
    instant = local.replace(tzinfo=place, fold=0).astimezone(UTC)
    if instant.astimezone(place).replace(tzinfo=None) != local:
        raise RequestInvalid("no_such_hour", f"{wall} does not exist in {zone}: the clocks are put forward over it")
    return instant


def first_start(first: RunTime, now: datetime, horizon: Horizon) -> datetime | None:
    """When run 1 starts. Raises RequestInvalid(`in_the_past`, `too_far_ahead`) beside what `instant_of` raises."""
    match first.mode:
        case "none":
            return None
        case "asap":
            return now
        case "at":
            instant = instant_of(first.wall, first.zone)
            if instant < now - GRACE:
                raise RequestInvalid("in_the_past", f"{first.wall} is over: choose a later time")
            if instant > now + horizon.first:
                raise RequestInvalid("too_far_ahead", f"the first run starts at most {horizon.first.days} days ahead")
            return instant
        case _:
            raise RequestInvalid("bad_time", "the first run starts as soon as possible, at a time, or not yet")


def second_start(second: RunTime, first_at: datetime | None, now: datetime, horizon: Horizon) -> datetime | None:
    """When run 2 starts, counted between the planned starts.

    Raises RequestInvalid(`in_the_past`, `second_before_first`, `second_too_late`) beside what `instant_of` raises.
    """
    hours = int(horizon.second.total_seconds() // 3600)
    too_late = RequestInvalid("second_too_late", f"the second run starts at most {hours} hours after the first")
    match second.mode:
        case "none":
            return None
        case "offset":
            gap = timedelta(minutes=second.offset_minutes)
            if gap <= timedelta(0):
                raise RequestInvalid("second_before_first", "the second run starts after the first")
            if gap > horizon.second:
                raise too_late
            if first_at is not None and first_at + gap < now - GRACE:
                raise RequestInvalid("in_the_past", "that time is over: choose a later one")
            return None if first_at is None else first_at + gap
        case "at":
            instant = instant_of(second.wall, second.zone)
            if instant < now - GRACE:
                raise RequestInvalid("in_the_past", f"{second.wall} is over: choose a later time")
            if first_at is None:
                return instant
            if instant <= first_at:
                raise RequestInvalid("second_before_first", "the second run starts after the first")
            if instant > first_at + horizon.second:
                raise too_late
            return instant
        case _:
            raise RequestInvalid("bad_time", "the second run has a time or a distance from the first")


def plan(first: RunTime, second: RunTime, now: datetime, horizon: Horizon) -> Plan:
    """Both starts. Raises RequestInvalid with the rule that is broken."""
    first_at = first_start(first, now, horizon)
    return Plan(first_at, second_start(second, first_at, now, horizon))
