"""Folder names survive the wire; UID sets survive being written, cut and read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul.imap.names import decode_name, encode_name, is_inbox, levels
from mailhaul.imap.uids import format_uids, parse_uids, split_uids

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=60)


@given(names)
def test_names_round_trip_in_nfc(text: str) -> None:
    wire = encode_name(text)
    assert wire.isascii()
    assert encode_name(decode_name(wire)) == wire
    assert decode_name(wire) == decode_name(encode_name(decode_name(wire)))


@given(st.binary(max_size=60))
def test_any_name_can_be_shown(wire: bytes) -> None:
    decode_name(wire).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("INBOX", b"INBOX"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("A & B", b"A &- B"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("😀", b"&2D3eAA-"),
        ("Cafe\u0301", b"Caf&AOk-"),
        ("tab\there", b"tab&AAk-here"),
    ],
)
def test_known_names(text: str, wire: bytes) -> None:
    assert encode_name(text) == wire
    assert encode_name(decode_name(wire)) == wire


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        (b"a&b", "a&b"),
        (b"&AAA", "&AAA"),
        (b"&!!-", "&!!-"),
        ("grün".encode(), "grün"),
        (b"gr\xfcn", "grün"),
        (b"&2D0-", "&2D0-"),
    ],
)
def test_names_that_are_no_utf7_are_shown_all_the_same(wire: bytes, shown: str) -> None:
    assert decode_name(wire) == shown


def test_levels_and_inbox() -> None:
    assert levels(b"INBOX.a.b", b".") == [b"INBOX", b"a", b"b"]
    assert levels(b"INBOX.a", None) == [b"INBOX.a"]
    assert is_inbox(b"iNbOx")
    assert not is_inbox(b"INBOX2")
    with pytest.raises(ValueError, match="CR, LF"):
        encode_name("a\r\nX1 DELETE b")


uids = st.lists(st.integers(1, 2**32 - 1), max_size=60, unique=True)


@given(uids)
def test_uid_sets_round_trip(numbers: list[int]) -> None:
    if numbers:
        assert parse_uids(format_uids(numbers), 100) == numbers
    parts = list(split_uids(numbers, 50))
    assert [uid for part in parts for uid in parse_uids(part, 100)] == sorted(numbers)
    assert all(len(part) <= 50 for part in parts)


@pytest.mark.parametrize("text", [b"", b"1,", b"1:*", b"0", b"1:4294967296", b"1:101", b"x", b"1 2"])
def test_no_uid_sets(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"UID"):
        parse_uids(text, 100)


def test_a_descending_run_is_read_ascending() -> None:
    assert parse_uids(b"4:2,9", 10) == [2, 3, 4, 9]
