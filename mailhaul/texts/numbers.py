"""Numbers, sizes, dates and spans as their reader writes them (Babel), in the reader's own time zone."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal

from mailhaul.texts.language import Language

# English dates as the rest of Europe reads them: 23 Nov 2026, 22:00.
LOCALES = {Language.EN: Locale("en", "GB"), Language.IT: Locale("it", "IT")}
UNITS = ("B", "kB", "MB", "GB", "TB")


def number(value: int, language: Language) -> str:
    """`1,412,033` or `1.412.033`."""
    return format_decimal(value, locale=LOCALES[language])


def size(octets: int, language: Language) -> str:
    """Octets in the largest decimal unit that leaves a number above one: `3.1 GB`, `3,1 GB`."""
    value, unit = float(octets), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    shape = "0" if unit == 0 or value >= 100 else "0.#"
    return f"{format_decimal(value, format=shape, locale=LOCALES[language])}\u00a0{UNITS[unit]}"


def zone(name: str) -> ZoneInfo:
    """An IANA zone; UTC where the name is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def moment(instant: datetime, zone_name: str, language: Language) -> str:
    """`23 Nov 2026, 22:00 (Europe/Rome)`: a time without its zone is a riddle."""
    place = zone(zone_name)
    shape = "d MMM y, HH:mm"
    return f"{format_datetime(instant, shape, tzinfo=place, locale=LOCALES[language])} ({place.key})"


def span(duration: timedelta, language: Language) -> str:
    """`4 hours`, `4 ore`."""
    return format_timedelta(duration, granularity="minute", threshold=1.5, locale=LOCALES[language])
