"""Three-way flags: only what changed at the source, only where the destination still has ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.copier.flags import changes, flag_set, keep, same

FLAGS = st.lists(st.sampled_from([b"\\Seen", b"\\Flagged", b"\\Answered", b"work"]), unique=True).map(b" ".join)


@pytest.mark.parametrize(
    ("then", "now", "there", "add", "remove"),
    [
        (b"", b"\\Seen", b"", b"\\Seen", b""),
        (b"\\Seen", b"", b"\\Seen", b"", b"\\Seen"),
        (b"", b"\\Seen", b"\\Seen", b"", b""),
        (b"\\Seen", b"\\Seen", b"", b"", b""),
        (b"", b"", b"\\Flagged", b"", b""),
        (b"", b"\\Seen", b"\\Flagged", b"\\Seen", b""),
        (b"\\seen", b"\\Seen", b"", b"", b""),
        (b"\\Recent", b"\\Seen \\Recent", b"", b"\\Seen", b""),
    ],
)
def test_what_is_carried_over(then: bytes, now: bytes, there: bytes, add: bytes, remove: bytes) -> None:
    assert changes(then, now, there) == (add, remove)


@given(FLAGS, FLAGS, FLAGS)
def test_what_the_owner_did_stays(then: bytes, now: bytes, there: bytes) -> None:
    add, remove = changes(then, now, there)
    before, after = flag_set(then).keys(), flag_set(now).keys()
    touched = flag_set(add).keys() | flag_set(remove).keys()
    assert touched <= before ^ after
    assert not touched & (before ^ flag_set(there).keys())


def test_flags_the_destination_does_not_take_are_dropped() -> None:
    assert keep(b"work \\Seen", frozenset({b"\\seen"})) == b"\\Seen"
    assert same(b"\\SEEN work", b"work \\Seen")
