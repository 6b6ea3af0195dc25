"""The read model does not depend on the order in which topics arrive, on batches or on redelivery."""

from collections.abc import Iterable, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, MetaData, select

from mailhaul.db.engine import sqlite_engine
from mailhaul.events import Event
from mailhaul.readmodel import LIVE, SUMS, model_tables, read_change, read_generation
from mailhaul.states import MailboxRunState
from services.projector.apply import Projection
from tests.stories import interleave, story

Tables = dict[str, list[tuple[object, ...]]]


def batches(events: Iterable[Event], rng: Random) -> Iterable[list[Event]]:
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if rng.random() < 0.3:
            yield batch
            batch = []
    yield batch


def dump(tx: Connection) -> Tables:
    """Every row of every table of the read model, in the order of the keys."""
    return {
        table.name: [tuple(row) for row in tx.execute(select(table).order_by(*table.primary_key))]
        for table in model_tables(LIVE)
    }


def played(groups: Iterable[Sequence[Event]]) -> Tables:
    engine = sqlite_engine("sqlite://", read_only=False, connections=1)
    try:
        with engine.begin() as tx:
            catalogue: MetaData = LIVE.migration.metadata
            catalogue.create_all(tx, [*model_tables(LIVE), read_change, read_generation])
            for group in groups:
                Projection(failures_allowed=5).apply(group, tx)
            return dump(tx)
    finally:
        engine.dispose()


@pytest.mark.joint(15)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_joint_15_any_interleaving_gives_equal_tables(seed: int) -> None:
    rng = Random(seed)
    partitions = story(rng, migrations=2, rows=2, runs=2)
    expected = played([[event for told in partitions.values() for event in told]])
    assert played(batches(interleave(partitions, rng), rng)) == expected


@pytest.mark.joint(15)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_joint_15_starting_again_from_the_earliest_offset_changes_nothing(seed: int) -> None:
    rng = Random(seed)
    partitions = story(rng)
    events = list(interleave(partitions, rng))
    once = played([events])
    assert played([events, *batches(interleave(partitions, rng), rng)]) == once


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_account_adds_up_at_every_level(seed: int) -> None:
    rng = Random(seed)
    tables = played([[event for told in story(rng).values() for event in told]])
    by_run: dict[tuple[str, int], list[int]] = {}
    for name in ("read_mailbox_run", "read_run", "read_migration", "read_folder_run"):
        table = LIVE.migration.metadata.tables[name]
        places = {column.name: number for number, column in enumerate(table.columns)}
        for row in tables[name]:
            counts = [int(str(row[places[sum_]])) for sum_ in SUMS]
            assert counts[0] == sum(counts[1:7]), name
            if name == "read_mailbox_run":
                key = str(row[places["migration_id"]]), int(str(row[places["run_no"]]))
                known = by_run.setdefault(key, [0] * len(SUMS))
                by_run[key] = [a + b for a, b in zip(known, counts, strict=True)]
                assert MailboxRunState(str(row[places["state"]]))
            if name == "read_run":
                key = str(row[places["migration_id"]]), int(str(row[places["run_no"]]))
                assert counts == by_run.get(key, [0] * len(SUMS))
