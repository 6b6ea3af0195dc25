"""Runs: allotted, begun with every mailbox that passed, joined later, retried where they failed."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Insert,
    Integer,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy import case as choose

from mailhaul.errors import RequestInvalid
from mailhaul.events import RetryRequested, RunStarted
from mailhaul.ids import run_id as run_id_of
from mailhaul.states import CheckState, MigrationState, Scope
from services.scheduler.case import Case, others_open
from services.scheduler.completion import conclude
from services.scheduler.tables import mailbox_run, row, run
from services.scheduler.timers import arm, arm_purge, disarm
from services.scheduler.words import OPEN, Outcome, Phase, TimerKind, turn_of

_EARLIER = mailbox_run.alias("earlier")
# A mailbox whose earlier run has no outcome yet; one that was cancelled blocks nothing.
_unfinished_before = and_(
    _EARLIER.c.outcome == Outcome.OPEN.value,
    _EARLIER.c.phase.not_in([Phase.CANCELLED.value, Phase.OVER.value]),
)


def start(case: Case) -> None:
    """Begin the next run: one row of `scheduler_run`, one of `scheduler_mailbox_run` for each row that passed."""
    run_no = case.run_no + 1
    disarm(case.tx, case.id, TimerKind.RUN, run_no=run_no)
    case.tx.execute(
        insert(run).values(migration_id=case.id, run_no=run_no, run_id=run_id_of(case.id, run_no), started_at=case.at)
    )
    case.set(run_no=run_no, ended_at=None, **_planned(case, run_no))
    _leave_settling(case)
    mailboxes = _enter(case, run_no)
    arm(case.tx, case.id, TimerKind.WAITING, case.at + case.policy.waiting, run_no=run_no)
    arm_purge(case, None)
    _say_running(case, mailboxes)
    if not mailboxes:  # every row waits for its owner
        conclude(case, run_no)


def start_asked(case: Case) -> None:
    """Start the next run because somebody asked. Raises RequestInvalid(`too_many_migrations`)."""
    if case.state not in OPEN and others_open(case) >= case.policy.open_migrations:
        raise RequestInvalid("too_many_migrations", "too many migrations are open: wait until one is done")
    start(case)


def join(case: Case, row_id: str) -> None:
    """A row that passed late, or passed again after a correction, takes part in the run under way (joints 7, 8)."""
    if not case.run_no or case.state is MigrationState.CANCELLED:
        return
    known = case.tx.execute(
        select(mailbox_run.c.outcome, mailbox_run.c.phase)
        .join(row, and_(row.c.row_id == mailbox_run.c.row_id, row.c.mailbox_id == mailbox_run.c.mailbox_id))
        .where(mailbox_run.c.migration_id == case.id, mailbox_run.c.run_no == case.run_no, row.c.row_id == row_id)
    ).one_or_none()
    if known is None:
        entered = _enter(case, case.run_no, row_id)
    elif known.outcome == Outcome.FAILED or known.phase == Phase.CANCELLED:
        mine = and_(mailbox_run.c.row_id == row_id, mailbox_run.c.phase.in_([Phase.OVER.value, Phase.CANCELLED.value]))
        entered = _again(case, mine, Scope.BULK)
    else:
        return
    if entered:
        _resume_running(case)


def retry(case: Case, request: RetryRequested) -> None:
    """Try again what failed in the latest run. Raises RequestInvalid(`nothing_failed`)."""
    wanted = [mailbox_run.c.mailbox_id == request.mailbox_id] if request.mailbox_id else []
    failed = and_(mailbox_run.c.outcome == Outcome.FAILED.value, *wanted)
    messages = and_(mailbox_run.c.outcome == Outcome.REVIEW.value, mailbox_run.c.failed > 0, *wanted)
    entered = _again(case, failed, Scope.BULK) + _again(case, messages, Scope.FAILED_MESSAGES)
    if request.mailbox_id:
        waiting = and_(mailbox_run.c.phase == Phase.QUEUED.value, mailbox_run.c.outcome == "", *wanted)
        entered += _again(case, waiting, None)
    if not entered:
        raise RequestInvalid("nothing_failed", "no mailbox of the latest run has failed")
    _resume_running(case)


def unblock(case: Case, run_no: int, mailbox_id: str) -> None:
    """The mailbox's earlier run has its outcome: its next one may go (joint 21)."""
    phase = Phase.HELD if case.state is MigrationState.PAUSED else Phase.QUEUED
    following = (
        select(func.min(_EARLIER.c.run_no))
        .where(
            _EARLIER.c.migration_id == case.id,
            _EARLIER.c.mailbox_id == mailbox_id,
            _EARLIER.c.run_no > run_no,
        )
        .scalar_subquery()
    )
    case.tx.execute(
        update(mailbox_run)
        .where(
            mailbox_run.c.migration_id == case.id,
            mailbox_run.c.mailbox_id == mailbox_id,
            mailbox_run.c.run_no == following,
            mailbox_run.c.phase == Phase.BLOCKED.value,
        )
        .values(phase=phase.value, due_at=case.at)
    )


