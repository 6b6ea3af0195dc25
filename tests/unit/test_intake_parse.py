"""Files and the faults they must be answered with: line, field and rule, all at once, and never what stood there."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from mailhaul.intake import Field, Kind, Limits, Parsed, Rule, parse, template

GOOD = "anna@example.com;imap.example.net;anna@example.net;secret"
Expected = list[tuple[int, str, Rule]]


FOUR = ("destination", "host", "source_user", "password")


def answers(parsed: Parsed) -> Expected:
    return [(fault.line, fault.field.value if fault.field else "", fault.rule) for fault in parsed.faults]


def with_fields(**changed: str) -> str:
    fields = {"destination": "anna@example.com", "host": "imap.example.net", "user": "anna", "password": "secret"}
    return ";".join((fields | changed).values())


ACCEPTED: list[tuple[str, bytes]] = [
    ("plain", GOOD.encode()),
    ("line end at the end", GOOD.encode() + b"\n"),
    ("CRLF", GOOD.encode() + b"\r\n"),
    ("BOM", b"\xef\xbb\xbf" + GOOD.encode()),
    ("BOM and CRLF", b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n\r\n"),
    ("blank lines around", b"\n  \n" + GOOD.encode() + b"\n\t\n\n"),
    ("all quoted", b'"anna@example.com";"imap.example.net";"anna";"secret"'),
    ("blanks at the edges", b" anna@example.com ;\timap.example.net; anna@example.net\xc2\xa0;secret"),
    ("quote inside an unquoted field", with_fields(password='pa"ss').encode()),
    ("non-ASCII password", with_fields(password="pässwörd ”").encode()),
    ("typographic marks inside real quotes", with_fields(password='"“secret”"').encode()),
    ("control characters in a password", with_fields(password="a\tb\x1bc").encode()),
    ("IDN domain", with_fields(destination="anna@bücher.example").encode()),
    ("non-ASCII local part", with_fields(destination="jörg@example.com").encode()),
    ("address as host", with_fields(host="192.0.2.7").encode()),
    ("IPv6 address as host", with_fields(host="2001:db8::7").encode()),
    ("IPv6 address with a port", with_fields(host="[2001:db8::7]:1993").encode()),
    ("port", with_fields(host="imap.example.net:1993").encode()),
    ("last dot of a name", with_fields(host="IMAP.Example.NET.").encode()),
    ("single label", with_fields(host="dovecot-source").encode()),
    ("underscore, which some servers bear", with_fields(host="imap_1.example.net").encode()),
    ("user of another kind", with_fields(user="DOMAIN\\anna smith*admin").encode()),
    ("separator line", b"sep=;\r\n" + GOOD.encode()),
]


@pytest.mark.parametrize(("name", "data"), ACCEPTED, ids=[name for name, _ in ACCEPTED])
def test_file_is_accepted(name: str, data: bytes) -> None:
    parsed = parse(data, Kind.STANDARD)
    assert answers(parsed) == []
    assert len(parsed.rows) == parsed.read == 1


REFUSED: list[tuple[str, bytes | str, Expected]] = [
    # the whole file
    ("no byte", b"", [(0, "", Rule.EMPTY)]),
    ("BOM alone", b"\xef\xbb\xbf", [(0, "", Rule.EMPTY)]),
    ("blank lines alone", b"\n \r\n\t\n", [(0, "", Rule.EMPTY)]),
    ("header alone", "destination;host;source_user;password\n", [(0, "", Rule.HEADER_ONLY)]),
    ("header in another order", f"destination;host;password;user\n{GOOD}", [(1, "", Rule.HEADER_ORDER)]),
    ("ZIP", b"PK\x03\x04rest", [(0, "", Rule.NOT_TEXT)]),
    ("gzip", b"\x1f\x8b\x08rest", [(0, "", Rule.NOT_TEXT)]),
    # encodings
    ("UTF-16 LE with BOM", b"\xff\xfe" + GOOD.encode("utf-16-le"), [(0, "", Rule.ENCODING)]),
    ("UTF-16 BE with BOM", b"\xfe\xff" + GOOD.encode("utf-16-be"), [(0, "", Rule.ENCODING)]),
    ("UTF-16 LE without BOM", GOOD.encode("utf-16-le"), [(0, "", Rule.ENCODING)]),
    ("UTF-32", GOOD.encode("utf-32"), [(0, "", Rule.ENCODING)]),
    ("Latin-1", f"{GOOD}\n".encode() + with_fields(password="pä").encode("latin-1"), [(2, "", Rule.ENCODING)]),
    ("Windows-1252", with_fields(password="pa€").encode("cp1252"), [(1, "", Rule.ENCODING)]),
    ("overlong UTF-8", GOOD.encode() + b"\xc0\xaf", [(1, "", Rule.ENCODING)]),
    ("lone surrogate", GOOD.encode() + b"\xed\xa0\x80", [(1, "", Rule.ENCODING)]),
    ("NUL", GOOD.encode() + b"\0", [(1, "", Rule.NUL)]),
    # line ends
    ("lone CR as line end", GOOD.encode() + b"\r" + GOOD.encode(), [(1, "", Rule.LONE_CR)]),
    ("lone CR in a line", (with_fields(password="a\rb") + "\n").encode(), [(1, "", Rule.LONE_CR)]),
    ("line break in a field", with_fields(password='"a\nb"'), [(1, "", Rule.LINE_BREAK)]),
    ("CRLF in a field", with_fields(user='"a\r\nb"'), [(1, "", Rule.LINE_BREAK)]),
    # quotes
    (
        "quote not closed",
        f"{with_fields(password=chr(34) + 'secret')}\nx;y",
        [(1, "", Rule.UNBALANCED_QUOTE), (2, "", Rule.FIELD_COUNT)],
    ),
    ("quote not closed on the last line", with_fields(password='"secret'), [(1, "", Rule.UNBALANCED_QUOTE)]),
    ("quote closed by a doubled one", with_fields(password='"secret""'), [(1, "", Rule.UNBALANCED_QUOTE)]),
    ("text after the closing quote", with_fields(password='"a"b'), [(1, "", Rule.MISPLACED_QUOTE)]),
    ("blank after the closing quote", with_fields(user='"a" '), [(1, "", Rule.MISPLACED_QUOTE)]),
    ("blank before the opening quote", with_fields(password=' "a"'), [(1, "", Rule.MISPLACED_QUOTE)]),
    (
        "typographic quotes around a password",
        with_fields(password="“secret”"),
        [(1, "password", Rule.TYPOGRAPHIC_QUOTE)],
    ),
    ("typographic quotes around a semicolon", with_fields(password="”p;w”"), [(1, "", Rule.TYPOGRAPHIC_QUOTE)]),
    (
        "typographic quotes around an address",
        with_fields(destination="„anna@example.com“"),
        [(1, "destination", Rule.TYPOGRAPHIC_QUOTE)],
    ),
    # delimiters and number of fields
    ("commas", GOOD.replace(";", ","), [(1, "", Rule.WRONG_DELIMITER)]),
    ("tabs", GOOD.replace(";", "\t"), [(1, "", Rule.WRONG_DELIMITER)]),
    ("bars", GOOD.replace(";", "|"), [(1, "", Rule.WRONG_DELIMITER)]),
    ("colons", GOOD.replace(";", ":"), [(1, "", Rule.WRONG_DELIMITER)]),
    ("separator line of another", "sep=,\n" + GOOD, [(1, "", Rule.FIELD_COUNT)]),
    ("three fields", "a@example.com;imap.example.net;anna", [(1, "", Rule.FIELD_COUNT)]),
    ("five fields", f"{GOOD};more", [(1, "", Rule.FIELD_COUNT)]),
    ("semicolon at the end", f"{GOOD};", [(1, "", Rule.FIELD_COUNT)]),
    ("one word", "anna", [(1, "", Rule.FIELD_COUNT)]),
    ("comment", f"# accounts\n{GOOD}", [(1, "", Rule.FIELD_COUNT)]),
    # empty and unprintable fields
    ("no destination", with_fields(destination=""), [(1, "destination", Rule.EMPTY_FIELD)]),
    ("no host", with_fields(host="  "), [(1, "host", Rule.EMPTY_FIELD)]),
    ("no user", with_fields(user='""'), [(1, "source_user", Rule.EMPTY_FIELD)]),
    ("no password", with_fields(password=""), [(1, "password", Rule.EMPTY_FIELD)]),
    ("semicolons alone", ";;;", [(1, name, Rule.EMPTY_FIELD) for name in FOUR]),
    ("tab in an address", with_fields(destination="an\tna@example.com"), [(1, "destination", Rule.CONTROL_CHARACTER)]),
    ("escape in a user", with_fields(user="an\x1bna"), [(1, "source_user", Rule.CONTROL_CHARACTER)]),
    ("zero-width in a host", with_fields(host="imap\u200b.example.net"), [(1, "host", Rule.CONTROL_CHARACTER)]),
    ("right-to-left override", with_fields(user="a\u202enna"), [(1, "source_user", Rule.CONTROL_CHARACTER)]),
    ("BOM inside", f"{GOOD}\n\ufeffb@example.com;h.example.net;b;c", [(2, "destination", Rule.CONTROL_CHARACTER)]),
    ("line separator", with_fields(user="a\u2028b"), [(1, "source_user", Rule.CONTROL_CHARACTER)]),
    # addresses
    *(
        (f"address {text!r}", with_fields(destination=text), [(1, "destination", Rule.BAD_ADDRESS)])
        for text in (
            "anna",
            "@example.com",
            "anna@",
            "anna@example",
            "anna@exam ple.com",
            "an na@example.com",
            "a@b@example.com",
            ".anna@example.com",
            "an..na@example.com",
            "anna.@example.com",
            "anna@-example.com",
            "anna@example..com",
            "anna@example.com.",
            "anna@192.0.2.7",
            "anna@[192.0.2.7]",
            "Anna <anna@example.com>",
            f"{'a' * 65}@example.com",
            f"anna@{'a' * 64}.com",
            f"anna@{'a.' * 126}com",
            "anna@exa_mple.com",
            "anna,luca@example.com",
        )
    ),
    # hosts
    *(
        (f"host {text!r}", with_fields(host=text), [(1, "host", rule)])
        for text, rule in (
            ("imaps://imap.example.net", Rule.HOST_IS_URL),
            ("https://example.net/mail", Rule.HOST_IS_URL),
            ("imap.example.net/mail", Rule.HOST_IS_URL),
            ("anna@imap.example.net", Rule.HOST_IS_URL),
            ("imap.example.net:0", Rule.HOST_PORT),
            ("imap.example.net:65536", Rule.HOST_PORT),
            ("imap.example.net:imaps", Rule.HOST_PORT),
            ("imap.example.net:", Rule.HOST_PORT),
            ("imap.example.net:٩٩٣", Rule.HOST_PORT),
            ("[2001:db8::7]:+1", Rule.HOST_PORT),
            ("a..b", Rule.BAD_HOST),
            ("-a.example.net", Rule.BAD_HOST),
            ("imap example.net", Rule.BAD_HOST),
            ("127.1", Rule.BAD_HOST),
            ("0x7f000001", Rule.BAD_HOST),
            ("2130706433", Rule.BAD_HOST),
            ("192.0.2.256", Rule.BAD_HOST),
            ("192.0.2.07", Rule.BAD_HOST),
            ("１２７.０.０.１", Rule.BAD_HOST),
            ("fe80::1%eth0", Rule.BAD_HOST),
            ("[192.0.2.7]:993", Rule.BAD_HOST),
            ("[imap.example.net]", Rule.BAD_HOST),
            (f"{'a' * 64}.example.net", Rule.BAD_HOST),
            (".", Rule.BAD_HOST),
        )
    ),
    # several at once
    (
        "every fault of every line",
        f"{GOOD}\n\nanna;imap.example.net/;;x\na;b\n{GOOD}\n" + with_fields(destination="b@example.com", host="a b"),
        [
            (3, "source_user", Rule.EMPTY_FIELD),
            (3, "destination", Rule.BAD_ADDRESS),
            (3, "host", Rule.HOST_IS_URL),
            (4, "", Rule.FIELD_COUNT),
            (5, "destination", Rule.DUPLICATE_DESTINATION),
            (6, "host", Rule.BAD_HOST),
        ],
    ),
]


@pytest.mark.parametrize(("name", "data", "expected"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_file_is_refused(name: str, data: bytes | str, expected: Expected) -> None:
    parsed = parse(data if isinstance(data, bytes) else data.encode(), Kind.STANDARD)
    assert answers(parsed) == expected
    assert parsed.rows == ()


def test_values_are_exactly_what_stood_there() -> None:
    first_line = 'Anna.Rossi@EXAMPLE.com; Imap.Example.Net ; anna ;" p""w; é "'
    second_line = "b@faß.example;[2001:DB8:0::7]:993;b;x "
    first, second = parse(f"{first_line}\n{second_line}".encode(), Kind.STANDARD).rows
    assert (first.destination, first.host, first.port) == ("anna.rossi@example.com", "imap.example.net", None)
    assert first.source_user == "anna"
    assert first.password is not None
    assert first.password.get_secret_value() == ' p"w; é '
    assert (second.destination, second.host, second.port) == ("b@xn--fa-hia.example", "2001:db8::7", 993)
    assert second.password is not None
    assert second.password.get_secret_value() == "x "
    assert "secret" not in repr(parse(GOOD.encode(), Kind.STANDARD).rows)


def test_master_user_rows_have_five_fields() -> None:
    parsed = parse(f"{GOOD};master\n{GOOD}".encode(), Kind.MASTER_USER)
    assert answers(parsed) == [(2, "", Rule.FIELD_COUNT)]
    (row,) = parse(f"{GOOD}; master ".encode(), Kind.MASTER_USER).rows
    assert row.master_user == "master"
    assert answers(parse(f"{GOOD};".encode(), Kind.MASTER_USER)) == [(1, "master_user", Rule.EMPTY_FIELD)]


def test_owners_give_passwords_only_where_the_kind_allows_it() -> None:
    (row,) = parse(with_fields(password="").encode(), Kind.STANDARD, owners=True).rows
    assert row.password is None
    master = with_fields(password="") + ";master"
    assert answers(parse(master.encode(), Kind.MASTER_USER, owners=True)) == [(1, "password", Rule.EMPTY_FIELD)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("anna@example.com", "ANNA@Example.COM"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("jo\u0308rg@example.com", "j\u00f6rg@example.com"),
    ],
)
def test_duplicate_destination_names_both_lines(first: str, second: str) -> None:
    data = f"\n{with_fields(destination=first)}\n\n{with_fields(destination=second)}\n"
    (fault,) = parse(data.encode(), Kind.STANDARD).faults
    assert (fault.rule, fault.line, fault.other_line) == (Rule.DUPLICATE_DESTINATION, 4, 2)


def test_limits_hold_for_rows_file_and_line() -> None:
    rows = "\n".join(with_fields(destination=f"u{n}@example.com") for n in range(501))
    assert answers(parse(rows.encode(), Kind.STANDARD)) == [(501, "", Rule.TOO_MANY_ROWS)]
    assert len(parse(rows.rpartition("\n")[0].encode(), Kind.STANDARD).rows) == 500
    assert answers(parse(GOOD.encode() * 9, Kind.STANDARD, limits=Limits(octets=100))) == [(0, "", Rule.TOO_LARGE)]
    long = with_fields(password="x" * 5000) + f"\n{GOOD}"
    assert answers(parse(long.encode(), Kind.STANDARD)) == [(1, "", Rule.LINE_TOO_LONG)]


def test_rows_beyond_the_limit_are_counted_beside_the_faults_before() -> None:
    data = "\n".join(["broken", *(with_fields(destination=f"u{n}@example.com") for n in range(3))])
    parsed = parse(data.encode(), Kind.STANDARD, limits=Limits(rows=2))
    assert answers(parsed) == [(1, "", Rule.FIELD_COUNT), (3, "", Rule.TOO_MANY_ROWS)]
    assert (parsed.faults[1].expected, parsed.faults[1].got) == (2, 4)


def test_number_of_faults_is_bounded_whatever_the_file_is() -> None:
    parsed = parse(b"\xff\n" * 100_000, Kind.STANDARD)
    assert [fault.rule for fault in parsed.faults] == [Rule.TOO_MANY_ROWS] + [Rule.ENCODING] * 500
    assert parsed.faults[0].got == parsed.read == 100_000


@pytest.mark.parametrize(
    "header",
    [
        "destination;host;source_user;password",
        "email@locale;imap-server-remoto;email@remota;pwdremota",
        "utente-locale@dominio;server-IMAP-remoto;utente-remoto@dominio;password-remota",
        '"Email";"Server";"Username";"Password"',
        "Destinazione ; Server di origine ; Utente origine ; Password",
    ],
)
def test_header_is_skipped_with_a_notice(header: str) -> None:
    parsed = parse(f"\n{header}\r\n{GOOD}".encode(), Kind.STANDARD)
    assert answers(parsed) == []
    assert [(n.rule, n.line) for n in parsed.notices] == [(Rule.HEADER_SKIPPED, 2)]
    assert [row.line for row in parsed.rows] == [3]


def test_row_whose_words_look_like_a_header_is_a_row() -> None:
    (row,) = parse(b"email@example.com;imap;user;password", Kind.STANDARD).rows
    assert row.source_user == "user"


def test_notices_hinder_nothing() -> None:
    data = f"{GOOD}\n" + with_fields(destination="b@example.com", user="anna@example.net", password=" x")
    parsed = parse(data.encode(), Kind.STANDARD)
    assert len(parsed.rows) == 2
    assert [(n.rule, n.line, n.other_line) for n in parsed.notices] == [
        (Rule.SAME_SOURCE, 2, 1),
        (Rule.PASSWORD_EDGE_SPACE, 2, 0),
    ]


def private(address: IPv4Address | IPv6Address) -> bool:
    return not address.is_global


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.0.0.1:143", "[::1]:993", "::1", "localhost", "LOCALHOST.", "imap.localhost"]
)
def test_forbidden_address_is_a_fault_where_no_resolver_is_needed(text: str) -> None:
    parsed = parse(with_fields(host=text).encode(), Kind.STANDARD, forbidden=private)
    assert answers(parsed) == [(1, "host", Rule.FORBIDDEN_HOST)]
    assert answers(parse(with_fields(host=text).encode(), Kind.STANDARD)) == []


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("language", ["en", "it", "de"])
def test_template_parses_and_its_page_fits(kind: Kind, language: str) -> None:
    given = template(kind, language)
    for content in (given.content, given.content.replace("\n", "\r\n"), "\ufeff" + given.content):
        parsed = parse(content.encode(), kind)
        assert answers(parsed) == []
        assert [notice.rule for notice in parsed.notices] == [Rule.HEADER_SKIPPED]
    assert max(len(line) for line in given.readme.splitlines()) <= 84
    assert given.file_name == f"mailhaul-{kind.value}.csv"


def test_named_encoding_and_delimiter_come_from_our_lists() -> None:
    def name(data: bytes) -> str:
        return parse(data, Kind.STANDARD).faults[0].name

    assert name(GOOD.encode("utf-16")) == "UTF-16"
    assert name(GOOD.encode("utf-32")) == "UTF-32"
    assert name(with_fields(password="“").encode("cp1252")) == "Windows-1252"
    assert name(GOOD.replace(";", ",").encode()) == "comma"
    assert {field.value for field in Field} >= {"destination", "host", "source_user", "password", "master_user"}
