"""The judge's own test: correct copies are found exact, every seeded corruption is found and called by its name."""

import copy
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from checker.corruptions import CORRUPTIONS, EXCLUDED, Corruption, digest, excluded_digest
from checker.expectation import as_mailbox
from checker.judge import FolderVerdict, judge
from checker.model import Expectation, Mailbox, Message, Path

Judge = Callable[[Expectation, Mailbox], list[FolderVerdict]]
FLAGS = ("\\seen", "\\answered", "\\flagged", "\\draft", "$forwarded", "projectx")
FOLDERS: tuple[Path, ...] = (("INBOX",), ("Sent",), ("Archivio", "2023"), ("プロジェクト",), ("Empty",))


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What the self-test found: seeded corruptions, those that were missed, and false alarms on correct copies."""

    seeded: int
    missed: tuple[str, ...]
    clean: int
    false_alarms: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Say whether the judge may be believed."""
        return not self.missed and not self.false_alarms

    def closing_line(self) -> str:
        """Return the one line that says it all."""
        caught = self.seeded - len(self.missed)
        alarms = f"{len(self.false_alarms)} false alarms on {self.clean} correct copies"
        return f"checker self-test: {caught} of {self.seeded} seeded corruptions caught, {alarms}"


def self_test(seed: int, rounds: int, judge: Judge = judge) -> SelfTest:
    """Seed every corruption once a round, each with a seed of its own that repeats it."""
    missed = []
    false_alarms = []
    for number in range(rounds):
        expected = generate(random.Random(f"{seed}/{number}"))
        if not all(verdict.exact for verdict in judge(expected, as_mailbox(expected))):
            false_alarms.append(f"seed {seed}, round {number}")
        for corruption, word in CORRUPTIONS.items():
            if not caught(judge, expected, corruption, word, f"{seed}/{number}/{corruption.__name__}"):
                missed.append(f"{corruption.__name__}, seed {seed}, round {number}")
    return SelfTest(rounds * len(CORRUPTIONS), tuple(missed), rounds, tuple(false_alarms))


def caught(judge: Judge, expected: Expectation, corruption: Corruption, word: str, seed: str) -> bool:
    """Say whether a corrupted copy is judged not exact, and for the right reason."""
    mailbox = copy.deepcopy(as_mailbox(expected))
    corruption(mailbox, random.Random(seed))
    verdicts = judge(expected, mailbox)
    words = {finding.what for verdict in verdicts for finding in verdict.findings}
    words |= {fault for verdict in verdicts for fault in verdict.faults}
    return word in words and not all(verdict.exact for verdict in verdicts)


def generate(rng: random.Random) -> Expectation:
    """Return what a small mailbox must hold: ordinary mail, twins in one folder, twins in two, an empty folder."""
    expected = Expectation({path: Counter() for path in FOLDERS}, {("INBOX",), ("Sent",)})
    expected.left_out = {excluded_digest(number): "/".join(EXCLUDED) for number in range(2)}
    filled = FOLDERS[:-1]
    for path in filled:
        for _ in range(rng.randint(6, 20)):
            expected.folders[path][_message(rng)] += 1
    for _ in range(3):
        twin = _message(rng)
        expected.folders[rng.choice(filled)][twin] += rng.randint(2, 3)
        other = _message(rng)
        one, two = rng.sample(filled, 2)
        expected.folders[one][other] += 1
        expected.folders[two][replace(other, flags=("\\seen",))] += 1
    return expected


def _message(rng: random.Random) -> Message:
    flags = tuple(sorted(rng.sample(FLAGS, rng.randint(1, 3))))
    return Message(digest(rng), rng.randrange(700_000_000, 1_790_000_000), flags, rng.randrange(1, 60_000))
