"""IMAP's date-time, read as whole seconds since 1970 in UTC and written by us alone (RFC 9051 §9 date-time)."""

import calendar
import functools
import re
import time

_MONTHS = {
    name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}
_NAMES = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_DATE_TIME = re.compile(rb"([ \d]?\d-[A-Za-z]{3}-\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")

EARLIEST, LATEST = 0, 2**31 - 1
"""What every server can store; Dovecot 2.3 moreover writes the present for any date that is still to come."""


@functools.lru_cache(8192)
def _midnight(day: bytes) -> int | None:
    number, month, year = day.split(b"-")
    try:
        return calendar.timegm((int(year), _MONTHS[month.lower()], int(number), 0, 0, 0))
    except (KeyError, ValueError):
        return None


def parse_date(text: bytes) -> int | None:
    """Seconds since 1970 in UTC; None when the server's date is none (it happens: year 0000, zone `GMT`)."""
    found = _DATE_TIME.fullmatch(text)
    if not found or (day := _midnight(found[1])) is None:
        return None
    seconds = day + int(found[2]) * 3600 + int(found[3]) * 60 + int(found[4])
    zone = int(found[6]) * 3600 + int(found[7]) * 60
    return seconds - zone if found[5] == b"+" else seconds + zone


def clamp_date(seconds: int) -> int:
    """The nearest date that every server can store."""
    return min(max(seconds, EARLIEST), LATEST)


def format_date(seconds: int) -> bytes:
    """The date for an APPEND, without its quotes, clamped; the zone is always UTC."""
    year, month, day, hour, minute, second = time.gmtime(clamp_date(seconds))[:6]
    return b"%02d-%s-%04d %02d:%02d:%02d +0000" % (day, _NAMES[month - 1], year, hour, minute, second)
