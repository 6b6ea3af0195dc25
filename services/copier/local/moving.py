"""Moves the mailboxes of one command: tries again while that can help, waits visibly, stops when asked to."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random

from mailhaul.clock import Clock
from mailhaul.db import SECOND, from_microseconds
from mailhaul.errors import Fenced, MailhaulError
from mailhaul.retry import GiveUp, Policy, decide
from mailhaul.statement import COMPLETE, grade
from mailhaul.states import Grade
from services.copier.lease import Worker
from services.copier.local import AGAIN, DONE, FAILED
from services.copier.local.jobs import Order
from services.copier.mailbox import LEASED, Attempt, Report, Result
from services.copier.work import Folder, Tally

STOPPED = "stopped"
RETRIES = Policy(failures=6, base=1.0, cap=30.0)


@dataclass(slots=True)
class Move:
    """What became of a mailbox; `code` is the exit code it asks for."""

    order: Order
    state: str = "waiting"
    code: int = AGAIN
    result: Result = field(default_factory=Result)
    error: MailhaulError | None = None
    until: datetime | None = None
    folders: list[Folder] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    grade: Grade | None = None


@dataclass(slots=True)
class Mover:
    """Runs every order, so many at once."""

    worker: Worker
    clock: Clock
    rng: Random
    max_wait: float
    stop: asyncio.Event
    changed: Callable[[Move], None]

    async def run(self, orders: Sequence[Order], at_once: int) -> list[Move]:
        """All moves, in the order given; two of one destination one after the other."""
        slots = asyncio.Semaphore(at_once)
        locks = {order.job.mailbox_id: asyncio.Lock() for order in orders}
        moves = [Move(order) for order in orders]

        async def one(move: Move) -> None:
            async with locks[move.order.job.mailbox_id], slots:
                await self._move(move)

        renewing = asyncio.create_task(self._renew())
        moving = [asyncio.create_task(one(move)) for move in moves]
        try:
            # A worker that cannot renew its leases must not go on: its failure is the command's.
            pending = {renewing, *moving}
            while pending != {renewing} and not renewing.done():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in (renewing, *moving):
                task.cancel()
            await asyncio.gather(renewing, *moving, return_exceptions=True)
        return moves

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self.worker.lease / SECOND / 3))
            await self.worker.renew()

    async def _move(self, move: Move) -> None:
        failures, waited = 0, 0.0
        while not self.stop.is_set():
            move.state = "moving"
            self.changed(move)
            try:
                move.result = await self._attempt(move).run()
                move.error = None
            except MailhaulError as error:
                move.error = error
                failures = 1 if move.result.progressed else failures + 1
            wait = self._judge(move, failures)
            if wait is None:
                return
            if waited + wait > self.max_wait:
                move.state, move.code = "waiting", AGAIN
                self.changed(move)
                return
            waited = 0.0 if move.result.progressed else waited + wait
            move.until = self.clock.now()
            await self._sleep(move, wait)

    def _attempt(self, move: Move) -> Attempt:
        return Attempt(
            move.order.job, self.worker, Teller(move, self.changed), lambda: STOPPED if self.stop.is_set() else ""
        )

    def _judge(self, move: Move, failures: int) -> float | None:
        """Seconds until the next attempt, None when there is none; sets the state of the move."""
        if move.error is not None:
            return self._after(move, move.error, failures)
        result = move.result
        if result.reason == LEASED:
            move.state = "leased"
            return 1.0
        move.tally, move.folders = result.tally, result.folders
        if result.reason:
            move.state, move.code = result.reason, AGAIN
        elif result.settle_at is not None and move.order.job.settle_only:
            move.state = "settling"
            return max(0.1, (from_microseconds(result.settle_at) - self.clock.now()).total_seconds() + 0.05)
        else:
            move.grade = grade(result.tally.account())
            move.state = "settled" if move.order.job.settle_only else "done"
            move.code = DONE if move.grade in COMPLETE or move.order.job.settle_only else FAILED
        self.changed(move)
        return None

    def _after(self, move: Move, error: MailhaulError, failures: int) -> float | None:
        decision = decide(error, failures, self.clock.now(), self.rng, RETRIES)
        if isinstance(error, Fenced) or isinstance(decision, GiveUp):
            move.state, move.code = "failed", FAILED if not error.retryable else AGAIN
            self.changed(move)
            return None
        move.state, move.until = "retrying", decision.at
        return max(0.0, (decision.at - self.clock.now()).total_seconds())

    async def _sleep(self, move: Move, seconds: float) -> None:
        self.changed(move)
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return


@dataclass(slots=True)
class Teller(Report):
    """Keeps a move's numbers up to date while it goes on."""

    move: Move
    changed: Callable[[Move], None]

    def planned(self, folders: Sequence[Folder], epoch: int) -> None:
        self.move.folders = list(folders)
        self.changed(self.move)

    def progressed(self, folder: Folder) -> None:
        self.changed(self.move)


def settle_only(order: Order) -> Order:
    """The same mailbox, to be settled and not copied."""
    return replace(order, job=replace(order.job, settle_only=True))
