"""The copier's heart: takes one trigger and yields what happens, until its answer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Connection

from mailhaul import budget, directory, ids
from mailhaul.clock import Clock
from mailhaul.db import SECOND, Database, from_microseconds, now
from mailhaul.dial import DialPolicy
from mailhaul.errors import Fenced, MailhaulError, SecretUnavailable, Side, Throttled
from mailhaul.events import Endpoint, Event, MailboxStopRequested, MigrationDeleted, RunTriggered
from mailhaul.failpoints import failpoint
from mailhaul.folders.rules import folder_rules
from mailhaul.kafka.bus import Message
from mailhaul.kafka.codec import encode
from mailhaul.kafka.keyed_consumer import Occupied
from mailhaul.settings import PlatformSettings, Settings
from mailhaul.signin.credentials import Credentials, MasterStyle
from mailhaul.states import Change, Scope
from mailhaul.vault import Binding, Opener
from services.copier import ledger as books
from services.copier import runs
from services.copier.control import CONTINUE, LEASE_LOST, THROTTLED, Control, Work
from services.copier.lease import Worker
from services.copier.mailbox import LEASED, Attempt, Job, Result
from services.copier.scope import FIRST_SECONDS, Selection
from services.copier.session import Access
from services.copier.telling import Teller, Trouble
from services.copier.transfer import Portions
from services.copier.work import Folder

TAKING_UP = failpoint("copier.trigger_taking_up")
ANSWERING = failpoint("copier.answering")
ANSWERED = failpoint("copier.answered")
SERVICE = "copier"
SERVER_WAIT = 60.0  # seconds a server is left alone that asked for patience without naming a time
QUOTA_WAIT = 3600.0  # room is made by people


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """How either side is reached, from the settings."""

    source: DialPolicy
    target: DialPolicy
    platform: PlatformSettings


class Heart:
    """Handles RunTriggered, MailboxStopRequested and MigrationDeleted; everything else is no business of its."""

    def __init__(
        self,
        database: Database,
        worker: Worker,
        control: Control,
        opener: Opener,
        ends: Ends,
        settings: Settings,
        clock: Clock,
        rng: Random,
    ) -> None:
        self.database, self.worker, self.control, self.opener = database, worker, control, opener
        self.ends, self.settings, self.clock, self.rng = ends, settings, clock, rng

    async def handle(self, event: Event) -> AsyncIterator[Event | Message]:
        match event:
            case RunTriggered():
                async for item in self._triggered(event):
                    yield item
            case MailboxStopRequested():
                await self.database.write(runs.stop, event)
            case MigrationDeleted():
                await self.database.write(runs.forget, event.migration_id)
            case _:
                return

    # --- a trigger ------------------------------------------------------------------------------------------------

    async def _triggered(self, trigger: RunTriggered) -> AsyncIterator[Event | Message]:
        TAKING_UP()
        standing = await self.database.write(_take_up, trigger)
        if standing.old:
            return
        teller = Teller(trigger, self.clock)
        if standing.answer:
            for outcome in await self._outcomes(teller):
                yield outcome
            for message in standing.answer:
                yield message
            return
        work = Work(trigger.mailbox_id, trigger.migration_id, trigger.customer_id, teller.server)
        if standing.stopped:
            answer = teller.changed(Change.STOPPED, reason=standing.stopped)
        else:
            try:
                job = await self.database.write(self._prepare, trigger)
            except MailhaulError as error:
                answer = teller.changed(_failed(trigger), trouble=_trouble(error))
            else:
                async for item in self._run(trigger, teller, job, work):
                    yield item
                return
        for message in await self._answer(trigger, [answer], None):
            yield message

    def _prepare(self, tx: Connection, trigger: RunTriggered) -> Job:
        """The job with its opened secret. Raises what no retry can help."""
        domain = trigger.destination.rpartition("@")[2]
        if not directory.granted(tx, trigger.customer_id, domain):
            text = "the destination's domain is not granted to this customer"
            raise MailhaulError("domain_not_granted", text, side=Side.REQUEST)
        platform = self.ends.platform
        if not platform.master_user:
            text = "no master user of the destination platform is configured"
            raise MailhaulError("no_destination_access", text, side=Side.PLATFORM)
        if not trigger.secret_ref:
            raise SecretUnavailable("credentials_missing", "the owner has yet to give the password", side=Side.REQUEST)
        binding = Binding.of_row(
            customer_id=trigger.customer_id,
            migration_id=trigger.migration_id,
            row_id=trigger.row_id,
            source=trigger.source,
            source_user=trigger.source_user,
            master_user=trigger.master_user,
        )
        secret = self.opener.open(tx, trigger.secret_ref, binding)
        pair_id = pair_of(trigger)
        runs.claim(tx, pair_id, trigger.migration_id)
        source = Credentials(trigger.source_user, secret.get_secret_value(), trigger.master_user)
        return self._job(trigger, pair_id, Access(trigger.source, source, self.ends.source))

    def _job(self, trigger: RunTriggered, pair_id: str, source: Access) -> Job:
        platform, copier, rules = self.ends.platform, self.settings.copier, trigger.rules
        target = Credentials(
            trigger.destination,
            platform.master_password.get_secret_value(),
            platform.master_user,
            MasterStyle(platform.master_style),
            platform.master_separator,
        )
        since = int(self.clock.now().timestamp()) - FIRST_SECONDS
        return Job(
            mailbox_id=trigger.mailbox_id,
            pair_id=pair_id,
            source=source,
            target=Access(Endpoint(host=platform.host, port=platform.port, tls=platform.tls), target, self.ends.target),
            rules=folder_rules(
                rules.skip_folders,
                rules.translations,
                include_trash=rules.include_trash,
                include_junk=rules.include_junk,
            ),
            portions=Portions(copier.batch_messages, copier.batch_octets, rules.max_octets),
            run_no=trigger.run_no,
            surplus=trigger.surplus,
            settle_after=int(copier.settle_after * SECOND),
            connections=platform.connections_per_mailbox,
            settle_only=trigger.scope is Scope.SETTLE,
            selection=Selection(trigger.scope, trigger.folder_id, since),
        )

    async def _run(self, trigger: RunTriggered, teller: Teller, job: Job, work: Work) -> AsyncIterator[Event | Message]:
        """Let the engine work in a task of its own, and pass on what it reports."""
        limit = self.settings.source.connections_per_server
        if not await self.database.write(_connect, work.server, self.worker, limit):
            for message in await self._answer(trigger, *self._park(teller, THROTTLED, self._soon(5.0), Result())):
                yield message
            return
        said: asyncio.Queue[Event | None] = asyncio.Queue()
        reporter = Reporter(teller, said, self.clock, self.settings.copier.progress_seconds)
        attempt = Attempt(job, self.worker, reporter, self.control.watch(work))
        running = asyncio.create_task(attempt.run())
        running.add_done_callback(lambda _: said.put_nowait(None))
        try:
            while (item := await said.get()) is not None:
                yield item
            answers, until = await self._result(trigger, teller, work, running)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await asyncio.shield(self.database.write(budget.release, work.server, self.worker.owner, 1))
        if until is None:
            for outcome in await self._outcomes(teller):
                yield outcome
        for message in await self._answer(trigger, answers, until):
            yield message

    async def _result(
        self, trigger: RunTriggered, teller: Teller, work: Work, running: "asyncio.Task[Result]"
    ) -> tuple[list[Event], datetime | None]:
        """The closing events of a run, and until when it is parked."""
        progressed = False
        try:
            result = running.result()
        except Fenced as error:
            # Another worker has the mailbox; whoever has the record will hear of it there.
            raise Occupied(error.text) from error
        except Throttled as error:
            return await self._patience(teller, work, error)
        except MailhaulError as error:
            progressed = any(folder.progressed for folder in teller.folders)
            answer = teller.changed(
                _failed(trigger), trouble=_trouble(error), until=error.retry_at, progressed=progressed
            )
            return [*self._finals(teller, final=False), answer], None
        if result.reason in (LEASED, LEASE_LOST):
            raise Occupied(f"the lease of mailbox {trigger.mailbox_id} is held elsewhere")
        if result.reason == CONTINUE:
            return self._park(teller, CONTINUE, self.clock.now(), result)
        if result.reason == THROTTLED:
            return self._park(teller, THROTTLED, self._soon(5.0), result)
        if result.reason:
            answer = teller.changed(Change.STOPPED, reason=result.reason, progressed=result.progressed)
            return [*self._finals(teller, final=False), answer], None
        settling = trigger.scope is Scope.SETTLE
        if settling and result.settle_at is not None:
            return self._park(teller, CONTINUE, from_microseconds(result.settle_at), result)
        whole = trigger.scope in (Scope.BULK, Scope.SETTLE)
        return [*self._finals(teller, final=whole), teller.finished(result, settling=settling)], None

    def _finals(self, teller: Teller, *, final: bool) -> list[Event]:
        return [teller.progressed(folder, final=final) for folder in teller.folders]

    def _park(
        self, teller: Teller, reason: str, until: datetime, result: Result
    ) -> tuple[list[Event], datetime | None]:
        answer = teller.changed(Change.PARKED, reason=reason, until=until, progressed=result.progressed)
        return [*self._finals(teller, final=False), answer], until

    async def _patience(self, teller: Teller, work: Work, error: Throttled) -> tuple[list[Event], datetime | None]:
        """A source is parked whole and once (joint 14); a destination without room parks this mailbox alone."""
        progressed = any(folder.progressed for folder in teller.folders)
        asked = error.back_off or 0.0
        if error.side is Side.SOURCE:
            wait = int(max(asked, SERVER_WAIT) * SECOND)
            until = from_microseconds(await self.database.write(self._park_server, work.server, wait, error.code))
            reason = THROTTLED
        else:
            quota = error.code == "over_quota"
            until = self._soon(max(asked, QUOTA_WAIT if quota else SERVER_WAIT))
            reason = "over_quota" if quota else THROTTLED
        trouble = _trouble(error)
        answer = teller.changed(Change.PARKED, reason=reason, until=until, trouble=trouble, progressed=progressed)
        return [*self._finals(teller, final=False), answer], until

    def _park_server(self, tx: Connection, server: str, wait: int, code: str) -> int:
        return budget.park(tx, server, wait, code, self.rng, now(tx))

    def _soon(self, seconds: float) -> datetime:
        return self.clock.now() + timedelta(seconds=seconds * self.rng.uniform(1.0, 1.5))

    # --- answers --------------------------------------------------------------------------------------------------

    async def _answer(
        self, trigger: RunTriggered, events: Sequence[Event], until: datetime | None
    ) -> Sequence[Message]:
        messages = [encode(event, source=SERVICE) for event in events]
        ANSWERING()
        await self.database.write(runs.answer, trigger, messages, until)
        ANSWERED()
        return messages

    async def _outcomes(self, teller: Teller) -> list[Event]:
        """Every message that the account does not count as moved; said again at a redelivery, under the same ids."""
        trigger = teller.trigger
        found = await self.database.read(books.outcomes_of_pair, pair_of(trigger))
        return [teller.outcome(ids.folder_id(trigger.mailbox_id, name), each) for name, each in found]


@dataclass(slots=True)
class Reporter:
    """Passes the engine's reports on: at most one record per folder and so many seconds."""

    teller: Teller
    said: "asyncio.Queue[Event | None]"
    clock: Clock
    seconds: float
    last: dict[str, float] = field(default_factory=dict)

    def planned(self, folders: Sequence[Folder], epoch: int) -> None:
        self.teller.epoch, self.teller.folders = epoch, list(folders)
        self.said.put_nowait(self.teller.started())
        for event in self.teller.planned(folders):
            self.said.put_nowait(event)

    def progressed(self, folder: Folder) -> None:
        at = self.clock.monotonic()
        last = self.last.get(folder.folder_id)
        if last is None or at - last >= self.seconds:
            self.last[folder.folder_id] = at
            self.said.put_nowait(self.teller.progressed(folder))


def _take_up(tx: Connection, trigger: RunTriggered) -> runs.Standing:
    standing = runs.take_up(tx, trigger)
    if standing.old or standing.answer or standing.stopped:
        return standing
    # A stop stands first in SQL (joint 9): what has not begun is told by the table itself, not by the last renewal.
    reason = budget.stops(tx).reason(
        mailbox=trigger.mailbox_id,
        migration=trigger.migration_id,
        customer=trigger.customer_id,
        server=trigger.source.host.lower(),
    )
    return replace(standing, stopped=reason or "")


def pair_of(trigger: RunTriggered) -> str:
    """The pair of accounts whose ledger it is (joint 1): source account and destination account."""
    return ids.derive("pair", trigger.source.host.lower(), trigger.source_user, trigger.mailbox_id)


def _connect(tx: Connection, server: str, worker: Worker, limit: int) -> int:
    return budget.acquire(tx, server, worker.owner, 1, limit, worker.lease, now(tx))


def _failed(trigger: RunTriggered) -> Change:
    return Change.SETTLED if trigger.scope is Scope.SETTLE else Change.FINISHED


def _trouble(error: MailhaulError) -> Trouble:
    return Trouble(side=str(error.side), code=error.code, detail=error.server_text, retryable=error.retryable)
