"""Which offset of a partition may be committed while its records finish in any order."""

import heapq


class OffsetTracker:
    """Delivered and unfinished offsets of one partition, since the last assignment."""

    __slots__ = ("_heap", "_open", "_position", "committed")

    def __init__(self) -> None:
        self.committed: int | None = None
        self._position: int | None = None
        self._heap: list[int] = []
        self._open: set[int] = set()

    def delivered(self, offset: int) -> None:
        """A record came in; the same one again changes nothing while it is unfinished."""
        if offset not in self._open:
            heapq.heappush(self._heap, offset)
            self._open.add(offset)
        self._position = max(self._position or 0, offset + 1)

    def finished(self, offset: int) -> None:
        """Its work is done; unknown offsets are of an earlier assignment."""
        self._open.discard(offset)

    @property
    def unfinished(self) -> int:
        return len(self._open)

    @property
    def committable(self) -> int | None:
        """The lowest unfinished offset, else the next to be delivered; None before the first delivery.

        Only delivered offsets count, so gaps left by retention or compaction do not hold it back.
        """
        while self._heap and self._heap[0] not in self._open:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else self._position

    @property
    def due(self) -> int | None:
        """What to commit now, or None when that was committed before."""
        offset = self.committable
        return None if offset == self.committed else offset
