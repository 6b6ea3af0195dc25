"""Named places where a fault test can make a process die, stop or fail; they do nothing unless switched on.

`MAILHAUL_FAILPOINTS="copier.intent_committed=kill@3,scheduler.decided=error"` kills the process at the third passage of
the first and fails every passage of the second. A service's `__main__` hands the text to `configure`.
"""

import os
import signal
from dataclasses import dataclass
from enum import StrEnum

VARIABLE = "MAILHAUL_FAILPOINTS"


class Action(StrEnum):
    KILL = "kill"  # SIGKILL: nothing is flushed, no handler runs
    STOP = "stop"  # SIGSTOP: a stalled process, which may wake up later as a zombie
    ERROR = "error"  # raises FailpointError, a bug as far as the run loop is concerned


class FailpointError(Exception):
    """Raised by a failpoint on purpose."""


@dataclass(slots=True)
class Failpoint:
    """A place in the code; calling it is free while no test has switched it on."""

    name: str
    action: Action | None = None
    passage: int = 0  # act at this passage only; 0: at each
    passed: int = 0

    def __call__(self) -> None:
        if self.action is None:
            return
        self.passed += 1
        if self.passage not in (0, self.passed):
            return
        match self.action:
            case Action.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Action.STOP:
                os.kill(os.getpid(), signal.SIGSTOP)
            case Action.ERROR:
                raise FailpointError(self.name)


_registered: dict[str, Failpoint] = {}
_wanted: dict[str, tuple[Action, int]] = {}


def failpoint(name: str) -> Failpoint:
    """Register a place, once, at module level: `INTENT_COMMITTED = failpoint("copier.intent_committed")`."""
    if name in _registered:
        raise ValueError(f"the failpoint {name} is registered already")
    place = _registered[name] = Failpoint(name)
    if name in _wanted:
        place.action, place.passage = _wanted[name]
    return place


def registered() -> tuple[str, ...]:
    """The names known to this process, sorted."""
    return tuple(sorted(_registered))


def configure(text: str) -> None:
    """Switch on exactly what `text` names (empty: nothing), also for places that are registered later."""
    wanted: dict[str, tuple[Action, int]] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, order = item.partition("=")
        action, _, passage = order.partition("@")
        wanted[name] = (Action(action), int(passage or 0))
    _wanted.clear()
    _wanted.update(wanted)
    for name, place in _registered.items():
        place.action, place.passage = wanted.get(name, (None, 0))
        place.passed = 0
