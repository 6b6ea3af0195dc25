"""Counting: whatever is delivered again, and wherever a crash fell, each octet is counted once (joint 20)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailhaul import topics
from mailhaul.events import FolderProgressed
from services.meter.totals import Entry, Place, Totals
from tests.event_samples import sample

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def progressed(
    folder: str, seq: int, copied: int, *, run_no: int = 1, epoch: int = 1, second: int = 0
) -> FolderProgressed:
    return sample(
        FolderProgressed,
        seq,
        folder_id=folder,
        migration_id="m",
        source_server="imap.example.org:993",
        run_no=run_no,
        epoch=epoch,
        seq=seq,
        copied=copied,
        octets_copied=copied * 1000,
        at=START + timedelta(seconds=second),
    )


def sums(table: dict[str, Entry], totals: Totals) -> dict[str, tuple[int, int]]:
    """Messages and octets by topic, over every window and part."""
    found: dict[str, tuple[int, int]] = {}
    for window in totals.windows():
        event = totals.event(window)
        assert event is not None
        before = found.get(event[0].name, (0, 0))
        found[event[0].name] = before[0] + event[1].messages, before[1] + event[1].octets
    return found


def both(messages: int) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(("migration-throughput", "server-throughput"), (messages, messages * 1000))


def test_joint_20_the_difference_to_the_last_snapshot_is_added() -> None:
    table: dict[str, Entry] = {}
    totals = Totals(table, 60)
    totals.add(progressed("f", 1, 10), Place(0, 0))
    totals.add(progressed("f", 2, 25, second=61), Place(0, 1))
    totals.add(progressed("g", 1, 5, second=62), Place(0, 2))
    assert sums(table, totals) == both(30)
    windows = [event for window in totals.windows() if (event := totals.event(window))]
    mine = sorted((e.window_start, e.messages) for topic, e in windows if topic is topics.MIGRATION_THROUGHPUT)
    assert mine == [(START, 10), (START + timedelta(seconds=60), 20)]
    assert {e.subject for topic, e in windows if topic is topics.SERVER_THROUGHPUT} == {"imap.example.org:993"}


def test_a_new_run_begins_at_nothing_and_an_old_snapshot_changes_nothing() -> None:
    table: dict[str, Entry] = {}
    totals = Totals(table, 60)
    totals.add(progressed("f", 5, 10, epoch=2), Place(0, 0))
    assert totals.add(progressed("f", 9, 8, epoch=1), Place(0, 1)) == []
    assert totals.add(progressed("f", 5, 10, epoch=2), Place(0, 2)) == []
    totals.add(progressed("f", 1, 4, run_no=2, epoch=3), Place(0, 3))
    assert sums(table, totals) == both(14)


def test_the_same_folder_id_in_two_partitions_is_two_entries() -> None:
    table: dict[str, Entry] = {}
    totals = Totals(table, 60)
    totals.add(progressed("f", 1, 10), Place(0, 5))
    totals.add(progressed("f", 1, 10), Place(1, 2))
    assert sums(table, totals) == both(20)
    assert {event.part for window in totals.windows() if (found := totals.event(window)) for event in [found[1]]} == {
        0,
        1,
    }


class Torn(dict[str, Entry]):
    """A table whose process dies after so many writes."""

    def __init__(self, entries: dict[str, Entry], writes: int) -> None:
        super().__init__(entries)
        self.writes = writes

    def __setitem__(self, key: str, entry: Entry) -> None:
        if self.writes == 0:
            raise InterruptedError
        self.writes -= 1
        super().__setitem__(key, entry)


SNAPSHOTS = st.lists(
    st.tuples(st.sampled_from("fgh"), st.integers(0, 20), st.integers(0, 200)), min_size=1, max_size=25
)


@given(SNAPSHOTS, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 24)), max_size=4))
def test_joint_20_every_octet_is_counted_once_however_the_worker_dies(
    snapshots: list[tuple[str, int, int]], deaths: list[tuple[int, int]]
) -> None:
    log: list[FolderProgressed] = []
    counts: dict[str, int] = {}
    second = 0
    for seq, (folder, more, seconds) in enumerate(snapshots, start=1):
        counts[folder] = counts.get(folder, 0) + more
        second += seconds
        log.append(progressed(folder, seq, counts[folder], second=second))
    table: dict[str, Entry] = {}
    for writes, back in [*deaths, (1_000_000, len(log))]:
        torn = Torn(table, writes)
        totals = Totals(torn, 60)
        committed = max(0, len(log) - back)  # any offset may have been committed before, as long as it was counted
        counted = min((entry[3] for key, entry in table.items() if key.split()[1] == "f"), default=0)
        try:
            for offset in range(min(committed, counted), len(log)):
                totals.add(log[offset], Place(0, offset, totals.newest(0)))
        except InterruptedError:
            pass
        table = dict(torn)
    assert sums(table, Totals(table, 60)) in (both(sum(counts.values())), {} if not sum(counts.values()) else None)


def test_late_progress_goes_to_the_oldest_window_kept_and_old_entries_go() -> None:
    table: dict[str, Entry] = {}
    totals = Totals(table, 60)
    day = 86_400
    totals.add(progressed("f", 1, 10), Place(0, 0))
    totals.add(progressed("g", 1, 10, second=day), Place(0, 1, totals.newest(0)))
    assert sorted(totals.outdated(0, totals.newest(0))) == sorted(
        key for key in totals.windows() if f" {totals.start_of(START)} " in key
    )
    for key in totals.outdated(0, totals.newest(0)):
        del table[key]
    totals.add(progressed("f", 2, 15, second=5), Place(0, 2, totals.newest(0)))
    assert sums(table, totals) == both(15)
    assert totals.outdated(0, totals.newest(0)) == []
    assert any(" f " in key for key in totals.outdated(0, totals.newest(0) + 40 * day))
    assert totals.outdated(1, totals.newest(0) + 40 * day) == []


def test_the_same_total_is_the_same_event() -> None:
    table: dict[str, Entry] = {}
    totals = Totals(table, 60)
    [window, _] = totals.add(progressed("f", 1, 10), Place(3, 7))
    assert totals.event(window) == Totals(dict(table), 60).event(window)
    assert totals.event("0 m 0 gone") is None
