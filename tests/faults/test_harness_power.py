"""The harness sees what a kill does: a copier that appends first and notes later doubles mail under it."""

from pathlib import Path

from mailhaul.stack.corpus import Kind, corpus
from tests.faults.campaign import Act, Campaign, Plan
from tests.faults.engines import Naive
from tests.faults.stage import Stage

SEED = 41


def test_a_naive_copier_is_found_out(directory: Path) -> None:
    stage = Stage(directory)
    try:
        stage.start()
        plan = Plan(SEED, (corpus(1, 1, 150, Kind.TWINS),), kills=6, acts=(Act.KILL, Act.STALL))
        outcome = Campaign(stage, Naive(), plan).run()
    finally:
        stage.close()
    print(outcome.closing_line(), *outcome.failures(), sep="\n")
    assert sum(outcome.done.values()) == 6
    assert sum(each.verdict.doubled for each in outcome.rounds if each.verdict) > 0
    assert sum(each.verdict.lost for each in outcome.rounds if each.verdict) == 0
    assert not outcome.clean
    assert not outcome.honest
