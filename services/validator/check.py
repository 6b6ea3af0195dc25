"""One check from end to end, the same for the service and for `mailhaul check`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from mailhaul.clock import Clock
from mailhaul.dial import DialPolicy
from mailhaul.errors import InvalidEvent, MailhaulError, Side, SignInRefused, Throttled, Unreachable
from mailhaul.events import Endpoint, Rules
from mailhaul.folders import Tree
from mailhaul.ids import MigrationId
from mailhaul.imap import commands
from mailhaul.signin.credentials import Credentials
from mailhaul.signin.imap import open_session
from mailhaul.states import CheckState
from services.validator import source
from services.validator.allowance import Allowance, Unlimited
from services.validator.destination import Destination, Target
from services.validator.gate import Gate
from services.validator.inventory import Held, Inventory, fits
from services.validator.verdict import NOT_TESTED, WAITING_FOR_OWNER, Verdict, failed

# A server that hangs up or asks for patience is asked again before its row fails; one that cannot be reached is not.
AGAIN = frozenset({"disconnected", "stalled", "throttled", "server_unavailable", "server_limit", "mailbox_in_use"})
PAUSES = (1.0, 5.0)
# What a server may count against us and lock us out for; a mechanism that is missing is none of it.
REFUSED = frozenset({"sign_in_refused", "authorization_refused", "password_expired", "contact_admin"})
PATIENCE = 600.0  # seconds for one row, well below the scheduler's own limit
T = TypeVar("T")
NOWHERE = Target(Tree(folders=()), Held(quota={}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked; `password` None: its owner has yet to give it."""

    migration: MigrationId
    asked_at: datetime
    destination: str
    source: Endpoint
    source_user: str
    master_user: str
    password: str | None = field(repr=False)
    rules: Rules

    @property
    def server(self) -> str:
        return self.source.host.lower()


class Checker:
    """Checks rows; `destination` None leaves the destination out (a check without a platform)."""

    def __init__(
        self,
        policy: DialPolicy,
        destination: Destination | None,
        gate: Gate,
        clock: Clock,
        allowance: Allowance | None = None,
    ) -> None:
        self._policy, self._destination, self._gate, self._clock = policy, destination, gate, clock
        self._allowance = allowance or Unlimited()

    async def check(self, subject: Subject) -> Verdict:
        """The verdict; every failure of the row is one, nothing of it is raised."""
        async with self._gate.turn(subject.server):
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._check(subject)
            except InvalidEvent:
                raise
            except MailhaulError as error:
                return failed(error)
            except TimeoutError:
                return failed(Unreachable("stalled", "the check took too long", side=Side.SOURCE))

    async def _check(self, subject: Subject) -> Verdict:
        target = NOWHERE
        if self._destination is not None:
            target = await self._patiently(lambda: self._look(subject.destination))
        if subject.password is None:
            return WAITING_FOR_OWNER
        if self._gate.halted(subject.migration, subject.server, subject.asked_at):
            return NOT_TESTED
        if (error := self._gate.dead(subject.source, subject.asked_at)) is not None:
            return failed(error)
        pinned, inventory = await self._patiently(lambda: self._survey(subject, target.tree))
        passed = Verdict(state=CheckState.PASSED, pinned_address=pinned, inventory=inventory)
        if fits(inventory, target.held):
            return passed
        return replace(passed, state=CheckState.FAILED, side=Side.DESTINATION.value, code="no_room")

    async def _look(self, address: str) -> Target:
        assert self._destination is not None
        return await self._destination.look(address)

    async def _survey(self, subject: Subject, tree: Tree) -> tuple[str, Inventory]:
        """The address that answered, and what is in the mailbox."""
        async with self._allowance.connection(subject.server):
            try:
                return await self._inside(subject, tree)
            except Throttled as error:
                await self._allowance.park(subject.server, error)
                raise

    async def _inside(self, subject: Subject, tree: Tree) -> tuple[str, Inventory]:
        who = Credentials(subject.source_user, subject.password or "", subject.master_user)
        try:
            connection = await open_session(subject.source, who, self._policy, side=Side.SOURCE)
        except SignInRefused as error:
            self._gate.reached(subject.source)
            if error.code in REFUSED:
                self._gate.refused(subject.migration, subject.server)
            raise
        except MailhaulError as error:
            self._gate.unreachable(subject.source, error)
            raise
        self._gate.reached(subject.source)
        self._gate.accepted(subject.migration, subject.server)
        try:
            return connection.peer_address, await source.survey(connection, subject.rules, tree)
        finally:
            await commands.logout(connection, patience=1.0)

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """Again after a pause where that may help; the server's own words are longer than a check may last."""
        for pause in PAUSES:
            try:
                return await step()
            except MailhaulError as error:
                if error.code not in AGAIN:
                    raise
            await self._clock.sleep(pause)
        return await step()
