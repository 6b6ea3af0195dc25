"""Dates from headers, for servers that have no INTERNALDATE."""

import pytest

from services.copier.dating import date_of

RECEIVED = b"Received: from a by b\r\n\tfor <c@example.org>; Mon, 01 Jan 2024 00:00:10 +0000\r\n"
OLDER = b"Received: from z by a; Mon, 01 Jan 2024 00:00:05 +0000\r\n"
DATE = b"Date: Sun, 31 Dec 2023 23:00:00 -0100\r\n"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (RECEIVED + OLDER + DATE, 1_704_067_210),
        (DATE + RECEIVED, 1_704_067_210),
        (DATE, 1_704_067_200),
        (b"Received: from a by b; sometime\r\n" + DATE, 1_704_067_200),
        (b"Received: no date at all\r\n" + OLDER, 1_704_067_205),
        (b"Date: yesterday\r\n", None),
        (b"", None),
        (b"\xff\xfe: \x00\r\nDate:\r\n", None),
    ],
)
def test_the_top_received_then_date(header: bytes, expected: int | None) -> None:
    assert date_of(header + b"\r\n") == expected
