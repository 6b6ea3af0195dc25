"""Numbers and times as their readers write them."""

from datetime import UTC, datetime, timedelta

import pytest

from mailhaul.texts import Language, moment, number, size, span

EN, IT = Language.EN, Language.IT


@pytest.mark.parametrize(
    ("octets", "en", "it"),
    [
        (0, "0 B", "0 B"),
        (999, "999 B", "999 B"),
        (1_500, "1.5 kB", "1,5 kB"),
        (52_428_800, "52.4 MB", "52,4 MB"),
        (410_000_000, "410 MB", "410 MB"),
        (31_000_000_000, "31 GB", "31 GB"),
        (5_600_000_000_000, "5.6 TB", "5,6 TB"),
    ],
)
def test_size_has_the_largest_unit_that_fits(octets: int, en: str, it: str) -> None:
    assert (size(octets, EN).replace("\u00a0", " "), size(octets, IT).replace("\u00a0", " ")) == (en, it)


def test_numbers_are_grouped() -> None:
    assert (number(1_412_033, EN), number(1_412_033, IT)) == ("1,412,033", "1.412.033")


def test_moments_stand_in_the_readers_zone_and_name_it() -> None:
    instant = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    assert moment(instant, "Europe/Rome", EN) == "2 Jul 2026, 00:30 (Europe/Rome)"
    assert moment(instant, "Europe/Rome", IT) == "2 lug 2026, 00:30 (Europe/Rome)"
    assert moment(instant, "Nowhere/At-All", EN) == "1 Jul 2026, 22:30 (UTC)"


def test_spans_are_words() -> None:
    assert (span(timedelta(hours=4), EN), span(timedelta(hours=4), IT)) == ("4 hours", "4 ore")
    assert span(timedelta(minutes=20), IT) == "20 minuti"
