"""A child of the stack is waited for, told apart when it dies, and outlives the thread that asked for it."""

import signal
import sys
import threading
from pathlib import Path

import pytest

from mailhaul.errors import StackFailed
from mailhaul.stack.child import Child


def python(code: str, log: Path) -> Child:
    return Child("the child", [sys.executable, "-c", code], log)


def test_work_done_between_two_looks_counts(tmp_path: Path) -> None:
    child = python("pass", tmp_path / "log")
    looks = []

    def done() -> bool:
        # The first look comes too early, and the child has ended before the next question.
        looks.append(child.status)
        if len(looks) == 1:
            child.stop()
            return False
        return True

    child.wait_until(done, timeout=10)
    assert len(looks) > 1


def test_a_child_that_dies_is_named_with_its_last_lines(tmp_path: Path) -> None:
    child = python("import sys; sys.exit('no room left')", tmp_path / "log")
    with pytest.raises(StackFailed, match=r"the child ended with status 1:\nno room left"):
        child.wait_until(lambda: False, timeout=10)


def test_a_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    started: list[Child] = []
    thread = threading.Thread(target=lambda: started.append(python("import time; time.sleep(60)", tmp_path / "log")))
    thread.start()
    thread.join()
    (child,) = started
    try:
        with pytest.raises(StackFailed, match="not ready"):
            child.wait_until(lambda: not child.alive, timeout=0.3)
        assert child.alive
    finally:
        assert child.kill() == -signal.SIGKILL
