"""A deterministic corpus of mailboxes: what is loaded into a source server, and what a correct move makes of it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from mailhaul.stack.letters import Letter, Writer, oddities

NEWEST = datetime(2026, 10, 31, 12, 0, 0, tzinfo=UTC)
SIZE_LIMIT = 52_428_800  # product.md: larger ones are left out, one of exactly this size is copied
Path = tuple[str, ...]
LOCAL_PARTS = (
    *("office", "sales", "support", "billing", "press", "events", "orders", "repairs", "research", "warehouse"),
    *("reception", "board", "archive", "legal", "training", "travel"),
)


class Kind(StrEnum):
    """What the messages of a corpus are like."""

    PLAIN = "plain"
    TWINS = "twins"  # byte-identical, in one folder and in several, with equal and with other flags and dates
    EQUAL_HEADERS = "equal-headers"  # equal headers, size, date and flags; only the bodies differ
    AWKWARD = "awkward"  # no or reused Message-IDs, odd bytes, odd line ends, no body, nothing but a body
    BIG = "big"  # few and large
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Shelf:
    """A source folder and where a correct move puts it: `left_out` names the rule that keeps it out."""

    path: Path
    weight: float
    left_out: str = ""
    destination: Path = ()
    subscribed: bool = True

    @property
    def goal(self) -> Path | None:
        """The destination folder's path, None when the folder is left out."""
        return None if self.left_out else self.destination or self.path