def _leave_settling(case: Case) -> None:
    """A settling that has not begun is the new run's, which settles at its start: its own trigger would be too old."""
    case.tx.execute(
        update(mailbox_run)
        .where(
            mailbox_run.c.migration_id == case.id,
            mailbox_run.c.scope == Scope.SETTLE.value,
            mailbox_run.c.phase.in_([Phase.QUEUED.value, Phase.HELD.value]),
        )
        .values(phase=Phase.OVER.value, due_at=None)
    )


def _planned(case: Case, run_no: int) -> dict[str, Any]:
    """A run that was started by hand takes the place of the planned one."""
    if run_no == 1:
        planned: dict[str, Any] = {"first_at": case.at}
        second = case.plan_of("second_plan")
        if second.mode == "offset":
            planned["second_at"] = case.at + second.offset_minutes * 60_000_000
        return planned if case["first_at"] is None or case["first_at"] > case.at else {}
    return {"second_at": min(case["second_at"] or case.at, case.at)} if run_no == 2 else {}


def _say_running(case: Case, mailboxes: int) -> None:
    run_id = run_id_of(case.id, case.run_no)
    case.say(RunStarted, MigrationState.RUNNING, run_id=run_id, run_no=case.run_no, mailboxes=mailboxes)


def _resume_running(case: Case) -> None:
    """The latest run goes on: a migration at rest is Running again."""
    if case.state in (MigrationState.RUNNING, MigrationState.PAUSED):
        return
    disarm(case.tx, case.id, TimerKind.RUN)
    case.set(ended_at=None)
    arm_purge(case, None)
    mine = and_(mailbox_run.c.migration_id == case.id, mailbox_run.c.run_no == case.run_no)
    count = select(func.count()).where(mine, mailbox_run.c.phase != Phase.CANCELLED.value)
    _say_running(case, case.tx.execute(count).scalar_one())


def _enter(case: Case, run_no: int, row_id: str | None = None) -> int:
    """Put the rows that passed (or one of them) into a run, with one statement; returns how many."""
    ready = Phase.HELD if case.state is MigrationState.PAUSED else Phase.QUEUED
    scope = Scope.FIRST if case.policy.newest_first and run_no == 1 else Scope.BULK
    values = {"of": case.id, "run": run_no, "ready": ready.value, "at": case.at, "scope": scope.value}
    values |= {"turn": turn_of(scope), "one": row_id}
    return case.tx.execute(_ENTER, values).rowcount


def _entering() -> Insert:
    """The statement of `_enter`, made once: building it took longer than running it."""
    run_no, at = bindparam("run", type_=Integer), bindparam("at", type_=BigInteger)
    one = bindparam("one", type_=Text)
    blocked = exists().where(
        _EARLIER.c.migration_id == row.c.migration_id,
        _EARLIER.c.mailbox_id == row.c.mailbox_id,
        _EARLIER.c.run_no < run_no,
        _unfinished_before,
    )
    entered = {
        "migration_id": row.c.migration_id,
        "run_no": run_no,
        "mailbox_id": row.c.mailbox_id,
        "row_id": row.c.row_id,
        "customer_id": row.c.customer_id,
        "source_server": func.lower(row.c.host),
        "phase": choose((blocked, literal(Phase.BLOCKED.value, Text)), else_=bindparam("ready", type_=Text)),
        "due_at": at,
        "scope": bindparam("scope", type_=Text),
        "turn": bindparam("turn", type_=Integer),
    }
    passed = select(*entered.values()).where(
        row.c.migration_id == bindparam("of", type_=Text),
        row.c.left_out.is_(False),
        row.c.row_version > 0,
        row.c.check_version >= row.c.row_version,
        row.c.check_state == CheckState.PASSED.value,
        or_(one.is_(None), row.c.row_id == one),
    )
    return insert(mailbox_run).from_select(list(entered), passed)


_ENTER = _entering()


def _again(case: Case, which: Any, scope: Scope | None) -> int:
    """Queue mailboxes of the latest run anew, at once; returns how many."""
    ready = Phase.HELD if case.state is MigrationState.PAUSED else Phase.QUEUED
    fresh: dict[str, Any] = {"phase": ready.value, "due_at": case.at, "failures": 0, "parked": False}
    if scope is not None:
        fresh |= {
            "scope": scope.value,
            "turn": turn_of(scope),
            "outcome": "",
            "code": "",
            "side": "",
            "grade": "",
            "settled": False,
            "settle_at": None,
        }
    mine = and_(mailbox_run.c.migration_id == case.id, mailbox_run.c.run_no == case.run_no)
    return case.tx.execute(update(mailbox_run).where(mine, which).values(**fresh)).rowcount
