"""The engine on the demo's kinds of mail: oddly named folders, awkward messages, one of exactly the largest size."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailhaul.stack.corpus import SHELVES, SIZE_LIMIT, Corpus, Kind, corpus
from mailhaul.stack.dovecot import Storage
from tests.faults.engines import Mailhaul
from tests.faults.stage import Stage, Verdict

MAIL = corpus(77, 3, 160, Kind.MIXED, shelves=SHELVES, sizes=(SIZE_LIMIT, SIZE_LIMIT + 1))


@pytest.fixture
def stage(directory: Path) -> Iterator[Stage]:
    made = Stage(directory, storage=Storage.MDBOX)
    try:
        made.start()
        yield made
    finally:
        made.close()


def move(stage: Stage, mail: Corpus, ledger: Path) -> Verdict:
    """Run the engine to its end and have the checker judge both servers."""
    ledger.mkdir(exist_ok=True)
    assert Mailhaul().start(stage, stage.moves(mail, 0), ledger).wait(120) == 0, (ledger / "copier.log").read_text()
    return stage.judge(mail, 0)


@pytest.mark.timeout(300)
def test_a_corpus_is_exact_after_both_runs_and_after_its_ledger_was_lost(stage: Stage) -> None:
    stage.load([MAIL], 1)
    ledger = stage.ledgers / "ledger"
    first = move(stage, MAIL, ledger)
    assert first.exact, first.findings
    stage.arrive(MAIL, 20)
    second = move(stage, MAIL, ledger)
    assert second.exact, second.findings
    assert second.closing_line != first.closing_line
    shutil.rmtree(ledger)
    again = move(stage, MAIL, ledger)
    assert again.exact, again.findings
    assert again.closing_line == second.closing_line
