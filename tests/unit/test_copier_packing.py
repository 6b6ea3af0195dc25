"""The UID map as packed rows, batches and digests."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.copier.batches import Listed, cut, halve
from services.copier.digests import cut as cut_digest
from services.copier.digests import folder_digest, new_hash
from services.copier.packing import MOST_ROWS, MapRow, pack, pack_uids, slices, unpack, unpack_uids

UIDS = st.integers(1, 2**32 - 1)
FLAGS = st.lists(st.sampled_from([b"\\Seen", b"\\Flagged", b"$Forwarded", b"work"]), unique=True).map(
    lambda flags: b" ".join(sorted(flags))
)
ROWS = st.builds(
    MapRow,
    UIDS,
    st.integers(0, 2**32 - 1),
    st.integers(-(2**62), 2**62),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=16, max_size=16),
    FLAGS,
)


@given(st.lists(ROWS, max_size=50))
def test_rows_come_back_as_they_were_packed(rows: list[MapRow]) -> None:
    assert list(unpack(*pack(rows))) == rows


def test_a_row_takes_forty_octets_at_most() -> None:
    rows = [MapRow(n + 1, n + 1, 1_700_000_000, 15_000, bytes(16), b"\\Seen") for n in range(100)]
    packed, flags = pack(rows)
    assert len(packed) + len(flags) <= 40 * len(rows)


def test_more_rows_than_a_pack_holds_are_sliced() -> None:
    rows = [MapRow(n + 1, n + 1, 0, 1, bytes(16), b"") for n in range(MOST_ROWS + 1)]
    with pytest.raises(ValueError, match="at most"):
        pack(rows)
    assert [len(part) for part in slices(rows)] == [MOST_ROWS, 1]


@given(st.lists(UIDS))
def test_uids_come_back(uids: list[int]) -> None:
    assert unpack_uids(pack_uids(uids)) == uids


def test_half_a_uid_is_refused() -> None:
    with pytest.raises(ValueError, match="UIDs"):
        unpack_uids(b"\x01\x02\x03")


@given(st.lists(st.integers(0, 5000)), st.integers(1, 7), st.integers(1, 9000))
def test_batches_hold_every_message_once_and_keep_to_their_limits(sizes: list[int], count: int, octets: int) -> None:
    messages = [Listed(uid, size, 0, b"") for uid, size in enumerate(sizes, 1)]
    batches = list(cut(messages, count, octets))
    assert [message for batch in batches for message in batch] == messages
    for batch in batches:
        assert 1 <= len(batch) <= count
        assert len(batch) == 1 or sum(message.size for message in batch) <= octets


@given(st.lists(st.integers(), min_size=2))
def test_halves_are_the_whole(items: list[int]) -> None:
    first, second = halve(items)
    assert [*first, *second] == items
    assert abs(len(first) - len(second)) <= 1


def test_one_message_cannot_be_halved() -> None:
    with pytest.raises(ValueError, match="single"):
        halve([1])


def test_a_digest_is_the_beginning_of_sha256_however_it_was_fed() -> None:
    hasher = new_hash()
    for chunk in (b"Subject: a", b"", b"\r\n\r\nbody"):
        hasher.update(memoryview(chunk))
    assert cut_digest(hasher) == hashlib.sha256(b"Subject: a\r\n\r\nbody").digest()[:16]


def test_a_folder_s_digest_depends_on_its_messages_and_not_on_their_order() -> None:
    one, two = b"1" * 16, b"2" * 16
    assert folder_digest([one, two], []) == folder_digest([two, one], [])
    assert folder_digest([one, one], []) != folder_digest([one], [])
    assert folder_digest([one], []) != folder_digest([], [one])
