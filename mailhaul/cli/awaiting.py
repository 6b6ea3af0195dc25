"""Asking and hearing the answer: a request is taken at once, the scheduler grants or refuses it a moment later."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from mailhaul.cli.client import Panel, of
from mailhaul.cli.exits import CommandFailed, Exit

LOOK = 0.15


def granted(
    api: Panel,
    code: str,
    what: Sequence[str],
    body: Mapping[str, Any] | None = None,
    *,
    line: int | None = None,
    key: str | None = None,
    delete: bool = False,
) -> bool:
    """Ask, and wait until the effect shows; False when it has not shown yet. Raises CommandFailed when refused."""
    before = _seen(api, code, line)
    asked = api.delete(of(code)) if delete else api.post(of(code, *what), body, key=key)
    deadline = time.monotonic() + api.patience
    while time.monotonic() < deadline:
        # A refusal counts as a fact too: looked at first, it is known as one by the time the request is asked for.
        changed = _seen(api, code, line) != before
        state = api.get(of(code, "requests", asked["request_id"]))
        if state["refused"]:
            raise CommandFailed(f"refused: {state['refused']['text']} {state['refused']['remedy']}", Exit.REFUSED)
        if changed:
            return True
        time.sleep(LOOK)
    return False


def _seen(api: Panel, code: str, line: int | None) -> object:
    """What changes when the request is granted: the row's version, or the migration's last fact."""
    shown = api.get(of(code))
    if line is None:
        return shown["state_seq"]
    for row in api.pages(of(code, "mailboxes"), "mailboxes", limit=500):
        if row["line"] == line:
            return row["row_version"], row["check"]["status"]["state"] == "left_out"
    return None
