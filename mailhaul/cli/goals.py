"""When a wait is over, and how it came out; pure, over a migration as the API shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mailhaul.cli.exits import Exit


class Goal(StrEnum):
    VALID = "valid"
    RUN1 = "run1"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The exit code, and the next useful command."""

    code: Exit
    hint: str = ""


# The checks are over and the rows are good, whatever came afterwards.
_CHECKED = frozenset({"valid", "running", "ready_for_cutover", "needs_attention", "done", "done_review"})
_OVER = frozenset({"done", "done_review", "failed", "cancelled"})


def judge(shown: Mapping[str, Any], goal: Goal) -> Verdict | None:
    """None while it moves by itself; else whether the goal is reached, or which person has to act."""
    code, state = str(shown["code"]), str(shown["status"]["state"])
    if goal is Goal.VALID and state in _CHECKED:
        return Verdict(Exit.OK, f"mailhaul start {code}" if _undated(shown) else f"mailhaul watch {code}")
    if goal is Goal.RUN1 and _run_is_over(shown, 1):
        return _outcome(shown, state)
    if state in _OVER:
        return _outcome(shown, state)
    return _stuck(shown, state)


def resting(shown: Mapping[str, Any]) -> bool:
    """Whether nothing moves any more that is worth looking at, a later run aside."""
    state = str(shown["status"]["state"])
    if state in ("ready_for_cutover", "needs_attention"):
        return True
    return judge(shown, Goal.DONE) is not None


def moving(shown: Mapping[str, Any]) -> bool:
    """Whether mailboxes are still shown at work."""
    return any(shown["mailboxes"].get(state) for state in ("scanning", "copying"))


def _stuck(shown: Mapping[str, Any], state: str) -> Verdict | None:
    """A state that only a person can leave."""
    code = str(shown["code"])
    match state:
        case "invalid" if _checks_are_in(shown):
            return Verdict(Exit.INVALID, f"mailhaul mailboxes {code} --state failed")
        case "paused":
            return Verdict(Exit.ERROR, f"mailhaul resume {code}")
        case "valid" if _undated(shown):
            return Verdict(Exit.ERROR, f"mailhaul start {code}")
        case "ready_for_cutover" if not shown["second_at"]:
            return Verdict(Exit.OK, f"change the MX records, then mailhaul start {code}")
        case "needs_attention" if not shown["second_at"]:
            return Verdict(Exit.FAILURES, f"mailhaul failures {code}")
        case _:
            return None


def _checks_are_in(shown: Mapping[str, Any]) -> bool:
    """Whether the verdict belongs to the rows as they are now: a correction under way is no end."""
    checks = shown["checks"]
    if checks.get("waiting") or checks.get("checking"):
        return False
    failed = checks.get("failed", 0) + checks.get("not_tested", 0)
    why = shown["invalid"]["code"] if shown["invalid"] else ""
    return bool(failed) or why not in ("", "rows_failed")


def _undated(shown: Mapping[str, Any]) -> bool:
    return shown["status"]["state"] == "valid" and not shown["first_at"]


def _run_is_over(shown: Mapping[str, Any], number: int) -> bool:
    return any(run["run"] == number and (run["ended_at"] or run["finished_at"]) for run in shown.get("runs", ()))


def _outcome(shown: Mapping[str, Any], state: str) -> Verdict:
    code = str(shown["code"])
    if state in ("failed", "cancelled", "done_review", "needs_attention"):
        return Verdict(Exit.FAILURES, f"mailhaul failures {code}")
    if state == "ready_for_cutover":
        return Verdict(Exit.OK, f"change the MX records, then mailhaul start {code}")
    return Verdict(Exit.OK, f"mailhaul show {code}")
