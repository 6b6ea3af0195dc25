"""What the checker makes of a server's answers: names, dates, bodies; and of its own command line."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker import names, reader
from checker.__main__ import main
from checker.reader import Server


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_a_name_survives_the_wire(name: str) -> None:
    assert names.decode(names.encode(name)) == name
    assert names.encode(name).isascii()


@pytest.mark.parametrize(
    ("wire", "name"),
    [(b"Entw&APw-rfe", "Entwürfe"), (b"R&-D", "R&D"), (b"&ZeVnLIqe-", "日本語"), (b"&AOk", "&AOk"), (b"\xe9", "é")],
)
def test_modified_utf7_is_read_as_the_rfc_has_it(wire: bytes, name: str) -> None:
    assert names.decode(wire) == name


@pytest.mark.parametrize(
    ("answer", "listed"),
    [
        (rb'(\HasNoChildren) "/" INBOX', ({"\\hasnochildren"}, "/", b"INBOX")),
        (rb'(\Noselect \Trash) "." "a \"b\" \\ c"', ({"\\noselect", "\\trash"}, ".", rb'a "b" \ c')),
        (rb'() "\\" flat', (set(), "\\", b"flat")),
        (rb"() NIL flat", (set(), "", b"flat")),
        ((rb'() "/" {5}', b'a"\\b/'), (set(), "/", b'a"\\b/')),
    ],
)
def test_a_listed_folder_is_read_in_every_spelling(
    answer: bytes | tuple[bytes, bytes], listed: tuple[set[str], str, bytes]
) -> None:
    assert names.listed(answer) == listed


def test_what_is_no_list_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="not a LIST answer"):
        names.listed(b"nonsense")


@pytest.mark.parametrize(
    ("date", "instant"),
    [
        (b' 1-Jan-1970 00:00:00 +0000"', 0),
        (b'01-Jan-1970 05:30:00 +0530"', 0),
        (b'31-dec-1969 20:30:00 -0330"', 0),
        (b'29-Feb-2024 23:59:59 +0000"', 1_709_251_199),
    ],
)
def test_a_date_is_an_instant_whatever_its_zone(date: bytes, instant: int) -> None:
    match = re.search(reader.DATE, b'INTERNALDATE "' + date)
    assert match is not None
    assert reader._instant(match) == instant


def test_batches_hold_few_octets_but_at_least_one_message() -> None:
    sizes = {1: 5, 2: reader.BATCH_OCTETS, 3: reader.BATCH_OCTETS + 1, 4: 1, 5: 1}
    assert list(reader._batches(sizes)) == [[1], [2], [3], [4, 5]]
    assert [len(batch) for batch in reader._batches(dict.fromkeys(range(900), 1))] == [400, 400, 100]


@pytest.mark.parametrize("url", ["http://host", "imaps://", "imaps://user@host", "host:993"])
def test_an_address_holds_no_user_and_no_other_protocol(url: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        Server.address(url)


def test_an_address_has_the_protocols_port_by_default() -> None:
    assert Server.address("imaps://old.example.com") == ("old.example.com", 993, True)
    assert Server.address("imap://old.example.com:1143") == ("old.example.com", 1143, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--manifest", "nowhere.json", "--destination", "imaps://localhost"],
        ["--destination", "imaps://localhost"],
        ["--manifest", "nowhere.json"],
    ],
)
def test_where_no_judgement_is_possible_the_status_is_two(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("checker: ")
