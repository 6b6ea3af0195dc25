"""Whatever the bytes are, the answer is the declared one, and no fault carries a piece of the file."""

from dataclasses import astuple

from hypothesis import given, settings
from hypothesis import strategies as st

from mailhaul.intake import Kind, Parsed, Rule, parse

KINDS = st.sampled_from(list(Kind))
PIECES = st.sampled_from(
    [
        ";",
        '"',
        '""',
        "\n",
        "\r\n",
        "\r",
        "\0",
        ",",
        "\t",
        " ",
        "“",
        "”",
        "\ufeff",
        "\u2028",
        "a@example.com",
        "imap.example.net",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=40).map("".join)
CANARY = "kanarienvogel"
OURS = {"", "UTF-16", "UTF-32", "Windows-1252", "ISO 8859-1", "ZIP, XLSX, ODS", "XLS", "gzip", "PDF", "RTF"} | {
    "comma",
    "tab",
    "bar",
    "colon",
}


def check(parsed: Parsed) -> None:
    assert bool(parsed.faults) is not bool(parsed.rows)
    for remark in (*parsed.faults, *parsed.notices):
        assert remark.name in OURS
        assert isinstance(remark.rule, Rule)
        assert all(isinstance(value, int | str | None) for value in astuple(remark))
    assert [fault.line for fault in parsed.faults] == sorted(fault.line for fault in parsed.faults)


@given(st.binary(max_size=300), KINDS)
@settings(max_examples=300)
def test_any_bytes_are_answered(data: bytes, kind: Kind) -> None:
    check(parse(data, kind))


@given(TEXTS, KINDS, st.booleans())
@settings(max_examples=500)
def test_any_text_of_awkward_pieces_is_answered(text: str, kind: Kind, owners: bool) -> None:
    check(parse(text.encode("utf-8", "surrogatepass"), kind, owners=owners))


@given(st.lists(PIECES, max_size=10), st.lists(PIECES, max_size=10), KINDS)
def test_no_remark_carries_content(before: list[str], after: list[str], kind: Kind) -> None:
    parsed = parse(f"{''.join(before)}{CANARY}{''.join(after)}\n;{CANARY};{CANARY}".encode(), kind)
    assert CANARY not in repr(parsed.faults) + repr(parsed.notices)


PASSWORDS = st.text(min_size=1).filter(lambda text: not set(text) & set("\0\r\n")).filter(lambda text: _encodable(text))


def _encodable(text: str) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) < 3000 and not any("\ud800" <= c <= "\udfff" for c in text)


@given(PASSWORDS)
def test_quoted_password_comes_back_exactly(password: str) -> None:
    quoted = password.replace('"', '""')
    (row,) = parse(f'a@example.com;imap.example.net;anna;"{quoted}"'.encode(), Kind.STANDARD).rows
    assert row.password is not None
    assert row.password.get_secret_value() == password
    assert password not in repr(row) or len(password) < 12


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_line_numbers_are_physical(filled: list[bool]) -> None:
    lines = [f"u{n}@example.com;h.example.net;u;p" if full else "" for n, full in enumerate(filled)]
    parsed = parse("\r\n".join(lines).encode(), Kind.STANDARD)
    assert [row.line for row in parsed.rows] == [n for n, full in enumerate(filled, start=1) if full]
