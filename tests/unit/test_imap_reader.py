"""The reader gives the same calls however the network cuts the bytes, and stops at every limit."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul.imap.limits import Limits
from mailhaul.imap.reader import Breach, Part, ResponseReader, Sink

SMALL = Limits(line=200, held_literal=100, response=400, streamed_literal=1 << 40)

lines = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40).map(
    lambda text: b"* X" + text.encode().replace(b"{", b"[")
)
literals = st.binary(max_size=80)
responses = st.lists(
    st.tuples(lines, st.lists(st.tuples(literals, lines), max_size=3)).map(
        lambda drawn: [drawn[0], *(part for pair in drawn[1] for part in pair)]
    ),
    min_size=1,
    max_size=6,
)


def wire(parts: list[bytes]) -> bytes:
    """A response as a server would send it, odd parts as literals."""
    out = b""
    for index, part in enumerate(parts):
        if index % 2:
            out += b"{%d}\r\n" % len(part)
        out += part
    return out + b"\r\n"


def read(pieces: list[bytes], *, stream: bool) -> tuple[list[list[Part]], list[bytes]]:
    found: list[list[Part]] = []
    streamed: list[bytes] = []

    def literal(parts: list[Part], size: int) -> Sink | None:
        if not stream:
            return None
        streamed.append(b"")

        def sink(chunk: memoryview) -> None:
            streamed[-1] += bytes(chunk)

        return sink

    reader = ResponseReader(SMALL, literal, found.append)
    for piece in pieces:
        reader.feed(piece)
    return found, streamed


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[low:high] for low, high in itertools.pairwise(edges)]


@given(responses, st.lists(st.integers(0, 10_000), max_size=40), st.booleans())
def test_any_split_gives_the_same(batch: list[list[bytes]], places: list[int], stream: bool) -> None:
    data = b"".join(wire(parts) for parts in batch)
    whole = read([data], stream=stream)
    assert read(cut(data, places), stream=stream) == whole
    assert read([data[i : i + 1] for i in range(len(data))], stream=stream) == whole


@given(responses)
def test_parts_come_back(batch: list[list[bytes]]) -> None:
    found, _ = read([b"".join(wire(parts) for parts in batch)], stream=False)
    literal_free = [[bytes(part or b"") for part in parts] for parts in found]
    for seen, sent in zip(literal_free, batch, strict=True):
        assert seen[1::2] == sent[1::2]
        assert [text.rsplit(b"{", 1)[0] for text in seen[::2]] == sent[::2]


@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=10))
def test_garbage_is_read_or_refused_alike(data: bytes, places: list[int]) -> None:
    def outcome(pieces: list[bytes]) -> object:
        try:
            return read(pieces, stream=False)
        except Breach as error:
            return str(error)

    assert outcome(cut(data, places)) == outcome([data])


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"* " + b"x" * 300, "a line over the limit"),
        (b"* " + b"x" * 300 + b"\r\n", "a line over the limit"),
        (b"* X {101}\r\n", "a literal over the limit that nobody asked for"),
        (b"* X {99999999999999999999}\r\n", "a literal beyond 63 bits"),
        ((b"* X {90}\r\n" + b"y" * 90) * 5 + b"\r\n", "a response over the limit"),
    ],
)
def test_limits(data: bytes, what: str) -> None:
    with pytest.raises(Breach, match=what):
        read([data], stream=False)


def test_a_streamed_literal_costs_nothing_and_has_its_own_limit() -> None:
    reader = ResponseReader(SMALL, lambda parts, size: lambda chunk: None, lambda parts: None)
    reader.feed(b"* 1 FETCH (BODY[] {%d}\r\n" % (1 << 40))
    with pytest.raises(Breach):
        ResponseReader(SMALL, lambda parts, size: lambda chunk: None, lambda parts: None).feed(
            b"* 1 FETCH (BODY[] {%d}\r\n" % ((1 << 40) + 1)
        )


@pytest.mark.parametrize("line", [b"* NO over quota {5}", b"A7 OK done {12}", b"+ go on {3}", b"* bye {1}"])
def test_braces_in_a_servers_text_are_no_literal(line: bytes) -> None:
    assert read([line + b"\r\n"], stream=False)[0] == [[line]]


def test_empty_literals_bare_line_feeds_and_literal8() -> None:
    assert read([b"* X {0}\r\n y\r\n* Z\n* B ~{2}\r\n\0\r)\r\n"], stream=False)[0] == [
        [b"* X {0}", bytearray(), b" y"],
        [b"* Z"],
        [b"* B ~{2}", bytearray(b"\0\r"), b")"],
    ]


def test_stopped_and_sealed() -> None:
    seen: list[list[Part]] = []
    reader = ResponseReader(SMALL, lambda parts, size: None, seen.append)
    reader.feed(b"* ONE\r\n")
    reader.sealed = True
    with pytest.raises(Breach, match="STARTTLS"):
        reader.feed(b"* TWO\r\n")
    reader.sealed, reader.stopped = False, True
    reader.feed(b"* THREE\r\n")
    assert seen == [[b"* ONE"]]
