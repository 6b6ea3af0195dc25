"""Dead letters: a record that cannot be read or cannot be true goes aside, whole, with the reason."""

from collections import deque
from dataclasses import dataclass

from mailhaul.clock import Clock
from mailhaul.errors import InvalidEvent, MailhaulError, Side
from mailhaul.kafka.bus import Bus, Message, Record
from mailhaul.topics import DEAD_LETTERS

_PREFIX = "__dlq.errors."


class TooManyDeadLetters(MailhaulError):
    """So many records in a row, or in a minute, cannot be read that the reader is the likelier fault: it stops."""

    def __init__(self, text: str) -> None:
        super().__init__("too_many_dead_letters", text, side=Side.PLATFORM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Most dead letters without one good record in between, and most in a minute."""

    in_a_row: int = 50
    a_minute: int = 200


class DeadLetterSink:
    """Where one service's run loop puts them, within the limit."""

    def __init__(self, bus: Bus, *, clock: Clock, limit: Limit | None = None) -> None:
        self._bus = bus
        self._clock = clock
        self._limit = limit or Limit()
        self._in_a_row = 0
        self._recent: deque[float] = deque()

    def good(self) -> None:
        """A record was read: the row is broken."""
        self._in_a_row = 0

    async def put(self, record: Record, error: InvalidEvent) -> None:
        """Publish the record aside and wait for the acknowledgement; over the limit nothing is sent and it raises."""
        self._count(record)
        await self._bus.publish_raw([dead_letter(record, error, service=self._bus.service)])

    def _count(self, record: Record) -> None:
        instant = self._clock.monotonic()
        while self._recent and self._recent[0] <= instant - 60.0:
            self._recent.popleft()
        if self._in_a_row >= self._limit.in_a_row or len(self._recent) >= self._limit.a_minute:
            raise TooManyDeadLetters(
                f"{self._in_a_row} records in a row and {len(self._recent)} within a minute cannot be read, "
                f"the next is {record.place}: the reader is likelier at fault than they are"
            )
        self._in_a_row += 1
        self._recent.append(instant)


def dead_letter(record: Record, error: InvalidEvent, *, service: str) -> Message:
    """The original bytes, key and headers, plus where they stood and why they were put aside."""
    why = {
        f"{_PREFIX}topic": record.topic,
        f"{_PREFIX}partition": str(record.partition),
        f"{_PREFIX}offset": str(record.offset),
        f"{_PREFIX}group": service,
        f"{_PREFIX}delivery.count": "1",
        f"{_PREFIX}message": error.text,
        "error.code": error.code,
        "error.side": str(error.side),
    }
    kept = tuple((name, value) for name, value in record.headers if name not in why)
    return Message(
        topic=DEAD_LETTERS + service,
        key=record.key,
        value=record.value,
        headers=kept + tuple((name, value.encode()) for name, value in why.items()),
    )
