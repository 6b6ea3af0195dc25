"""Retry decisions, as a table."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul.errors import Side, Throttled
from mailhaul.retry import Failed, GiveUp, Policy, RetryAt, decide

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POLICY = Policy(failures=5, base=30, cap=600)


class _Fixed(Random):
    """A generator that always answers the same share of its range."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self._share = share

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self._share


@pytest.mark.parametrize(
    ("failures", "share", "seconds"),
    [
        (1, 0.0, 15.0),
        (1, 1.0, 30.0),
        (2, 1.0, 60.0),
        (3, 0.5, 90.0),
        (4, 1.0, 240.0),
    ],
)
def test_waits_double_within_their_jitter(failures: int, share: float, seconds: float) -> None:
    error = Failed("timeout", retryable=True)
    assert decide(error, failures, NOW, _Fixed(share), POLICY) == RetryAt(NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(("retryable", "failures"), [(False, 1), (True, 5), (True, 6)])
def test_gives_up(retryable: bool, failures: int) -> None:
    assert decide(Failed("bad_login", retryable), failures, NOW, Random(1), POLICY) == GiveUp("bad_login")


@pytest.mark.parametrize(
    ("asked", "share", "seconds"),
    [
        (300.0, 0.0, 300.0),  # the server's own words, not earlier
        (300.0, 1.0, 330.0),  # jittered upwards only, by a tenth
        (10_000.0, 1.0, 10_030.0),  # beyond our own cap, the jitter no more than one step
        (1.0, 1.0, 30.0),  # shorter than our own step
        (-60.0, 1.0, 30.0),  # in the past
        (10_000_000.0, 0.0, 86_400.0),  # nobody waits four months
    ],
)
def test_the_servers_own_back_off_is_honoured(asked: float, share: float, seconds: float) -> None:
    error = Throttled("throttled", "the server asked for patience", side=Side.SOURCE)
    error.retry_at = NOW + timedelta(seconds=asked)
    assert decide(error, 1, NOW, _Fixed(share), POLICY) == RetryAt(NOW + timedelta(seconds=seconds))


@given(failures=st.integers(1, 10_000), seed=st.integers())
def test_every_wait_is_capped_and_in_the_future(failures: int, seed: int) -> None:
    decision = decide(Failed("timeout", True), failures, NOW, Random(seed), Policy(failures=20_000, base=30, cap=600))
    assert isinstance(decision, RetryAt)
    assert timedelta(seconds=15) <= decision.at - NOW <= timedelta(seconds=600)
