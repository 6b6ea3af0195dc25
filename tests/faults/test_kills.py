"""Mailhaul's copier under fire: killed, and its servers' sessions dropped and stalled; the checker judges."""

from pathlib import Path

import pytest

from mailhaul.stack.corpus import Corpus, Kind, corpus
from mailhaul.stack.dovecot import Storage
from tests.faults.campaign import Act, Campaign, Outcome, Plan
from tests.faults.engines import Mailhaul
from tests.faults.stage import Stage

SEED = 1


def campaign(directory: Path, kinds: tuple[Kind, ...], kills: int, acts: tuple[Act, ...], storage: Storage) -> Outcome:
    stage = Stage(directory, storage=storage)
    try:
        stage.start()
        corpora = tuple(_corpus(number, kind) for number, kind in enumerate(kinds))
        outcome = Campaign(stage, Mailhaul(), Plan(SEED, corpora, kills, per_round=14, acts=acts)).run()
        print(outcome.closing_line(), *outcome.failures(), sep="\n")
    finally:
        stage.close()
    return outcome


def _corpus(number: int, kind: Kind) -> Corpus:
    domains = f"{kind}.example.org", f"{kind}.example.com"
    return corpus(SEED * 10 + number, 3, 300, kind, source_domain=domains[0], destination_domain=domains[1])


@pytest.mark.timeout(400)
def test_forty_kills_lose_and_double_nothing(directory: Path) -> None:
    kinds = (Kind.TWINS, Kind.AWKWARD, Kind.EQUAL_HEADERS)
    outcome = campaign(directory, kinds, 40, (Act.KILL, Act.KILL, Act.FAILPOINT), Storage.MAILDIR)
    assert outcome.clean
    assert sum(outcome.done.values()) >= 40
    assert outcome.met >= 15, "too few kills fell while anything was under way"


@pytest.mark.timeout(400)
def test_dropped_stalled_and_woken_sessions_lose_nothing_and_double_nothing_in_silence(directory: Path) -> None:
    outcome = campaign(directory, (Kind.TWINS,), 8, (Act.STALL, Act.DROP, Act.ZOMBIE), Storage.MDBOX)
    assert outcome.honest
    assert sum(outcome.done.values()) >= 8
