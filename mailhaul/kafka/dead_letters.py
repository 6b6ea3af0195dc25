"""Dead letters: a record that cannot be read or cannot be true goes aside, whole, with the reason."""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailhaul.clock import Clock
from mailhaul.errors import InvalidEvent, MailhaulError, RequestInvalid, Side
from mailhaul.kafka.bus import Bus, Headers, Message, Record
from mailhaul.kafka.codec import TYPE_PREFIX, header
from mailhaul.topics import DEAD_LETTERS, READERS

_PREFIX = "__dlq.errors."  # KIP-1191
_OURS = (_PREFIX, "error.", "handled.")
_PLACE = re.compile(r"(?P<topic>[^/]+)/(?P<partition>\d+)@(?P<offset>\d+)")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter as an operator sees it."""

    place: str  # topic/partition@offset of the letter itself
    origin: str  # the same of the record that was put aside
    service: str
    event_id: str
    event_type: str
    code: str
    side: str
    reason: str
    handled: str  # "", retried or dropped
    record: Record


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
    return Message(
        topic=DEAD_LETTERS + service,
        key=record.key,
        value=record.value,
        headers=_original(record.headers) + tuple((name, value.encode()) for name, value in why.items()),
    )


async def list_letters(bus: Bus, *, services: Sequence[str] | None = None, handled: bool = False) -> list[Letter]:
    """The letters that wait for somebody, oldest first; with `handled` also those that were retried or dropped.

    A record that was put aside twice, because its offset was not committed in time, is one letter.
    """
    names = [DEAD_LETTERS + service for service in services or READERS]
    letters: dict[tuple[str, str], Letter] = {}
    decisions: dict[str, str] = {}
    async for record in bus.scan(names):
        decided = header(record.headers, "handled.place")
        if decided:
            decisions[decided] = header(record.headers, "handled.as")
        else:
            letter = _letter(record)
            letters.setdefault((letter.service, letter.origin), letter)
    found = [_handled(letter, decisions.get(letter.place, "")) for letter in letters.values()]
    found.sort(key=lambda letter: (letter.record.appended_at, letter.place))
    return [letter for letter in found if handled or not letter.handled]


async def show_letter(bus: Bus, place: str) -> Letter:
    """One letter by `topic/partition@offset`; raises RequestInvalid when there is none."""
    match = _PLACE.fullmatch(place)
    if match is None or not match["topic"].startswith(DEAD_LETTERS):
        raise RequestInvalid("bad_place", f"{place!r} is not `{DEAD_LETTERS}SERVICE/PARTITION@OFFSET`")
    service = match["topic"].removeprefix(DEAD_LETTERS)
    if service not in READERS:
        raise RequestInvalid("bad_place", f"there is no service {service!r}")
    for letter in await list_letters(bus, services=[service], handled=True):
        if letter.place == place:
            return letter
    raise RequestInvalid("no_such_letter", f"there is no dead letter at {place}; `mailhaul dlq list` names them")


async def retry_letter(bus: Bus, place: str) -> Letter:
    """Send the original record, same bytes and same `ce_id`, to the topic it came from, and remember that."""
    letter = await _waiting(bus, place)
    await bus.publish_raw(
        [
            Message(
                topic=header(letter.record.headers, f"{_PREFIX}topic"),
                key=letter.record.key,
                value=letter.record.value,
                headers=_original(letter.record.headers),
            )
        ]
    )
    return await _remember(bus, letter, "retried")


async def drop_letter(bus: Bus, place: str) -> Letter:
    """Take a letter off the list; its bytes stay on the topic as long as its retention."""
    return await _remember(bus, await _waiting(bus, place), "dropped")


async def _waiting(bus: Bus, place: str) -> Letter:
    letter = await show_letter(bus, place)
    if letter.handled:
        raise RequestInvalid("already_handled", f"{place} was {letter.handled} before")
    return letter


async def _remember(bus: Bus, letter: Letter, decision: str) -> Letter:
    # Beside the letters, in the same partition by the same key: nothing else needs a store of its own.
    note = (("handled.place", letter.place.encode()), ("handled.as", decision.encode()))
    topic = DEAD_LETTERS + letter.service
    await bus.publish_raw([Message(topic=topic, key=letter.record.key, value=b"", headers=note)])
    return _handled(letter, decision)


def _letter(record: Record) -> Letter:
    def text(name: str) -> str:
        return header(record.headers, name)

    return Letter(
        place=record.place,
        origin=f"{text(f'{_PREFIX}topic')}/{text(f'{_PREFIX}partition')}@{text(f'{_PREFIX}offset')}",
        service=record.topic.removeprefix(DEAD_LETTERS),
        event_id=text("ce_id"),
        event_type=text("ce_type").removeprefix(TYPE_PREFIX),
        code=text("error.code"),
        side=text("error.side"),
        reason=text(f"{_PREFIX}message"),
        handled="",
        record=record,
    )


def _handled(letter: Letter, decision: str) -> Letter:
    return replace(letter, handled=decision)


def _original(headers: Headers) -> Headers:
    return tuple((name, value) for name, value in headers if not name.startswith(_OURS))
