"""Responses become typed values, in the spellings that servers use; garbage becomes a Breach and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul.errors import Side, SignInRefused, Throttled
from mailhaul.imap.answers import Answer, appended, clean, parse_status
from mailhaul.imap.fetches import Fetched, parse_fetch
from mailhaul.imap.reader import Breach, Part
from mailhaul.imap.refusals import back_off_seconds, refusal
from mailhaul.imap.responses import (
    Capability,
    Counted,
    Enabled,
    Flags,
    Found,
    Identity,
    Listed,
    Namespaces,
    Other,
    Quota,
    QuotaRoot,
    Status,
    Vanished,
    parse_response,
)
from mailhaul.imap.values import STREAMED

PLAIN_LIST = Listed(b"INBOX", b"/", frozenset({b"\\hasnochildren"}))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'* LIST (\\HasNoChildren) "/" INBOX', PLAIN_LIST),
        (b'* list (\\HasNoChildren) "/"  "INBOX"', PLAIN_LIST),
        (b'* LIST () NIL "a \\"b\\" \\\\c"', Listed(b'a "b" \\c', None, frozenset())),
        (b'* LIST () "\\\\" NIL', Listed(b"NIL", b"\\", frozenset())),
        (
            b'* LIST (\\Subscribed) "." [Gmail].x (CHILDINFO ("S"))',
            Listed(b"[Gmail].x", b".", frozenset({b"\\subscribed"}), True),
        ),
        (b'* STATUS "a b" (MESSAGES 3 SIZE 99999999999)', Status(b"a b", {"MESSAGES": 3, "SIZE": 99999999999})),
        (b"* STATUS x (messages 3 mailboxid (F1))", Status(b"x", {"MESSAGES": 3})),
        (b"* STATUS x ()", Status(b"x", {})),
        (b"* CAPABILITY IMAP4rev1 auth=plain", Capability(frozenset({"IMAP4REV1", "AUTH=PLAIN"}))),
        (b"* ENABLED UTF8=ACCEPT", Enabled(frozenset({"UTF8=ACCEPT"}))),
        (b"* SEARCH", Found(b"", 0)),
        (b"* SEARCH 2 5 (MODSEQ 917)", Found(b"2,5", 2, 917)),
        (b'* ESEARCH (TAG "A1") UID COUNT 5 ALL 4:19,21 MODSEQ 7', Found(b"4:19,21", 5, 7)),
        (b'* ESEARCH (TAG "A1") UID', Found(b"")),
        (b"* VANISHED (EARLIER) 41,43:116", Vanished(b"41,43:116", True)),
        (b"* VANISHED 41", Vanished(b"41", False)),
        (b"* 23 EXISTS", Counted("EXISTS", 23)),
        (b"* FLAGS (\\Seen Work)", Flags((b"\\Seen", b"Work"))),
        (b'* QUOTAROOT INBOX "User quota"', QuotaRoot(b"INBOX", (b"User quota",))),
        (b'* QUOTA "" (STORAGE 10 512 MESSAGE 3 9)', Quota(b"", {"STORAGE": (10, 512), "MESSAGE": (3, 9)})),
        (b'* NAMESPACE (("INBOX." ".")) NIL (("" NIL))', Namespaces(((b"INBOX.", b"."),), (), ((b"", None),))),
        (b'* ID ("name" "Dovecot" "version" NIL)', Identity({b"name": b"Dovecot"})),
        (b"* ID NIL", Identity({})),
        (b"* XLIST whatever (", Other("XLIST")),
        (b"* OK [UIDNEXT 7] predicted", Answer("OK", "UIDNEXT", b"7", b"predicted")),
        (b"* ok", Answer("OK")),
    ],
)
def test_responses(line: bytes, expected: object) -> None:
    assert parse_response([line]) == expected


def test_a_folder_name_as_a_literal() -> None:
    assert parse_response([b'* LIST () "/" {6}', bytearray(b'a "\\{b'), b""]) == Listed(b'a "\\{b', b"/", frozenset())


@pytest.mark.parametrize(
    "line",
    [
        b'* LIST () "//" x',
        b'* LIST () "/',
        b"* LIST (",
        b"* LIST )",
        b"* LIST",
        b"* STATUS x (MESSAGES)",
        b"* STATUS x (MESSAGES -1)",
        b"* STATUS x (MESSAGES 99999999999999999999)",
        b"* QUOTA x (STORAGE 1)",
        b"* NAMESPACE x",
        b"* SEARCH x",
        b"* 1 FETCH (UID",
        b"* 1 FETCH (UID x)",
        b"* 1 FETCH UID",
        b"* LIST " + b"(" * 60,
    ],
)
def test_garbled_responses(line: bytes) -> None:
    with pytest.raises(Breach):
        parse_response([line])


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (
            [b'* 3 FETCH (UID 7 FLAGS (\\Seen $X) INTERNALDATE "01-Jan-1970 00:01:00 +0000" RFC822.SIZE 9)'],
            Fetched(3, 7, b"\\Seen $X", 60, 9),
        ),
        ([b"* 3 FETCH (RFC822.SIZE 9 FLAGS () UID 7 MODSEQ (12))"], Fetched(3, 7, b"", None, 9, 12)),
        ([b"* 3 FETCH (UID 7 BODY[] {9}"], Fetched(3, 7, coming=b"BODY[]")),
        ([b"* 3 fetch (uid 7 body[] {9}"], Fetched(3, 7, coming=b"BODY[]")),
        ([b"* 3 FETCH (BODY[] {2}", None, b" UID 7)"], Fetched(3, 7, bodies={b"BODY[]": STREAMED})),
        ([b"* 3 FETCH (UID 7 BODY[] NIL)"], Fetched(3, 7, bodies={b"BODY[]": None})),
        ([b'* 3 FETCH (UID 7 BODY[] "")'], Fetched(3, 7, bodies={b"BODY[]": b""})),
        (
            [b"* 3 FETCH (UID 7 BODY[HEADER.FIELDS (DATE FROM)] {2}", bytearray(b"\r\n"), b" FLAGS (UID 8))"],
            Fetched(3, 7, b"UID 8", bodies={b"BODY[HEADER.FIELDS (DATE FROM)]": b"\r\n"}),
        ),
        ([b"* 3 FETCH (FLAGS (UID 8) UID 7)"], Fetched(3, 7, b"UID 8")),
        ([b'* 3 FETCH (UID 7 INTERNALDATE "yesterday" X-GM-MSGID 12)'], Fetched(3, 7)),
        ([b"* 3 FETCH ()"], Fetched(3)),
        ([b"* 3 EXISTS"], None),
        ([b"* LIST () NIL x"], None),
    ],
)
def test_fetches(parts: list[Part], expected: Fetched | None) -> None:
    assert parse_fetch(parts) == expected


flag_words = st.lists(st.sampled_from([b"\\Seen", b"UID", b"FLAGS", b"$Work", b"x{y", b"BODY[]", b"9"]), max_size=4)


@given(st.permutations(["uid", "flags", "date", "size", "modseq"]), flag_words, st.integers(1, 2**32 - 1))
def test_items_in_any_order_are_the_same(order: list[str], flags: list[bytes], uid: int) -> None:
    said = {
        "uid": b"UID %d" % uid,
        "flags": b"FLAGS (" + b" ".join(flags) + b")",
        "date": b'INTERNALDATE "01-Jan-1970 00:01:00 +0000"',
        "size": b"RFC822.SIZE 5",
        "modseq": b"MODSEQ (8)",
    }
    line = b"* 1 FETCH (" + b" ".join(said[name] for name in order) + b")"
    assert parse_fetch([line]) == Fetched(1, uid, b" ".join(flags), 60, 5, 8)


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"LIST ", b"STATUS ", b"1 FETCH (", b"ESEARCH ", b"QUOTA ", b"ID "])
)
def test_garbage_never_raises_anything_else(data: bytes, word: bytes) -> None:
    line = b"* " + word + data.replace(b"\r", b"").replace(b"\n", b"")
    for parse in (parse_response, parse_fetch):
        try:
            found: Any = parse([line])
        except Breach:
            continue
        assert found is None or found


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (b"OK [APPENDUID 38505 3955:3957] done", Answer("OK", "APPENDUID", b"38505 3955:3957", b"done")),
        (b"NO [authenticationfailed] No", Answer("NO", "AUTHENTICATIONFAILED", b"", b"No")),
        (b"OK [PERMANENTFLAGS (\\Seen \\*)] x", Answer("OK", "PERMANENTFLAGS", b"(\\Seen \\*)", b"x")),
        (b"BAD", Answer("BAD")),
        (b"OKAY", None),
        (b"FETCH", None),
    ],
)
def test_status(text: bytes, answer: Answer | None) -> None:
    assert parse_status(text) == answer


def test_appenduid() -> None:
    assert appended(Answer("OK", "APPENDUID", b"5 3:4")) == (5, b"3:4")
    assert appended(Answer("OK", "APPENDUID", b"5")) is None
    assert appended(Answer("OK", "APPENDUID", b"99999999999999999999 1")) is None
    assert appended(Answer("OK")) is None


def test_server_words_are_cleaned() -> None:
    assert clean(b"a\x1b[31m\r\nb\xff") == "a [31m b\ufffd"
    assert len(clean(b"x" * 1000)) == 300


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (Answer("NO", "OVERQUOTA"), Throttled, "over_quota"),
        (
            Answer("NO", "", b"", b"Request is throttled. Suggested Backoff Time: 12000 milliseconds"),
            Throttled,
            "throttled",
        ),
        (Answer("NO", "SERVERBUG"), Throttled, "server_error"),
        (Answer("NO", "AUTHENTICATIONFAILED"), SignInRefused, "sign_in_refused"),
        (Answer("BYE", "", b"", b"Too many connections"), Throttled, "throttled"),
    ],
)
def test_refusals(answer: Answer, error: type[Exception], code: str) -> None:
    found = refusal(answer, "APPEND", Side.DESTINATION, answer.words)
    assert isinstance(found, error)
    assert found.code == code


def test_back_off() -> None:
    assert back_off_seconds(b"Suggested Backoff Time: 12500 milliseconds") == 12.5
    assert back_off_seconds(b"later") is None
    throttled = Answer("NO", "", b"", b"throttled. Suggested Backoff Time: 500 milliseconds")
    assert refusal(throttled, "FETCH", Side.SOURCE, "").back_off == 0.5
