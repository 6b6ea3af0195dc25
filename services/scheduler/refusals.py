"""A request that is not granted: answered with its reason, and nothing changes."""

from mailhaul.errors import RequestInvalid
from mailhaul.events import CorrectRowRequested, Request, RequestRefused
from mailhaul.vault import shred_secrets
from services.scheduler.case import Case
from services.scheduler.rules import refusal


def refuse(case: Case, request: Request, code: str) -> None:
    """Say why; the secret that came with a refused correction is forgotten."""
    if isinstance(request, CorrectRowRequested):
        shred_secrets(case.tx, [request.secret_ref])
    case.say(RequestRefused, request_id=request.event_id, request=type(request).__name__, code=code)


def demand(case: Case, request: Request) -> None:
    """Raise RequestInvalid with the code that `refuse` needs when the state does not allow the request."""
    code = refusal(type(request), case.state)
    if code is not None:
        raise RequestInvalid(code, f"{type(request).__name__} is not possible while the migration is {case.state}")
