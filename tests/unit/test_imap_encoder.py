"""What the encoder lets out is what it was given, and one command; what it cannot say it refuses."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul.imap.dates import format_date, parse_date
from mailhaul.imap.encoder import String, Unsendable, append_flags, append_message, atom, flag_list, line, quoted
from mailhaul.imap.values import parse_values

sendable = st.binary(max_size=300).map(lambda value: re.sub(rb"[\r\n\0]", b"", value))


def server_reads(pieces: list[bytes]) -> list[bytes]:
    """A command's arguments as a server's parser takes them."""
    parts: list[bytes | bytearray | None] = []
    rest = b"\r\n".join(pieces)
    while found := re.search(rb"\{(\d+)\+?\}\r\n", rest):
        size = int(found[1])
        parts += [rest[: found.end() - 2], rest[found.end() : found.end() + size]]
        rest = rest[found.end() + size :]
    return [b"NIL" if value is None else bytes(value) for value in parse_values([*parts, rest])]  # type: ignore[arg-type]


@given(st.lists(sendable, min_size=1, max_size=4), st.booleans())
def test_strings_arrive_as_they_left(values: list[bytes], plus: bool) -> None:
    pieces = line(b"LOGIN", *map(String, values), literal_plus=plus)
    assert server_reads(pieces) == [b"LOGIN", *values]
    for piece in pieces[:-1]:
        assert re.search(rb"\{\d+\}$", piece)


@given(st.binary(max_size=50), st.sampled_from([b"\r", b"\n", b"\0"]), st.binary(max_size=50), st.booleans())
def test_no_line_break_gets_in(before: bytes, evil: bytes, after: bytes, plus: bool) -> None:
    for refused in (
        lambda: line(b"CREATE", String(before + evil + after), literal_plus=plus),
        lambda: line(b"CREATE", before + evil + after),
        lambda: quoted(before + evil + after),
        lambda: atom(before + evil + after),
    ):
        with pytest.raises(Unsendable) as caught:
            refused()
        assert not re.search(r"[\r\n]", str(caught.value))


@given(st.binary(max_size=60))
def test_append_flags_are_words_of_a_closed_list(raw: bytes) -> None:
    kept = append_flags(raw)
    for flag in kept.split():
        assert flag in (b"\\Answered", b"\\Deleted", b"\\Draft", b"\\Flagged", b"\\Seen") or not re.search(
            rb"[^\x21-\x7e]|[(){%*\"\\\]]", flag
        )
    assert append_flags(kept) == kept


@pytest.mark.parametrize(
    ("raw", "permanent", "kept"),
    [
        (b"\\seen \\FLAGGED", None, b"\\Flagged \\Seen"),
        (b"\\Recent \\Seen \\Foo \\*", None, b"\\Seen"),
        (b"$Forwarded NonJunk gr\xc3\xbcn a(b \\Draft", None, b"$Forwarded NonJunk \\Draft"),
        (b"$Forwarded Work", frozenset({b"\\seen", b"$forwarded"}), b"$Forwarded"),
        (b"$Forwarded Work", frozenset({b"\\seen", b"\\*"}), b"$Forwarded Work"),
        (b"x" * 256, None, b""),
        (b"", None, b""),
    ],
)
def test_append_flags(raw: bytes, permanent: frozenset[bytes] | None, kept: bytes) -> None:
    assert append_flags(raw, permanent) == kept


def test_append_message_and_flag_list() -> None:
    assert append_message(b"\\Seen", 0, 12, plus=True) == b' (\\Seen) "01-Jan-1970 00:00:00 +0000" {12+}\r\n'
    assert append_message(b"", 0, 12, plus=False) == b' () "01-Jan-1970 00:00:00 +0000" {12}'
    assert flag_list([b"\\seen", b"\\Recent", b"Work"]) == b"(Work \\Seen)"


@given(st.integers(-(2**40), 2**40))
def test_dates_round_trip_within_what_servers_store(seconds: int) -> None:
    assert parse_date(format_date(seconds)) == min(max(seconds, 0), 2**31 - 1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b" 1-Feb-2020 00:00:00 +0100", 1580511600),
        (b"01-feb-2020 00:00:00 -0130", 1580520600),
        (b"1-Feb-2020 00:00:00 +0000", 1580515200),
        (b"29-Feb-2021 00:00:00 +0000", 1614556800),
        (b"01-Foo-2020 00:00:00 +0000", None),
        (b"01-Jan-0000 00:00:00 +0000", None),
        (b"01-Jan-2020 00:00:00 GMT", None),
        (b"", None),
    ],
)
def test_dates(text: bytes, seconds: int | None) -> None:
    assert parse_date(text) == seconds
