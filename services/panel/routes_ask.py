"""What people ask for: each answered with 202 at once, decided by the scheduler afterwards (joint 4)."""

from fastapi import APIRouter, Response, status

from mailhaul import events
from services.panel import asking
from services.panel.answers import Asked
from services.panel.asking import Correction, Line, Make, Times, Which
from services.panel.desk import AtDesk, Calling, Desk, RepeatKey
from services.panel.migrations import locate
from services.panel.repeats import Claim, fingerprint

router = APIRouter(tags=["requests"])
ACCEPTED = status.HTTP_202_ACCEPTED


@router.post("/migrations/{code}/start", operation_id="startRun", status_code=ACCEPTED)
async def start(code: str, response: Response, desk: AtDesk, caller: Calling, key: RepeatKey = None) -> Asked:
    """Start the next run now: the first, the second, or a further one."""
    return await _ask(code, response, desk, caller, key, asking.simple(events.RunRequested), "start")


@router.post("/migrations/{code}/reschedule", operation_id="reschedule", status_code=ACCEPTED)
async def reschedule(
    code: str, times: Times, response: Response, desk: AtDesk, caller: Calling, key: RepeatKey = None
) -> Asked:
    """Move the planned runs, or drop them with `none`, as long as they have not started."""
    return await _ask(code, response, desk, caller, key, asking.reschedule(times), "reschedule", times)


@router.post("/migrations/{code}/pause", operation_id="pause", status_code=ACCEPTED)
async def pause(code: str, response: Response, desk: AtDesk, caller: Calling, key: RepeatKey = None) -> Asked:
    """Stop copying until it is resumed."""
    return await _ask(code, response, desk, caller, key, asking.simple(events.PauseRequested), "pause")


@router.post("/migrations/{code}/resume", operation_id="resume", status_code=ACCEPTED)
async def resume(code: str, response: Response, desk: AtDesk, caller: Calling, key: RepeatKey = None) -> Asked:
    """Go on after a pause."""
    return await _ask(code, response, desk, caller, key, asking.simple(events.ResumeRequested), "resume")


@router.post("/migrations/{code}/cancel", operation_id="cancel", status_code=ACCEPTED)
async def cancel(code: str, response: Response, desk: AtDesk, caller: Calling, key: RepeatKey = None) -> Asked:
    """Give the migration up; what was copied stays where it is."""
    return await _ask(code, response, desk, caller, key, asking.simple(events.CancelRequested), "cancel")


@router.post("/migrations/{code}/retry", operation_id="retry", status_code=ACCEPTED)
async def retry(
    code: str, which: Which, response: Response, desk: AtDesk, caller: Calling, key: RepeatKey = None
) -> Asked:
    """Try again what failed, in one mailbox or in all."""
    return await _ask(code, response, desk, caller, key, asking.retry(which), "retry", which)


@router.post("/migrations/{code}/recheck", operation_id="recheck", status_code=ACCEPTED)
async def recheck(
    code: str, line: Line, response: Response, desk: AtDesk, caller: Calling, key: RepeatKey = None
) -> Asked:
    """Check a row again, or every row that did not pass."""
    return await _ask(code, response, desk, caller, key, asking.recheck(line), "recheck", line)


@router.post("/migrations/{code}/rows/{line}/correct", operation_id="correctRow", status_code=ACCEPTED)
async def correct(
    code: str,
    line: int,
    correction: Correction,
    response: Response,
    desk: AtDesk,
    caller: Calling,
    key: RepeatKey = None,
) -> Asked:
    """Correct a row in place: a new password, another server, another destination."""
    make = asking.correct(line, correction, desk.sealer)
    secret = correction.password.get_secret_value() if correction.password else ""
    return await _ask(code, response, desk, caller, key, make, f"correct {line}", correction, secret)


@router.post("/migrations/{code}/rows/{line}/leave-out", operation_id="leaveOutRow", status_code=ACCEPTED)
async def leave_out(
    code: str, line: int, response: Response, desk: AtDesk, caller: Calling, key: RepeatKey = None
) -> Asked:
    """Go on without a row."""
    return await _ask(code, response, desk, caller, key, asking.leave_out(line), f"leave out {line}")


@router.delete("/migrations/{code}", operation_id="deleteMigration", status_code=ACCEPTED)
async def delete(code: str, response: Response, desk: AtDesk, caller: Calling, key: RepeatKey = None) -> Asked:
    """Delete a migration and every secret it held; refused while it is running."""
    return await _ask(code, response, desk, caller, key, asking.simple(events.DeleteRequested), "delete")


async def _ask(
    code: str,
    response: Response,
    desk: Desk,
    caller: Calling,
    key: str | None,
    make: Make,
    *what: object,
) -> Asked:
    migration = await desk.db.read(locate, caller.customer_id, code)
    request = asking.Asked(event_id=desk.new_id(), at=desk.now, migration_id=migration, caller=caller)
    # Without the client's key every call counts: two clicks on "retry" a minute apart are two requests.
    repeat = Claim(caller.customer_id, key, fingerprint(desk.secret, [code, *what])) if key else None
    identity = await desk.db.write(asking.ask, request, make, desk.outbox, repeat)
    desk.asked.set()
    response.headers["Location"] = f"/api/v1/migrations/{code.upper()}/requests/{identity}"
    return Asked(request_id=identity, code=code.upper())
