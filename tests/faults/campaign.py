"""Kills, freezes and wakes copiers at random instants, lets each come to its end, and has the checker judge."""

import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mailhaul.stack.corpus import Corpus
from tests.faults.engines import SETTLE_AFTER, Copier, Engine
from tests.faults.stage import Stage, Verdict

FINISH_SECONDS = 90.0
RESTARTS = 30
AIMED = 0.8  # this share of the blows falls while pushes are under way, the rest at any instant of the run
ENTERED = 120  # at most so many messages are copied before an aimed blow: a round takes several
A_LITTLE = 0.03
ANY_INSTANT = 1.5
DONE, FAILED, TEMPORARY = 0, 1, 75  # the last is EX_TEMPFAIL: "run again"


class Act(StrEnum):
    """What is done to the copier or to the servers at the chosen instant."""

    KILL = "kill"  # SIGKILL the copier
    STALL = (
        "stall"  # SIGSTOP the destination's sessions, SIGKILL the copier, wake the sessions while the next one works
    )
    FAILPOINT = "failpoint"  # the copier kills itself at a place in its code, at a random passage
    DROP = "drop"  # end the destination's sessions, and perhaps kill the source's, under a copier that lives
    ZOMBIE = "zombie"  # SIGSTOP the copier, let another begin, wake the first


@dataclass(frozen=True, slots=True)
class Plan:
    """One campaign; everything random comes from `seed`."""

    seed: int
    corpora: tuple[Corpus, ...]
    kills: int
    per_round: int = 8
    acts: tuple[Act, ...] = (Act.KILL, Act.KILL, Act.KILL, Act.STALL)


@dataclass(slots=True)
class Round:
    """One set of mailboxes moved under fire."""

    corpus: Corpus
    number: int
    ledger: Path
    acts: list[str] = field(default_factory=list)
    verdict: Verdict | None = None
    trouble: str = ""
    log: str = ""  # the end of what the copier wrote, when something is wrong
    reported: int = 0  # possible second copies that the copier named and left to a person

    @property
    def exact(self) -> bool:
        """Say whether the checker found nothing at all."""
        return not self.trouble and self.verdict is not None and self.verdict.exact

    @property
    def honest(self) -> bool:
        """Say whether every message is there and each one that is there twice was reported by the copier."""
        if self.exact:
            return True
        seen = self.verdict
        return not self.trouble and seen is not None and seen.only_doubled and seen.doubled <= self.reported

    @property
    def name(self) -> str:
        """What repeats this round: its corpus, its number, what was done when."""
        return f"{self.corpus.kind} corpus {self.corpus.seed}, round {self.number}: {' '.join(self.acts)}"


@dataclass(slots=True)
class Outcome:
    """A whole campaign."""

    plan: Plan
    rounds: list[Round]
    done: Counter[Act]
    met: int  # deaths of a copier with pushes under way

    @property
    def clean(self) -> bool:
        """Say whether every round ended exact."""
        return all(each.exact for each in self.rounds)

    @property
    def honest(self) -> bool:
        """Say whether nothing was lost or altered, and nothing doubled without being reported."""
        return all(each.honest for each in self.rounds)

    def closing_line(self) -> str:
        """Return the one line that says it all."""
        lost = sum(r.verdict.lost for r in self.rounds if r.verdict)
        doubled = sum(r.verdict.doubled for r in self.rounds if r.verdict)
        told = sum(r.verdict.doubled for r in self.rounds if r.verdict and not r.exact and r.honest)
        bad = sum(not each.exact for each in self.rounds)
        acts = ", ".join(f"{count} {act}" for act, count in sorted(self.done.items()))
        verdict = "clean" if self.clean else "every double reported" if self.honest else "NOT CLEAN"
        return (
            f"faults: seed {self.plan.seed}: {len(self.rounds)} rounds, {acts} ({self.met} met pushes under way): "
            f"{lost} lost, {doubled} doubled ({told} of them reported), {bad} rounds not exact: {verdict}"
        )

    def failures(self) -> Iterator[str]:
        """Describe each round that went wrong."""
        for each in self.rounds:
            if each.trouble:
                yield f"{each.name}: {each.trouble}\n{each.log}"
            elif each.verdict is not None and not each.verdict.exact:
                yield f"{each.name}: {each.verdict.closing_line}\n{each.verdict.findings}\n{each.log}"


