"""The corpus is the same whenever it is made, and holds what the demo and the fault tests promise."""

import hashlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checker.expectation import read_manifest
from mailhaul.stack.corpus import SHELVES, SIZE_LIMIT, Corpus, Kind, corpus, demo_corpus
from mailhaul.stack.letters import Letter, Writer
from mailhaul.stack.manifest import Manifest

SEED = 7


def letters(made: Corpus) -> list[Letter]:
    return [letter for account in made.accounts for letter in made.letters(account)]


def noted(made: Corpus) -> Manifest:
    manifest = Manifest(made)
    for account in made.accounts:
        for letter in made.letters(account):
            manifest.add(account, letter)
    return manifest


def test_the_same_seed_makes_the_same_mailboxes_and_another_seed_others() -> None:
    assert letters(corpus(SEED, 2, 60, Kind.MIXED)) == letters(corpus(SEED, 2, 60, Kind.MIXED))
    assert letters(corpus(SEED, 2, 60, Kind.MIXED)) != letters(corpus(SEED + 1, 2, 60, Kind.MIXED))


@pytest.mark.parametrize("kind", Kind)
def test_a_mailbox_has_as_many_messages_as_asked_for(kind: Kind) -> None:
    made = corpus(SEED, 2, 30, kind)
    assert Counter(len(list(made.letters(account))) for account in made.accounts) == {30: 2}


def test_twins_are_byte_identical_within_and_across_folders() -> None:
    alike = Counter(
        (letter.folder, letter.data, letter.date, letter.flags) for letter in letters(corpus(1, 1, 90, Kind.TWINS))
    )
    assert max(alike.values()) > 1
    folders: dict[bytes, set[tuple[str, ...]]] = {}
    for folder, data, _, _ in alike:
        folders.setdefault(data, set()).add(folder)
    assert max(map(len, folders.values())) > 1


def test_equal_headers_differ_in_their_bodies_alone() -> None:
    made = letters(corpus(1, 1, 60, Kind.EQUAL_HEADERS))
    assert len({letter.data for letter in made}) == len(made)
    groups = Counter((letter.data.partition(b"\r\n\r\n")[0], len(letter.data), letter.date) for letter in made)
    assert sum(count > 1 for count in groups.values()) > 10


@pytest.mark.parametrize("octets", [700, 777, 778, 4096, 1_000_001, 52_428_800])
def test_a_message_of_an_exact_size_is_stored_with_that_size(octets: int) -> None:
    data, date = Writer("seed", "office@example.org", datetime(2026, 1, 1, tzinfo=UTC)).plain(octets=octets)
    assert len(data) == len(Letter(("INBOX",), data, date, ()).served) == octets


@pytest.mark.parametrize(
    ("data", "served"),
    [
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\r\nb", b"a\r\nb"),
        (b"a\rb", b"a\rb"),
        (b"a\r", b"a"),
        (b"", b""),
    ],
)
def test_what_dovecot_serves_is_modelled(data: bytes, served: bytes) -> None:
    assert Letter(("INBOX",), data, datetime(2026, 1, 1, tzinfo=UTC), ()).served == served


def test_the_manifest_expects_everything_that_no_rule_keeps_out(tmp_path: Path) -> None:
    made = corpus(SEED, 1, 80, Kind.MIXED, shelves=SHELVES, sizes=(3000, 3001), size_limit=3000)
    manifest = noted(made)
    [judged] = read_manifest(manifest.write(tmp_path / "manifest.json"))
    kept_out = {shelf.path for shelf in SHELVES if shelf.left_out}
    expected = [letter for letter in letters(made) if letter.folder not in kept_out and len(letter.served) <= 3000]
    assert (
        sum(messages.total() for messages in judged.destination.folders.values()) == manifest.expected == len(expected)
    )
    assert sum(messages.total() for messages in judged.source.folders.values()) == 82
    assert not set(judged.destination.folders) & kept_out
    assert {("Junkyard",), ("Not Spam",), ("Empty",)} <= set(judged.destination.folders)
    too_large = [letter for letter in letters(made) if len(letter.served) == 3001]
    assert [judged.destination.left_out[hashlib.sha256(letter.served).hexdigest()] for letter in too_large] == ["size"]


def test_the_demo_has_what_the_issue_asks_for() -> None:
    made = demo_corpus()
    everything = letters(made)
    assert len(made.accounts) >= 12
    assert len(everything) >= 3000
    assert [len(letter.data) for letter in everything if len(letter.data) > SIZE_LIMIT] == [SIZE_LIMIT + 1]
    assert any(b"Message-ID" not in letter.data for letter in everything)
    assert {flag for letter in everything for flag in letter.flags} >= {"\\Seen", "\\Flagged", "$Forwarded", "ProjectX"}
    assert min(letter.date.year for letter in everything) < 2000
    assert max(letter.date for letter in everything) <= made.newest
    assert len({letter.date.utcoffset() for letter in everything}) > 5
    assert {"Trash", "Cestino", "Spam", "Junkyard", "Not Spam"} <= {shelf.path[-1] for shelf in made.shelves}


def test_passwords_are_canaries_and_stay_out_of_the_manifest_and_of_repr() -> None:
    made = corpus(SEED, 2, 5)
    assert all(account.password.startswith("canary-") for account in made.accounts)
    assert "canary-" not in str(noted(made).as_json()) + repr(made)
