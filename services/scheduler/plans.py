"""Moving and dropping runs until they start."""

from mailhaul.db import to_microseconds
from mailhaul.errors import RequestInvalid
from mailhaul.events import MigrationRescheduled, RescheduleRequested
from mailhaul.schedule import first_start, second_start
from mailhaul.states import MigrationState
from services.scheduler.case import Case
from services.scheduler.checks import evaluate
from services.scheduler.completion import rest
from services.scheduler.timers import arm_runs
from services.scheduler.words import RESTING

_BEFORE_RUN = frozenset({MigrationState.VALIDATING, MigrationState.VALID, MigrationState.INVALID})


def reschedule(case: Case, request: RescheduleRequested) -> None:
    """Take new times. Raises RequestInvalid: `run_started`, or the rule of `mailhaul.schedule` that is broken."""
    if case.state in _BEFORE_RUN:
        _before_the_first(case, request)
    else:
        _second_only(case, request)


def _before_the_first(case: Case, request: RescheduleRequested) -> None:
    kept_first = request.first is None
    first = request.first or case.plan_of("first_plan")
    second = request.second or case.plan_of("second_plan")
    horizon = case.policy.horizon
    # A time that is kept was judged when it was given, and may meanwhile be over.
    first_at = case.first_at if kept_first and case["fault"] == "" else first_start(first, case.now, horizon)
    second_at = second_start(second, first_at, case.now, horizon)
    waits = first.mode == "asap" and case.state is not MigrationState.VALID  # its start is the acceptance
    case.plan("first_plan", first)
    case.plan("second_plan", second)
    case.set(
        fault="",
        first_at=None if waits or first_at is None else to_microseconds(first_at),
        second_at=None if second_at is None or (waits and second.mode == "offset") else to_microseconds(second_at),
    )
    _say(case)
    arm_runs(case)
    evaluate(case)


def _second_only(case: Case, request: RescheduleRequested) -> None:
    if request.first is not None or case.run_no > 1 or request.second is None:
        raise RequestInvalid("run_started", "that run has started: ask for a further one instead")
    second_at = second_start(request.second, case.first_at, case.now, case.policy.horizon)
    case.plan("second_plan", request.second)
    case.set(second_at=None if second_at is None else to_microseconds(second_at))
    _say(case)
    if case.state in RESTING:
        rest(case)
    arm_runs(case)


def _say(case: Case) -> None:
    case.say(MigrationRescheduled, first_at=case.first_at, second_at=case.second_at, reason="requested")
