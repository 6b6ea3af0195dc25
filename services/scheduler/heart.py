"""Every event and every due timer finds its decision here."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from mailhaul import events, vault
from mailhaul.db import SECOND, insert_missing, now
from mailhaul.errors import InvalidEvent, RequestInvalid
from mailhaul.events import Event
from mailhaul.failpoints import failpoint
from mailhaul.ids import CustomerId
from mailhaul.states import CheckState, MigrationState
from services.scheduler import checks, corrections, deletion, plans, progress, runs, stops
from services.scheduler.case import Case, Policy, open_case
from services.scheduler.completion import conclude
from services.scheduler.refusals import demand, refuse
from services.scheduler.release import recall, release
from services.scheduler.tables import migration, timer
from services.scheduler.timers import NOWHERE, Due, arm, take_due
from services.scheduler.words import RESTING, TimerKind

DECIDED = failpoint("scheduler.decided")
TICKED = failpoint("scheduler.ticked")
ORPHANS_EVERY = 60 * SECOND


class Scheduler:
    """The heart: `decide` and `tick` are whole transactions' work and yield what is to be published."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def decide(self, tx: Connection, event: Event) -> Sequence[Event]:
        """Decide about one event. Raises InvalidEvent for one that no service of ours sends here."""
        if isinstance(event, events.RowCorrected | events.RowLeftOut):
            return []  # our own word
        if not isinstance(event, events.Request | events.RowSubmitted | events.RowChecked | events.MailboxRunChanged):
            raise InvalidEvent("unexpected_event", f"the scheduler does not read {type(event).__name__}")
        case = open_case(tx, self.policy, event.migration_id, event.customer_id)
        if case["gone"]:
            return []
        _decide(case, event)
        DECIDED()
        return case.close()

    def tick(self, tx: Connection) -> Sequence[Event]:
        """Fire what is due, then release triggers."""
        at = now(tx)
        told: list[Event] = []
        for due in take_due(tx, at):
            told += self._fire(tx, due)
        told += release(tx, self.policy, at)
        TICKED()
        return told

    def prepare(self, tx: Connection) -> None:
        """Set the timer of the whole installation, whose row is also the lock of `release`."""
        orphans = {"migration_id": NOWHERE, "kind": TimerKind.ORPHANS.value, "run_no": 0, "due_at": now(tx)}
        insert_missing(tx, timer, [orphans])

    def _fire(self, tx: Connection, due: Due) -> list[Event]:
        if due.kind is TimerKind.ORPHANS:
            arm(tx, NOWHERE, TimerKind.ORPHANS, now(tx) + ORPHANS_EVERY)
            vault.shred_orphans(tx, now(tx))
            recall(tx, self.policy, now(tx))
            return []
        owner = tx.execute(
            select(migration.c.customer_id).where(migration.c.migration_id == due.migration_id)
        ).scalar_one()
        case = open_case(tx, self.policy, due.migration_id, CustomerId(owner))
        _fire(case, due)
        return case.close()


def _decide(case: Case, event: Event) -> None:
    match event:
        case events.MigrationSubmitted():
            checks.submitted(case, event)
        case events.Request():
            _answer(case, event)
        case events.RowSubmitted():
            checks.row_submitted(case, event)
        case events.RowChecked():
            if checks.verdict(case, event):
                if event.state is CheckState.PASSED:
                    runs.join(case, event.row_id)
                else:
                    conclude(case, case.run_no)
        case events.MailboxRunChanged():
            progress.changed(case, event)


def _answer(case: Case, request: events.Request) -> None:
    """Grant a request or refuse it with its reason; a refusal changes nothing."""
    try:
        demand(case, request)
        with case.attempt():
            _grant(case, request)
    except RequestInvalid as error:
        refuse(case, request, error.code)


def _grant(case: Case, request: events.Request) -> None:
    match request:
        case events.RunRequested():
            runs.start_asked(case)
        case events.RescheduleRequested():
            plans.reschedule(case, request)
        case events.PauseRequested():
            stops.pause(case)
        case events.ResumeRequested():
            stops.resume(case)
        case events.CancelRequested():
            stops.cancel(case)
        case events.RetryRequested():
            runs.retry(case, request)
        case events.CorrectRowRequested():
            corrections.correct(case, request)
        case events.LeaveOutRowRequested():
            corrections.leave_out(case, request)
        case events.RecheckRequested():
            corrections.recheck(case, request)
        case events.DeleteRequested():
            deletion.delete_asked(case)
        case _:
            raise InvalidEvent("unexpected_event", f"nobody can ask for {type(request).__name__}")


def _fire(case: Case, due: Due) -> None:
    """A timer that its migration has outlived does nothing."""
    match due.kind:
        case TimerKind.FORGET:
            deletion.forget_payloads(case)
        case TimerKind.PURGE:
            deletion.purge(case)
        case TimerKind.RUN:
            waits_for_first = case.state is MigrationState.VALID and due.run_no == 1
            waits_for_second = case.state in RESTING and due.run_no == case.run_no + 1
            if waits_for_first or waits_for_second:
                runs.start(case)
        case TimerKind.NOT_TESTED:
            checks.not_tested(case)
            conclude(case, case.run_no)
        case TimerKind.WAITING | TimerKind.SETTLED:
            conclude(case, due.run_no)
        case TimerKind.ORPHANS:
            raise AssertionError("the installation's timer has no migration")
