"""Wall times and zones, as tables."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul.errors import RequestInvalid
from mailhaul.events import RunTime
from mailhaul.schedule import Horizon, Plan, instant_of, plan, second_start

HORIZON = Horizon()
NOW = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)


def at(wall: str, zone: str = "UTC") -> RunTime:
    return RunTime(mode="at", wall=wall, zone=zone)


def after(minutes: int) -> RunTime:
    return RunTime(mode="offset", offset_minutes=minutes)


ASAP, NONE = RunTime(mode="asap"), RunTime()


@pytest.mark.parametrize(
    ("wall", "zone", "utc"),
    [
        ("2026-03-29T01:59", "Europe/Rome", "2026-03-29T00:59"),
        ("2026-03-29T03:00", "Europe/Rome", "2026-03-29T01:00"),
        ("2026-10-25T02:30", "Europe/Rome", "2026-10-25T00:30"),  # twice: the first
        ("2026-10-25T03:00", "Europe/Rome", "2026-10-25T02:00"),
        ("2026-04-05T01:45", "Australia/Lord_Howe", "2026-04-04T14:45"),  # half an hour twice
        ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30"),
        ("2026-07-01T12:00", "Asia/Kathmandu", "2026-07-01T06:15"),
        ("2026-07-01T12:00", "UTC", "2026-07-01T12:00"),
    ],
)
def test_wall_times(wall: str, zone: str, utc: str) -> None:
    assert instant_of(wall, zone) == datetime.fromisoformat(f"{utc}+00:00")


@pytest.mark.parametrize(
    ("wall", "zone", "code"),
    [
        ("2026-03-29T02:00", "Europe/Rome", "no_such_hour"),
        ("2026-03-29T02:59", "Europe/Rome", "no_such_hour"),
        ("2026-10-04T02:15", "Australia/Lord_Howe", "no_such_hour"),
        ("2026-02-30T10:00", "UTC", "bad_time"),
        ("tomorrow", "UTC", "bad_time"),
        ("2026-03-29 21:00", "UTC", "bad_time"),
        ("2026-03-29T21:00", "Mars/Olympus", "unknown_zone"),
        ("2026-03-29T21:00", "", "unknown_zone"),
        ("2026-03-29T21:00", "../etc/passwd", "unknown_zone"),
    ],
)
def test_refused_wall_times(wall: str, zone: str, code: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        instant_of(wall, zone)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (NONE, NONE, Plan(None, None)),
        (NONE, after(240), Plan(None, None)),
        (ASAP, NONE, Plan(NOW, None)),
        (ASAP, after(23 * 60), Plan(NOW, NOW + timedelta(hours=23))),
        (at("2026-03-20T11:55"), NONE, Plan(NOW - timedelta(minutes=5), None)),
        (at("2026-04-19T12:00"), NONE, Plan(NOW + timedelta(days=30), None)),
        (
            at("2026-03-28T20:00", "Europe/Rome"),
            at("2026-03-29T20:00", "Europe/Rome"),  # 24 hours by the wall, 23 in between: the night loses one
            Plan(datetime(2026, 3, 28, 19, tzinfo=UTC), datetime(2026, 3, 29, 18, tzinfo=UTC)),
        ),
    ],
)
def test_plans(first: RunTime, second: RunTime, expected: Plan) -> None:
    assert plan(first, second, NOW, HORIZON) == expected


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (at("2026-03-20T11:00"), NONE, "in_the_past"),
        (at("2026-04-19T12:01"), NONE, "too_far_ahead"),
        (RunTime(mode="offset", offset_minutes=5), NONE, "bad_time"),
        (ASAP, ASAP, "bad_time"),
        (ASAP, after(0), "second_before_first"),
        (ASAP, after(23 * 60 + 1), "second_too_late"),
        (at("2026-03-21T12:00"), at("2026-03-21T12:00"), "second_before_first"),
        (at("2026-03-21T12:00"), at("2026-03-22T11:01"), "second_too_late"),
        (ASAP, at("2026-03-20T10:00"), "in_the_past"),
        (NONE, at("2026-03-20T10:00"), "in_the_past"),
    ],
)
def test_refused_plans(first: RunTime, second: RunTime, code: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        plan(first, second, NOW, HORIZON)
    assert caught.value.code == code


def test_a_second_run_cannot_move_into_the_past() -> None:
    with pytest.raises(RequestInvalid) as caught:
        second_start(after(60), NOW - timedelta(hours=5), NOW, HORIZON)
    assert caught.value.code == "in_the_past"


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from(["Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]),
)
def test_an_accepted_wall_time_reads_back(local: datetime, zone: str) -> None:
    wall, place = local.strftime("%Y-%m-%dT%H:%M"), ZoneInfo(zone)
    exists = datetime.fromisoformat(wall).replace(tzinfo=place).astimezone(UTC).astimezone(place)
    if exists.strftime("%Y-%m-%dT%H:%M") != wall:
        with pytest.raises(RequestInvalid, match="put forward"):
            instant_of(wall, zone)
    else:
        assert instant_of(wall, zone).astimezone(place).strftime("%Y-%m-%dT%H:%M") == wall
