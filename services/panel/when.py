"""Times as people and scripts write them: `none`, `asap`, a wall time, or a distance from the first run. Pure."""

import re

from mailhaul.errors import RequestInvalid
from mailhaul.events import RunTime

_DISTANCE = re.compile(r"\+?(?:(?P<hours>\d{1,3})h)?(?:(?P<minutes>\d{1,4})m)?")
_WALL = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:00)?")


def first_time(text: str, zone: str) -> RunTime:
    """The first run: `none`, `asap` (or `now`), or `YYYY-MM-DDTHH:MM` in the zone. Raises RequestInvalid."""
    word = text.strip().lower()
    if word in ("", "none"):
        return RunTime(mode="none", zone=zone)
    if word in ("asap", "now"):
        return RunTime(mode="asap", zone=zone)
    return _wall(text, zone)


def second_time(text: str, zone: str) -> RunTime:
    """The second run: `none`, a distance such as `6h`, `+90m` or `4h30m`, or a wall time. Raises RequestInvalid."""
    word = text.strip().lower()
    if word in ("", "none"):
        return RunTime(mode="none", zone=zone)
    distance = _DISTANCE.fullmatch(word)
    if distance is not None and any(distance.groups()):
        minutes = int(distance["hours"] or 0) * 60 + int(distance["minutes"] or 0)
        return RunTime(mode="offset", zone=zone, offset_minutes=minutes)
    return _wall(text, zone)


def _wall(text: str, zone: str) -> RunTime:
    match = _WALL.fullmatch(text.strip())
    if match is None:
        raise RequestInvalid("bad_time", "a time is `asap`, `none`, 2026-03-29T21:30, or for the second run 6h or 90m")
    return RunTime(mode="at", wall=f"{match[1]}T{match[2]}", zone=zone)
