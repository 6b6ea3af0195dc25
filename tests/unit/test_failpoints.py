"""Failpoints do nothing unless named."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from mailhaul import failpoints
from mailhaul.failpoints import FailpointError, failpoint

FIRST = failpoint("test.first")
SECOND = failpoint("test.second")


@pytest.fixture(autouse=True)
def _off() -> Iterator[None]:
    yield
    failpoints.configure("")


def test_nothing_happens_unless_configured() -> None:
    FIRST()
    assert {"test.first", "test.second"} <= set(failpoints.registered())


def test_a_chosen_passage_fails() -> None:
    failpoints.configure("test.first=error@2, test.other=kill")
    FIRST()
    SECOND()
    with pytest.raises(FailpointError):
        FIRST()
    FIRST()


def test_a_place_registered_later_is_switched_on() -> None:
    failpoints.configure("test.late=error")
    with pytest.raises(FailpointError):
        failpoint("test.late")()


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="registered already"):
        failpoint("test.first")


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(ValueError, match="explode"):
        failpoints.configure("test.first=explode")


def test_kill_ends_the_process_at_once() -> None:
    code = (
        "from mailhaul import failpoints\n"
        "failpoints.configure('a.b=kill@2')\n"
        "place = failpoints.failpoint('a.b')\n"
        "place()\nprint('one', flush=True)\nplace()\nprint('two', flush=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (-9, "one\n")