INBOX = Shelf(("INBOX",), 0.36)
FEW_SHELVES = (INBOX, Shelf(("Sent",), 0.2), Shelf(("Archive", "2023"), 0.2), Shelf(("Trash",), 0.04, "trash"))
SHELVES = (
    INBOX,
    Shelf(("Sent",), 0.14),
    Shelf(("Drafts",), 0.03),
    Shelf(("Archive",), 0.06),
    Shelf(("Archive", "2023"), 0.06),
    Shelf(("Archive", "2023", "Q4 (final)"), 0.03),
    Shelf(("Projekte", "München"), 0.05),
    Shelf(("日本語", "お客様"), 0.03),
    Shelf(("R&D",), 0.03, subscribed=False),
    Shelf(('He said "yes" \\ no',), 0.02),
    Shelf(("50% off, {now} + #1",), 0.02),
    Shelf(("Junkyard",), 0.03),
    Shelf(("Not Spam",), 0.03),
    Shelf(("Empty",), 0.0),
    Shelf(("Trash",), 0.03, "trash"),
    Shelf(("Trash", "Old"), 0.01, "trash"),
    Shelf(("Cestino",), 0.02, "trash"),
    Shelf(("Spam",), 0.03, "junk"),
    Shelf(("Posta indesiderata",), 0.01, "junk"),
    Shelf(("Junk Email",), 0.01, "junk"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """One mailbox to be moved: its users on both sides and the source's password."""

    source: str
    destination: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Mailboxes that are the same whenever they are made from the same values."""

    seed: int
    accounts: tuple[Account, ...]
    messages: int  # in each mailbox
    kind: Kind
    shelves: tuple[Shelf, ...]
    sizes: tuple[int, ...] = ()  # octets of extra messages in the first mailbox's INBOX
    size_limit: int = SIZE_LIMIT
    newest: datetime = NEWEST

    def letters(self, account: Account, *, visit: int = 0, count: int | None = None) -> Iterator[Letter]:
        """The messages of one mailbox; `visit` 1, 2 ... are those that arrive after the first load."""
        writer = Writer(f"{self.seed}/{account.source}/{visit}", account.source, self.newest)
        wanted = self.messages if count is None else count
        made = 0
        for batch in self._batches(writer):
            for letter in batch[: wanted - made]:
                yield letter
                made += 1
            if made >= wanted:
                break
        if visit == 0 and account == self.accounts[0]:
            for octets in self.sizes:
                data, date = writer.plain(octets=octets)
                yield Letter(("INBOX",), data, date, writer.flags())

    def _batches(self, writer: Writer) -> Iterator[Sequence[Letter]]:
        kinds = [self.kind] if self.kind is not Kind.MIXED else [Kind.PLAIN] * 8 + list(Kind)[1:4]
        weights = [shelf.weight for shelf in self.shelves]
        oddity = 0
        seen: list[Letter] = []
        while True:
            folder = writer.rng.choices(self.shelves, weights)[0].path
            match writer.rng.choice(kinds):
                case Kind.TWINS:
                    yield self._twins(writer, folder, seen)
                case Kind.EQUAL_HEADERS:
                    yield _equal_headers(writer, folder)
                case Kind.AWKWARD:
                    oddity += 1
                    yield [_oddity(writer, folder, oddity)]
                case Kind.BIG:
                    data, date = writer.plain(octets=writer.rng.randrange(200_000, 3_000_000))
                    yield [Letter(folder, data, date, writer.flags())]
                case _:
                    data, date = writer.plain()
                    yield [Letter(folder, data, date, writer.flags())]

    def _twins(self, writer: Writer, folder: Path, seen: list[Letter]) -> list[Letter]:
        """Two to four letters of the same bytes: all alike, or with another date, other flags, another folder.

        One in three is the twin of a letter that came long before, so that twins travel in different batches.
        """
        if seen and writer.rng.random() < 0.33:
            return [writer.rng.choice(seen)]
        data, date = writer.plain(octets=writer.rng.randrange(800, 4000))
        first = Letter(folder, data, date, writer.flags())
        letters = [first]
        for _ in range(writer.rng.randrange(1, 4)):
            match writer.rng.randrange(6):
                case 0:
                    letters.append(replace(first, date=writer.date()))
                case 1:
                    letters.append(replace(first, flags=writer.flags()))
                case 2:
                    letters.append(replace(first, folder=writer.rng.choice(self.shelves[:4]).path))
                case _:
                    letters.append(first)
        seen.append(first)
        return letters


def corpus(
    seed: int,
    mailboxes: int = 1,
    messages: int = 100,
    kind: Kind = Kind.PLAIN,
    *,
    shelves: tuple[Shelf, ...] = FEW_SHELVES,
    source_domain: str = "example.org",
    destination_domain: str = "example.com",
    sizes: tuple[int, ...] = (),
    size_limit: int = SIZE_LIMIT,
) -> Corpus:
    """A corpus of `mailboxes` with `messages` each; one without odd parts by default."""
    accounts = tuple(_account(seed, number, source_domain, destination_domain) for number in range(mailboxes))
    return Corpus(seed, accounts, messages, kind, shelves, sizes, size_limit)


def demo_corpus(seed: int = 2026, mailboxes: int = 14, messages: int = 230) -> Corpus:
    """What `make demo` moves: over 3,000 messages of every kind in nested and oddly named folders, one over 50 MB."""
    return corpus(seed, mailboxes, messages, Kind.MIXED, shelves=SHELVES, sizes=(SIZE_LIMIT + 1,))


def _account(seed: int, number: int, source_domain: str, destination_domain: str) -> Account:
    turn, place = divmod(number, len(LOCAL_PARTS))
    name = LOCAL_PARTS[place] + (str(turn + 1) if turn else "")
    password = f"canary-{random.Random(f'{seed}/{name}').getrandbits(64):016x}"
    return Account(f"{name}@{source_domain}", f"{name}@{destination_domain}", password)


def _equal_headers(writer: Writer, folder: Path) -> list[Letter]:
    """Three to six letters that differ in nothing but a few octets of their bodies."""
    date, flags = writer.date(), writer.flags()
    header = writer.header(date, message_id=b"the-same@example.com")
    bodies = (b"order %08d\r\n" % writer.rng.randrange(10**8) for _ in range(writer.rng.randrange(3, 7)))
    return [Letter(folder, header + b"\r\n" + body, date, flags) for body in bodies]


def _oddity(writer: Writer, folder: Path, number: int) -> Letter:
    date = writer.date()
    makers = oddities(writer, date, b"reused@example.com")
    return Letter(folder, makers[number % len(makers)](), date, writer.flags())
