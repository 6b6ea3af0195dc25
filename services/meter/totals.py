"""Counting as arithmetic: absolute snapshots of folders in, running totals of windows out (joint 20).

The state is one flat table in which every entry carries the offset of the last record it has taken in. A record
changes four entries, and a crash may keep only the first of them: the folder's snapshot, from which the difference
is taken, is therefore written after the windows, and a redelivered record is added only where it was not added
before. The last entry says how far a partition is counted, whatever anybody committed.
"""

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from mailhaul.events import FolderProgressed, ThroughputWindow
from mailhaul.ids import derive
from mailhaul.topics import MIGRATION_THROUGHPUT, SERVER_THROUGHPUT, Topic

Entry: TypeAlias = list[int]
Table: TypeAlias = MutableMapping[str, Entry]

KINDS = {"m": MIGRATION_THROUGHPUT, "s": SERVER_THROUGHPUT}
KEEP_WINDOWS = timedelta(hours=2)  # later progress is added to the oldest window that is still kept
KEEP_FOLDERS = timedelta(days=30)
_FOLDER, _COUNTED = "f", "o"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: its partition, its offset and the newest window start seen in that partition."""

    part: int
    offset: int
    newest: int = 0


class Totals:
    """The arithmetic over a table; windows are `seconds` long and begin at whole multiples of that."""

    def __init__(self, table: Table, seconds: int) -> None:
        self._table = table
        self._seconds = seconds

    def counted(self, part: int) -> int:
        """The offset up to which a partition is counted; -1 when nothing is."""
        return (self._table.get(_key(part, _COUNTED, "-")) or [-1])[0]

    def passed(self, place: Place) -> None:
        """A record is done with, whatever it held."""
        self._table[_key(place.part, _COUNTED, "-")] = [place.offset]

    def add(self, progress: FolderProgressed, place: Place) -> list[str]:
        """Take in one snapshot; returns the keys of the windows that it changed."""
        key = _key(place.part, _FOLDER, progress.folder_id)
        order = [progress.run_no, progress.epoch, progress.seq]
        before = self._table.get(key)
        if before is not None and (before[3] >= place.offset or before[:3] >= order):
            return []
        # Absolute counts of one run: the next run's begin at nothing.
        messages, octets = (before[4], before[5]) if before is not None and before[0] == order[0] else (0, 0)
        more = max(0, progress.copied - messages), max(0, progress.octets_copied - octets)
        start = max(self.start_of(progress.at), place.newest - _seconds(KEEP_WINDOWS))
        changed = [
            window
            for kind, subject in (("m", progress.migration_id), ("s", progress.source_server))
            for window in self._add(_key(place.part, kind, f"{start} {subject}"), more, place.offset, progress.at)
        ]
        at = _seconds(progress.at - _EPOCH)
        self._table[key] = [*order, place.offset, messages + more[0], octets + more[1], at]
        return changed

    def _add(self, window: str, more: tuple[int, int], offset: int, at: datetime) -> Iterator[str]:
        messages, octets, last, _ = self._table.get(window) or [0, 0, -1, 0]
        if more != (0, 0) and offset > last:
            self._table[window] = [messages + more[0], octets + more[1], offset, (at - _EPOCH) // _MICROSECOND]
            yield window

    def start_of(self, at: datetime) -> int:
        """When the window of an instant begins, in seconds since 1970."""
        seconds = _seconds(at - _EPOCH)
        return seconds - seconds % self._seconds

    def event(self, window: str) -> tuple[Topic, ThroughputWindow] | None:
        """A window's running total as an event with its topic; None when the window is no longer kept."""
        total = self._table.get(window)
        if total is None:
            return None
        part, kind, start, subject = window.split(" ", 3)
        messages, octets, offset, at = total
        return KINDS[kind], ThroughputWindow(
            event_id=derive("throughput", kind, subject, part, start, offset),
            at=_EPOCH + at * _MICROSECOND,
            subject=subject,
            part=int(part),
            window_start=_EPOCH + timedelta(seconds=int(start)),
            window_seconds=self._seconds,
            messages=messages,
            octets=octets,
        )

    @staticmethod
    def part_of(key: str) -> int:
        """The partition that an entry belongs to."""
        return int(key.split(" ", 1)[0])

    def windows(self) -> list[str]:
        """The keys of every window in the table."""
        return [key for key in self._table if key.split(" ", 2)[1] in KINDS]

    def newest(self, part: int) -> int:
        """The start of the newest window of a partition, 0 when it has none."""
        mine = [key.split(" ", 3) for key in self.windows()]
        return max((int(start) for number, _, start, _ in mine if number == str(part)), default=0)

    def outdated(self, part: int, newest: int) -> list[str]:
        """The keys of a partition that nothing will change any more."""
        windows, folders = newest - _seconds(KEEP_WINDOWS), newest - _seconds(KEEP_FOLDERS)
        found = []
        for key, entry in self._table.items():
            number, kind, rest = key.split(" ", 2)
            if number == str(part):
                old = kind == _FOLDER and entry[6] < folders
                old |= kind in KINDS and int(rest.split(" ", 1)[0]) < windows
                found += [key] if old else []
        return found


_MICROSECOND = timedelta(microseconds=1)


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)


def _key(part: int, kind: str, rest: str) -> str:
    return f"{part} {kind} {rest}"