class Campaign:
    """Runs a plan with one engine on one stage."""

    def __init__(self, stage: Stage, engine: Engine, plan: Plan) -> None:
        self.stage = stage
        self.engine = engine
        self.plan = plan
        self.rng = random.Random(plan.seed)
        self.done: Counter[Act] = Counter()
        self.met = 0
        self._stalled: list[int] = []

    def run(self) -> Outcome:
        """Load, fire, let everything settle, judge."""
        count = len(self.plan.corpora)
        most = 4 + 2 * self.plan.kills // count  # some rounds end before anything struck
        self.stage.load(self.plan.corpora, most)
        rounds = []
        share = [self.plan.kills // count + (n < self.plan.kills % count) for n in range(count)]
        for corpus, wanted in zip(self.plan.corpora, share, strict=True):
            number = 0
            while wanted > 0 and number < most:
                fired = self._round(corpus, number, min(wanted, self.plan.per_round))
                wanted -= len(fired.acts)
                number += 1
                rounds.append(fired)
                if fired.trouble:
                    break
        time.sleep(SETTLE_AFTER + 0.2)
        for each in rounds:
            if not each.trouble:
                self._finish(each, settle=True)
                each.verdict = self.stage.judge(each.corpus, each.number)
                each.reported = self.engine.reported(each.ledger)
            if not each.exact:
                each.log = (each.ledger / "copier.log").read_text("utf-8", "replace")[-3000:]
        return Outcome(self.plan, rounds, self.done, self.met)

    def _new_round(self, corpus: Corpus, number: int) -> Round:
        ledger = self.stage.ledgers / f"ledger-{corpus.seed}-{number}"
        ledger.mkdir()
        return Round(corpus, number, ledger)

    def _round(self, corpus: Corpus, number: int, acts: int) -> Round:
        fired = self._new_round(corpus, number)
        sleepers: list[Copier] = []
        while len(fired.acts) < acts:
            act = self.rng.choice(self.plan.acts)
            finished = self._at_failpoint(fired) if act is Act.FAILPOINT else self._at_instant(fired, act, sleepers)
            if finished:
                break  # it had come to its end before; the next round begins
        self._finish(fired)
        for sleeper in sleepers:
            sleeper.send_signal(signal.SIGCONT)
            sleeper.wait(FINISH_SECONDS)
        return fired

    def _at_instant(self, fired: Round, act: Act, sleepers: list[Copier]) -> bool:
        """Start a copier and strike at a random instant; say whether it had finished before."""
        progress = self.engine.watch(fired.ledger)
        copier = self._start(fired)
        wait = self.rng.uniform(0.0, ANY_INSTANT)
        if self.rng.random() < AIMED and _reached(copier, progress, self.rng.randrange(ENTERED)):
            wait = self.rng.uniform(0.0, A_LITTLE)
        try:
            copier.wait(wait)
        except subprocess.TimeoutExpired:
            fired.acts.append(f"{act}@{wait:.3f}")
            self.done[act] += 1
            self._act(act, copier, sleepers)
            self._look(fired, act)
            return False
        return True

    def _at_failpoint(self, fired: Round) -> bool:
        """Start a copier that kills itself at a random place; say whether it came to its end without passing there."""
        place = f"{self.rng.choice(self.engine.failpoints())}=kill@{self.rng.choice([1, 1, 2, 3, 5, 8, 13, 21])}"
        if self._start(fired, failpoints=place).wait(FINISH_SECONDS) != -signal.SIGKILL:
            return True
        fired.acts.append(place)
        self.done[Act.FAILPOINT] += 1
        self._look(fired, Act.FAILPOINT)
        return False

    def _look(self, fired: Round, act: Act) -> None:
        if act in (Act.KILL, Act.STALL, Act.FAILPOINT):
            self.met += self.engine.open_pushes(fired.ledger)

    def _act(self, act: Act, copier: Copier, sleepers: list[Copier]) -> None:
        match act:
            case Act.KILL:
                copier.kill()
                copier.wait()
            case Act.STALL:
                # A session is stalled once: the settle time promises something only of stalls that are shorter.
                destination = self.stage.destination
                self._stalled += destination.signal_sessions(signal.SIGSTOP, but=self._stalled)
                copier.kill()
                copier.wait()
                wake = self.rng.uniform(0.1, SETTLE_AFTER * 0.5)
                threading.Timer(wake, destination.signal_sessions, [signal.SIGCONT]).start()
            case Act.DROP:
                # Killed outright, Dovecot's Maildir forgets the names of keywords that it had just given letters to
                # ("unknown-4" in 2.3.19): the destination's sessions are asked to end, the source's are killed.
                self.stage.destination.signal_sessions(signal.SIGTERM)
                if self.rng.random() < 0.5:
                    self.stage.source.drop_sessions()
                copier.wait(FINISH_SECONDS)
            case Act.ZOMBIE:
                copier.send_signal(signal.SIGSTOP)
                sleepers.append(copier)
                threading.Timer(self.rng.uniform(0.5, 6.0), copier.send_signal, [signal.SIGCONT]).start()

    def _start(self, fired: Round, *, settle: bool = False, failpoints: str = "") -> Copier:
        moves = self.stage.moves(fired.corpus, fired.number)
        return self.engine.start(self.stage, moves, fired.ledger, settle=settle, failpoints=failpoints)

    def _finish(self, fired: Round, *, settle: bool = False) -> None:
        """Run it again until it says that it is at its end."""
        deadline = time.monotonic() + FINISH_SECONDS
        for _ in range(RESTARTS):
            status = self._start(fired, settle=settle).wait(FINISH_SECONDS)
            if status in (DONE, FAILED):
                return  # what it failed at is the checker's to say
            if status != TEMPORARY or time.monotonic() > deadline:
                fired.trouble = f"ended with {status}"
                return
            time.sleep(0.5)
        fired.trouble = f"asked to be run again {RESTARTS} times"


def _reached(copier: Copier, progress: Callable[[], int], wanted: int) -> bool:
    """Wait until the copier pushes and has entered so many messages; say whether it did while it lived."""
    deadline = time.monotonic() + FINISH_SECONDS
    while copier.poll() is None and time.monotonic() < deadline:
        if progress() >= wanted:
            return True
        time.sleep(0.003)
    return False
