"""Moves messages: pipelined FETCHes streamed into pushes, a window of batches in flight, each journalled before."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection

from mailhaul.errors import MailhaulError, ProtocolBroken, ServerRefused, Side
from mailhaul.failpoints import failpoint
from mailhaul.imap.answers import Answer, appended
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.dates import clamp_date
from mailhaul.imap.encoder import String, append_flags, line
from mailhaul.imap.fetches import Fetched
from mailhaul.imap.reader import Part, Sink
from mailhaul.imap.refusals import refusal
from mailhaul.imap.responses import parse_response
from mailhaul.imap.uids import parse_uids, split_uids
from services.copier import digests, entries
from services.copier.batches import Listed, cut, halve
from services.copier.bodies import BodyReader, discard, fetch_bodies
from services.copier.flags import keep
from services.copier.ledger import Ledger, Outcome
from services.copier.packing import MapRow
from services.copier.pushes import PUSHED, Batch, Item, Pusher, StreamingPusher, WaitingPusher
from services.copier.verdicts import Verdict, judge
from services.copier.work import Folder

INTENDING = failpoint("copier.intending")
INTENDED = failpoint("copier.intended")
WINDOW = 6
DRAIN = 5  # seconds that batches in flight are given after a stop; one that ends in time is never ambiguous


@dataclass(frozen=True, slots=True)
class Portions:
    """How much travels together."""

    messages: int = 100
    octets: int = 16 << 20
    most_octets: int = 52_428_800  # a larger message is left out


@dataclass(slots=True, eq=False)
class Lane:
    """A folder's messages under way: who asked for which UID."""

    folder: Folder
    reader: BodyReader
    expected: dict[int, Batch] = field(default_factory=dict)
    unseen: dict[int, Listed] = field(default_factory=dict)  # asked for, not sent; judged after the last FETCH


OpenTargets = Callable[[], Awaitable[Sequence[IMAPConnection]]]


