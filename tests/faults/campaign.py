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
from tests.faults.engines import SETTLE_AFTER, Engine
from tests.faults.stage import Stage, Verdict

FINISH_SECONDS = 90.0
RESTARTS = 30
AIMED = 0.8  # this share of the blows falls while pushes are under way, the rest at any instant of the run
AFTER_FIRST_PUSH = 0.25
TEMPORARY = 75  # EX_TEMPFAIL: "run again"


class Act(StrEnum):
    """What is done to the copier or to the servers at the chosen instant."""

    KILL = "kill"  # SIGKILL the copier
    STALL = (
        "stall"  # SIGSTOP the destination's sessions, SIGKILL the copier, wake the sessions while the next one works
    )
    FAILPOINT = "failpoint"  # the copier kills itself at a place in its code, at a random passage
    DROP = "drop"  # SIGKILL the sessions of one server under a copier that lives
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
        return all(not r.trouble and r.verdict is not None and r.verdict.exact for r in self.rounds)

    def closing_line(self) -> str:
        """Return the one line that says it all."""
        lost = sum(r.verdict.lost for r in self.rounds if r.verdict)
        doubled = sum(r.verdict.doubled for r in self.rounds if r.verdict)
        bad = sum(bool(r.trouble) or r.verdict is None or not r.verdict.exact for r in self.rounds)
        acts = ", ".join(f"{count} {act}" for act, count in sorted(self.done.items()))
        acts += f" ({self.met} met pushes under way)"
        verdict = "clean" if self.clean else "NOT CLEAN"
        return (
            f"faults: seed {self.plan.seed}: {len(self.rounds)} rounds, {acts}: "
            f"{lost} lost, {doubled} doubled, {bad} rounds not exact: {verdict}"
        )

    def failures(self) -> Iterator[str]:
        """Describe each round that went wrong."""
        for each in self.rounds:
            if each.trouble:
                yield f"{each.name}: {each.trouble}"
            elif each.verdict is not None and not each.verdict.exact:
                yield f"{each.name}: {each.verdict.closing_line}\n{each.verdict.findings}"


class Campaign:
    """Runs a plan with one engine on one stage."""

    def __init__(self, stage: Stage, engine: Engine, plan: Plan) -> None:
        self.stage = stage
        self.engine = engine
        self.plan = plan
        self.rng = random.Random(plan.seed)
        self.done: Counter[Act] = Counter()
        self.met = 0
        self._usual: dict[int, float] = {}

    def run(self) -> Outcome:
        """Load, measure, fire, let everything settle, judge."""
        count = len(self.plan.corpora)
        most = 4 + 2 * self.plan.kills // count  # some rounds end before anything struck
        self.stage.load(self.plan.corpora, most)
        rounds = []
        share = [self.plan.kills // count + (n < self.plan.kills % count) for n in range(count)]
        for corpus, wanted in zip(self.plan.corpora, share, strict=True):
            rounds.append(self._undisturbed(corpus))
            number = 1
            while wanted > 0 and number < most and not rounds[-1].trouble:
                fired = self._round(corpus, number, min(wanted, self.plan.per_round))
                wanted -= len(fired.acts)
                number += 1
                rounds.append(fired)
        time.sleep(SETTLE_AFTER + 0.2)
        for each in rounds:
            if not each.trouble:
                self._finish(each, settle=True)
                each.verdict = self.stage.judge(each.corpus, each.number)
        return Outcome(self.plan, rounds, self.done, self.met)

    def _undisturbed(self, corpus: Corpus) -> Round:
        """Move the mailboxes once in peace, which measures how long that takes."""
        calm = self._new_round(corpus, 0)
        began = time.monotonic()
        self._finish(calm)
        self._usual[corpus.seed] = time.monotonic() - began
        return calm

    def _new_round(self, corpus: Corpus, number: int) -> Round:
        ledger = self.stage.directory / f"ledger-{corpus.seed}-{number}"
        ledger.mkdir()
        return Round(corpus, number, ledger)

    def _round(self, corpus: Corpus, number: int, acts: int) -> Round:
        fired = self._new_round(corpus, number)
        sleepers: list[subprocess.Popen[bytes]] = []
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

    def _at_instant(self, fired: Round, act: Act, sleepers: list[subprocess.Popen[bytes]]) -> bool:
        """Start a copier and strike at a random instant; say whether it had finished before."""
        pushing = self.engine.watch(fired.ledger)
        copier = self._start(fired)
        wait = self.rng.uniform(0.25, 1.0) * self._usual[fired.corpus.seed]
        if self.rng.random() < AIMED and _began(copier, pushing):
            wait = self.rng.uniform(0.0, AFTER_FIRST_PUSH)
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

    def _act(self, act: Act, copier: subprocess.Popen[bytes], sleepers: list[subprocess.Popen[bytes]]) -> None:
        match act:
            case Act.KILL:
                copier.kill()
                copier.wait()
            case Act.STALL:
                self.stage.destination.signal_sessions(signal.SIGSTOP)
                copier.kill()
                copier.wait()
                wake = self.rng.uniform(0.1, SETTLE_AFTER * 0.7)
                threading.Timer(wake, self.stage.destination.signal_sessions, [signal.SIGCONT]).start()
            case Act.DROP:
                self.rng.choice([self.stage.source, self.stage.destination]).drop_sessions()
                copier.wait(FINISH_SECONDS)
            case Act.ZOMBIE:
                copier.send_signal(signal.SIGSTOP)
                sleepers.append(copier)

    def _start(self, fired: Round, *, failpoints: str = "") -> subprocess.Popen[bytes]:
        moves = self.stage.moves(fired.corpus, fired.number)
        command = self.engine.command(self.stage, moves, fired.ledger)
        with (fired.ledger / "copier.log").open("ab") as log:
            environment = self.engine.environment(self.stage, fired.ledger, failpoints=failpoints)
            return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _finish(self, fired: Round, *, settle: bool = False) -> None:
        """Run it again until it says that it is at its end."""
        moves = self.stage.moves(fired.corpus, fired.number)
        command = self.engine.command(self.stage, moves, fired.ledger, settle=settle)
        environment = self.engine.environment(self.stage, fired.ledger)
        deadline = time.monotonic() + FINISH_SECONDS
        for _ in range(RESTARTS):
            done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=FINISH_SECONDS)
            if done.returncode == 0:
                return
            fired.trouble = f"ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-2000:]}"
            if done.returncode != TEMPORARY or time.monotonic() > deadline:
                return
            fired.trouble = ""
            time.sleep(0.5)
        fired.trouble = f"asked to be run again {RESTARTS} times"


def _began(copier: subprocess.Popen[bytes], pushing: Callable[[], bool]) -> bool:
    """Wait until the copier pushes; say whether it did while it lived."""
    deadline = time.monotonic() + FINISH_SECONDS
    while copier.poll() is None and time.monotonic() < deadline:
        if pushing():
            return True
        time.sleep(0.004)
    return False
