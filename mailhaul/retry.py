"""Retry is a value: given a failure, `decide` answers when to try again or that it is over."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Protocol


class Failing(Protocol):
    """What `decide` needs to know of an error; every `MailhaulError` fits."""

    @property
    def code(self) -> str:
        """The catalogue's key."""
        ...

    @property
    def retryable(self) -> bool:
        """Whether trying again can help."""
        ...

    @property
    def retry_at(self) -> datetime | None:
        """The server's own back-off, when it named one."""
        ...


@dataclass(frozen=True, slots=True)
class Failed:
    """A failure as an event tells it."""

    code: str
    retryable: bool
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again, not before `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again; `code` says what the last failure was."""

    code: str


@dataclass(frozen=True, slots=True)
class Policy:
    """`failures` in a row end it; waits double from `base` seconds up to `cap` seconds."""

    failures: int = 5
    base: float = 30.0
    cap: float = 3600.0
    server_cap: float = 86_400.0  # a server that asks for more than a day is not obeyed to the letter


DEFAULT = Policy()


def decide(error: Failing, failures: int, now: datetime, rng: Random, policy: Policy = DEFAULT) -> RetryAt | GiveUp:
    """Decide after the `failures`-th failure in a row (1 for the first).

    A wait lies between half and the whole of its step, so that mailboxes which failed together do not come back
    together. A server's own back-off is honoured whole and jittered upwards only.
    """
    if not error.retryable or failures >= policy.failures:
        return GiveUp(error.code)
    step = min(policy.cap, policy.base * 2.0 ** min(failures - 1, 32))
    wait = step * rng.uniform(0.5, 1.0)
    if error.retry_at is not None:
        asked = min(policy.server_cap, max(0.0, (error.retry_at - now).total_seconds()))
        wait = max(wait, asked + rng.uniform(0.0, min(asked * 0.1, policy.base)))
    return RetryAt(now + timedelta(seconds=wait))