class Transfer:
    """One mailbox's copying in one session. `held_up()` says why no new batch may begin, or an empty string.

    `latest` is the latest date that a message is given, in seconds since 1970.
    """

    def __init__(
        self,
        ledger: Ledger,
        source: IMAPConnection,
        target: IMAPConnection,
        *,
        portions: Portions,
        run_no: int,
        latest: int,
        held_up: Callable[[], str],
        progressed: Callable[[Folder], None],
        more_targets: OpenTargets,
    ) -> None:
        self.ledger, self.source, self.target = ledger, source, target
        self.portions, self.run_no, self.latest = portions, run_no, latest
        self.held_up, self.progressed, self.more_targets = held_up, progressed, more_targets
        self.todo: deque[Batch] = deque()
        self.finished: list[Batch] = []
        self.unplaced: list[Batch] = []
        self.flying: set[Batch] = set()
        self.window = WINDOW
        self.lanes: dict[int, Lane] = {}
        self.selected: Folder | None = None
        self.trouble: MailhaulError | None = None
        self.wake = asyncio.Event()
        self.waiting: WaitingPusher | None = None
        multi = "MULTIAPPEND" in target.capabilities
        self.stream = StreamingPusher(target, multi=multi, answered=self._answered)

    def add(self, folder: Folder, messages: Iterable[Listed]) -> None:
        """Queue messages of a folder, in the order given."""
        for part in cut(messages, self.portions.messages, self.portions.octets):
            self.todo.append(Batch(folder, part))

    async def run(self, folders: Sequence[Folder]) -> str:
        """Copy what the folders have to do; why it stopped early, or an empty string."""
        for folder in folders:
            self.add(folder, folder.todo)
        if not any(folder.waiting for folder in folders):
            return ""
        self.target.feeder = self.source
        self.source.after_read = self.stream.flush
        for connection in (self.source, self.target):
            connection.on_lost = self._lost
        try:
            if not all(folder.plus for folder in folders if folder.waiting):
                await self._wait_for_literals()
            reason = await self._pump_all()
            self.window = 1
            for folder in folders:
                self.todo.extend(Batch(folder, [message]) for message in folder.suspects)
            return reason or await self._pump_all()
        finally:
            self.source.after_read = None
            if self.waiting:
                self.waiting.close()

    async def _pump_all(self) -> str:
        while True:
            reason = await self._pump()
            if reason or not await self._look_for_unseen():
                return reason

    def under_way(self) -> list[tuple[Folder, list[int]]]:
        """What a lost session may have been lost over."""
        return [(batch.folder, batch.uids) for batch in self.flying]

    async def _wait_for_literals(self) -> None:
        connections = await self.more_targets()
        for connection in connections:
            connection.on_lost = self._lost
        self.waiting = WaitingPusher(
            connections, self.source, most_held=2 * self.portions.octets, answered=self._answered
        )

    def _lost(self, error: MailhaulError) -> None:
        self.trouble = self.trouble or error
        self.wake.set()

    async def _pump(self) -> str:
        """Until nothing is queued or in flight: what is done and what begins share one commit."""
        reason, patience = "", DRAIN
        while self.flying or self.finished or (self.todo and not reason):
            reason = reason or self.held_up()
            done, self.finished = self.finished, []
            verdicts = [judge(batch) for batch in done]
            starts = [] if reason else self._next()
            if not done and not starts:
                if patience <= 0:
                    return reason  # what is in flight will be recovered
                patience -= bool(reason)
                await self._sleep()
                continue
            for verdict in verdicts:
                self.todo.extendleft(reversed(verdict.again))
            if self.trouble is None or done:
                await self.ledger.write(self._commit, done, verdicts, starts)
            for batch, verdict in zip(done, verdicts, strict=True):
                self._account(batch, verdict)
            if self.trouble:
                raise self.trouble
            for batch in starts:
                self._begin(batch)
        return reason

    async def _sleep(self) -> None:
        """Until something happened, at most a second: `held_up` is to be asked again."""
        if self.trouble:
            raise self.trouble
        self.wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self.wake.wait()

    def _next(self) -> list[Batch]:
        if self.trouble:
            return []
        return [self.todo.popleft() for _ in range(min(len(self.todo), self.window - len(self.flying)))]

    def _pusher(self, folder: Folder) -> Pusher:
        if folder.plus:
            return self.stream
        assert self.waiting is not None
        return self.waiting

    # --- the ledger -----------------------------------------------------------------------------------------------

    def _commit(
        self, tx: Connection, done: Sequence[Batch], verdicts: Sequence[Verdict], starts: Sequence[Batch]
    ) -> None:
        INTENDING()
        for batch, verdict in zip(done, verdicts, strict=True):
            folder = batch.folder
            rows = [
                MapRow(item.uid, item.target_uid, item.date, item.size, digests.cut(item.hasher), item.flags)
                for item in batch.items
                if item.target_uid
            ]
            entries.add_rows(tx, self.ledger, folder, rows, target_validity=batch.target_validity)
            entries.drop_outcomes(tx, folder.key, folder.source.validity, [row.source_uid for row in rows])
            entries.add_outcomes(tx, self.ledger, [self._outcome(folder, *entry) for entry in verdict.outcomes])
        entries.drop_intents(tx, [batch.intent for batch in done if batch not in self.unplaced])
        for single in (False, True):
            group = [batch for batch in starts if self._pusher(batch.folder).single is single]
            begun = [(batch.folder, batch.uids, batch.folder.low) for batch in group]
            for batch, number in zip(group, entries.add_intents(tx, self.ledger, begun, single), strict=True):
                batch.intent = number

    def _outcome(self, folder: Folder, uid: int, outcome: str, code: str, octets: int) -> Outcome:
        return Outcome(folder.key, folder.source.validity, uid, outcome, code, octets, self.run_no)

    def _account(self, batch: Batch, verdict: Verdict) -> None:
        folder, tally = batch.folder, batch.folder.tally
        for item in batch.items:
            if item.target_uid:
                tally.copied += 1
                tally.left -= 1
                tally.octets_copied += item.size
                folder.progressed = True
        for _, outcome, _, _ in verdict.outcomes:
            setattr(tally, outcome, getattr(tally, outcome) + 1)
            tally.left -= 1
        lane = self._lane(folder)
        lane.unseen.update({message.uid: message for message in batch.listed if message.uid in verdict.unseen})
        self.trouble = self.trouble or verdict.trouble
        self.progressed(folder)

    # --- the source -----------------------------------------------------------------------------------------------

    def _lane(self, folder: Folder) -> Lane:
        lane = self.lanes.get(folder.key)
        if lane is None:
            expected: dict[int, Batch] = {}
            lane = Lane(folder, BodyReader(partial(self._open, expected)), expected)
            self.lanes[folder.key] = lane
        return lane

    def _begin(self, batch: Batch) -> None:
        INTENDED()
        self.flying.add(batch)
        lane = self._lane(batch.folder)
        if self.selected is not batch.folder:
            self.selected = batch.folder
            examine(self.source, batch.folder)
        lane.expected.update(dict.fromkeys(batch.uids, batch))
        parts = list(split_uids(batch.uids))
        batch.fetches = len(parts)
        for part in parts:
            fetch_bodies(self.source, part, lane.reader, partial(self._fetched, lane, batch))

    def _open(self, expected: dict[int, Batch], fetched: Fetched, size: int) -> Sink:
        """A body begins. Its batch is found by folder and UID: servers answer later FETCHes early."""
        batch = expected.pop(fetched.uid or 0, None)
        if batch is None:
            return discard
        uid = fetched.uid or 0
        if not size:
            batch.empty.add(uid)
            return discard
        if size > self.portions.most_octets:
            batch.too_large.append((uid, size))
            return discard
        folder = batch.folder
        date = fetched.date
        if date is None:
            date = next((message.date for message in batch.listed if message.uid == uid), None)
        flags = keep(append_flags(fetched.flags or b"", folder.permanent), folder.proven)
        # A date that is still to come would be replaced by the present, and no recovery would know the message again.
        item = Item(uid, size, min(clamp_date(date or 0), self.latest), flags)
        batch.items.append(item)
        return self._pusher(folder).open(batch, item)

    def _fetched(self, lane: Lane, batch: Batch, answer: Answer) -> None:
        batch.fetches -= 1
        if not answer.ok:
            batch.unread = answer
        if not batch.fetches:
            for uid in batch.uids:
                lane.expected.pop(uid, None)
            self._pusher(batch.folder).end(batch)
            self._close(batch)

    # --- the destination ------------------------------------------------------------------------------------------

    def _answered(self, batch: Batch, items: list[Item], answer: Answer) -> None:
        PUSHED()
        batch.open_pushes -= 1
        if answer.ok:
            for item in items:
                item.stored = True
            self._place(batch, items, answer)
        else:
            batch.refused.append((answer, items))
            if answer.status == "BAD" and batch.folder.plus:
                # What follows the refused announcement may be run as commands: not one octet more.
                text = "the destination answered BAD to a pipelined APPEND"
                self.target.fail(ServerRefused("append_bad", text, side=Side.DESTINATION, retryable=True))
                return
        self._close(batch)

    def _place(self, batch: Batch, items: list[Item], answer: Answer) -> None:
        found = appended(answer)
        if found is None:
            self.unplaced.append(batch)
            return
        batch.target_validity, uids = found[0], found[1]
        try:
            numbers = parse_uids(uids, len(items))
        except ValueError:
            numbers = []
        if len(numbers) != len(items):
            self.unplaced.append(batch)
            return
        for item, number in zip(items, numbers, strict=True):
            item.target_uid = number
        batch.folder.low = max(batch.folder.low, max(numbers) + 1)

    def _close(self, batch: Batch) -> None:
        if batch.fetches or batch.open_pushes:
            return
        self.flying.discard(batch)
        self.finished.append(batch)
        self.wake.set()

    # --- messages that were asked for and not sent ------------------------------------------------------------------

    async def _look_for_unseen(self) -> bool:
        """Ask again for what did not come, one by one; what is gone is `vanished`. True: there is more to copy."""
        again = False
        for lane in self.lanes.values():
            if not lane.unseen:
                continue
            unseen, lane.unseen = lane.unseen, {}
            there = await self._still_there(lane.folder, list(unseen))
            outcomes = []
            for uid, message in sorted(unseen.items()):
                if uid not in there:
                    outcomes.append(self._outcome(lane.folder, uid, "vanished", "vanished", message.size))
                else:
                    self.todo.append(Batch(lane.folder, [message], tries=1))
                    again = True
            await self.ledger.write(entries.add_outcomes, self.ledger, outcomes)
            lane.folder.tally.vanished += len(outcomes)
            lane.folder.tally.left -= len(outcomes)
        return again

    async def _still_there(self, folder: Folder, uids: list[int]) -> set[int]:
        if self.selected is not folder:
            self.selected = folder
            examine(self.source, folder)
        found: set[int] = set()

        def take(parts: list[Part]) -> bool:
            response = parse_response(parts)
            if isinstance(response, Fetched) and response.uid is not None:
                found.add(response.uid)
                return True
            return False

        for part in split_uids(uids):
            await self.source.command(b"UID FETCH %b (UID FLAGS)" % part, on_untagged=take)
        return found


def examine(source: IMAPConnection, folder: Folder) -> None:
    """EXAMINE, not waited for; another UIDVALIDITY than the plan's ends the session before one octet is believed."""

    def take(parts: list[Part]) -> bool:
        response = parse_response(parts)
        if isinstance(response, Answer) and response.code == "UIDVALIDITY":
            if response.argument != b"%d" % folder.source.validity:
                text = "the source gave a folder a new UIDVALIDITY while it was copied"
                source.fail(ProtocolBroken("uidvalidity_changed", text, side=Side.SOURCE, retryable=True))
            return True
        return False

    def done(answer: Answer) -> None:
        if not answer.ok:
            error = refusal(answer, "EXAMINE", Side.SOURCE, source.shown(answer.text))
            error.retryable = True  # its owner removed it since the plan: the next attempt plans without it
            source.fail(error)

    source.command(line(b"EXAMINE", String(folder.source_name)), on_untagged=take, on_done=done, barrier=True)


__all__ = ["Portions", "Transfer", "examine", "halve"]
