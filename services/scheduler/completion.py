"""The end of a run: counted, told with its advice, and told again when its outcome changes (joints 21 to 23)."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, select, update

from mailhaul.db import from_microseconds
from mailhaul.events import MigrationFinished, MigrationRescheduled, RunEnded, RunFinished
from mailhaul.ids import RunId, derive, run_id
from mailhaul.states import Advice, CheckState, Grade, MigrationState
from services.scheduler.case import Case
from services.scheduler.notices import notify
from services.scheduler.rules import Tally, advice, resting_state
from services.scheduler.tables import mailbox_run, row, run
from services.scheduler.timers import arm, arm_purge, arm_runs, disarm
from services.scheduler.words import RESTING, Outcome, Phase, TimerKind

_HINDERED = frozenset({CheckState.FAILED, CheckState.NOT_TESTED})
SUMS: tuple[str, ...] = ("found", "copied", "already_there", "skipped", "vanished", "failed", "left")
SUMS += ("octets_copied", "removed_by_owner")


@dataclass(frozen=True, slots=True)
class Result:
    """A run that is over, as it is told."""

    tally: Tally
    sums: dict[str, int]
    mailboxes: int
    domains: tuple[str, ...]
    failed: tuple[str, ...]
    waiting: tuple[str, ...]
    review: tuple[str, ...]


def conclude(case: Case, run_no: int) -> None:
    """Tell the outcome of a run when nothing in it is open any more, and leave the migration in its resting state."""
    if case.state not in RESTING | {MigrationState.RUNNING} or not run_no:
        return
    standing = case.tx.execute(select(run).where(run.c.migration_id == case.id, run.c.run_no == run_no)).one()
    boxes = _boxes(case, run_no)
    patient = case.at < standing.started_at + case.policy.waiting
    if any(_holds_open(box, patient=patient) for box in boxes) or _still_settling(case, run_no, boxes):
        return
    disarm(case.tx, case.id, TimerKind.SETTLED, run_no=run_no)
    result = _result(case, run_no, boxes)
    latest = run_no == case.run_no
    if latest:
        _move_overtaken(case)
    told = _tell(case, standing, result, last=latest and not _another_planned(case))
    if latest and (told or case.state is MigrationState.RUNNING):
        rest(case, result.tally)


def rest(case: Case, tally: Tally | None = None) -> None:
    """Say the state that the latest run leaves, once."""
    if tally is None:
        tally = _result(case, case.run_no, _boxes(case, case.run_no)).tally
    planned = _another_planned(case)
    state = resting_state(tally, run_no=case.run_no, another_planned=planned)
    if planned:
        if state is not case.state:
            case.say(RunEnded, state, run_id=run_id(case.id, case.run_no), run_no=case.run_no)
        arm_purge(case, None)
    else:
        ended = case["ended_at"] or case.at
        case.set(ended_at=ended)
        purge_at = from_microseconds(arm_purge(case, ended))
        case.say(MigrationFinished, state, grade=tally.grade, purge_at=purge_at)
    arm_runs(case)


def _another_planned(case: Case) -> bool:
    return case.run_no == 1 and case["second_at"] is not None


def _boxes(case: Case, run_no: int) -> list[Row[Any]]:
    query = (
        select(mailbox_run, row.c.destination)
        .join(row, row.c.row_id == mailbox_run.c.row_id)
        .where(
            mailbox_run.c.migration_id == case.id,
            mailbox_run.c.run_no == run_no,
            mailbox_run.c.phase != Phase.CANCELLED.value,
        )
        .order_by(row.c.line)
    )
    return list(case.tx.execute(query).all())


def _holds_open(box: Row[Any], *, patient: bool) -> bool:
    """A mailbox that waits for a server, or for its earlier run, does so for twelve hours at most."""
    if box.outcome:
        return False
    return patient or not ((box.parked and box.phase == Phase.QUEUED) or box.phase == Phase.BLOCKED)


def _still_settling(case: Case, run_no: int, boxes: list[Row[Any]]) -> bool:
    """The mails wait for the settling, at most until five minutes after its time."""
    open_until = [
        (box.settle_at or case.at) + case.policy.settle_grace
        for box in boxes
        if box.outcome and not box.settled and box.phase != Phase.OVER
    ]
    latest = max(open_until, default=0)
    if latest <= case.at:
        return False
    arm(case.tx, case.id, TimerKind.SETTLED, latest, run_no=run_no)
    return True


def _result(case: Case, run_no: int, boxes: list[Row[Any]]) -> Result:
    by = {each: [box for box in boxes if box.outcome == each] for each in Outcome}
    waiting = [box.destination for box in by[Outcome.OPEN]]
    failed = [_named(box.destination, box.code or "mismatch", box.side) for box in by[Outcome.FAILED]]
    addresses = [box.destination for box in boxes]
    if run_no == case.run_no:
        for each in _outside(case, boxes):
            addresses.append(each.destination)
            if each.check_version >= each.row_version and each.check_state in _HINDERED:
                failed.append(_named(each.destination, each.check_code, each.check_side))
            else:
                waiting.append(each.destination)
    return Result(
        tally=Tally(
            grades=tuple(Grade(box.grade) for box in boxes if box.grade),
            done=len(by[Outcome.DONE]),
            review=len(by[Outcome.REVIEW]),
            failed=len(failed),
            waiting=len(waiting),
        ),
        sums={name: sum(getattr(box, name) for box in boxes) for name in SUMS},
        mailboxes=len(set(addresses)),
        domains=tuple(sorted({address.rpartition("@")[2].lower() for address in addresses})),
        failed=tuple(failed),
        waiting=tuple(waiting),
        review=tuple(box.destination for box in by[Outcome.REVIEW]),
    )


def _named(address: str, code: str, side: str) -> str:
    """A failed mailbox as `RunFinished` names it."""
    return f"{address} {code} {side}".rstrip()


def _outside(case: Case, boxes: list[Row[Any]]) -> list[Row[Any]]:
    """Rows that take no part in the latest run and are not left out: no password yet, or a correction that failed."""
    query = select(row).where(row.c.migration_id == case.id, row.c.left_out.is_(False), row.c.row_version > 0)
    inside = {box.row_id for box in boxes}
    return [each for each in case.tx.execute(query.order_by(row.c.line)) if each.row_id not in inside]


def _move_overtaken(case: Case) -> None:
    """A second run whose time went by while the first was under way moves behind the mail (joint 21)."""
    if _another_planned(case) and case.state is MigrationState.RUNNING and case["second_at"] <= case.at:
        case.set(second_at=case.at + case.policy.after_mx)
        case.say(MigrationRescheduled, first_at=case.first_at, second_at=case.second_at, reason="after_run_1")
        notify(case, "rescheduled", second_at=from_microseconds(case["second_at"]).isoformat())


def _tell(case: Case, standing: Row[Any], result: Result, *, last: bool) -> bool:
    """Emit RunFinished when it says something new; returns whether it did."""
    before = Advice(standing.advice) if standing.advice else None
    advised = advice(result.tally, before=before, switch_advised=case["switch_advised"])
    finished_at = case.at if standing.finished_at is None else standing.finished_at
    event = RunFinished(
        event_id=derive("run-finished", standing.run_id, standing.revision + 1),
        at=case.now,
        migration_id=case.id,
        customer_id=case.customer_id,
        run_id=RunId(standing.run_id),
        run_no=standing.run_no,
        revision=standing.revision + 1,
        last=last,
        advice=advised,
        grade=result.tally.grade,
        code=case["code"],
        name=case["name"],
        domains=result.domains,
        recipients=tuple(json.loads(case["recipients"] or "[]")),
        language=case["language"],
        zone=case["zone"],
        started_at=from_microseconds(standing.started_at),
        finished_at=from_microseconds(finished_at),
        second_at=case.second_at if _another_planned(case) else None,
        mailboxes=result.mailboxes,
        failed_mailboxes=result.failed,
        waiting_mailboxes=result.waiting,
        review_mailboxes=result.review,
        **result.sums,
    )
    told = _digest(event)
    if told == standing.told:
        return False
    case.tell(event)
    if advised is Advice.SWITCH_MX:
        case.set(switch_advised=True)
    case.tx.execute(
        update(run)
        .where(run.c.migration_id == case.id, run.c.run_no == standing.run_no)
        .values(finished_at=finished_at, revision=event.revision, told=told, advice=advised.value)
    )
    return True


def _digest(event: RunFinished) -> str:
    """What the event says, without what changes by itself."""
    said = replace(event, event_id="", at=event.started_at, revision=0, second_at=None, last=False)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]
