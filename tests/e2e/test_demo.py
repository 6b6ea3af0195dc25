"""`make demo` ends with an exact verdict, keeps to itself while it runs, and leaves nothing behind."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailhaul.stack.demo_kept import NOTE, PREFIX, Kept
from mailhaul.stack.installation import StackState
from tests.sockets import listening

ROOT = Path(__file__).parents[2]


@pytest.fixture
def told(directory: Path) -> Iterator[tuple[str, Kept]]:
    """The demo's output, and the demo as it was left running."""
    # A setting of another installation of this user must not matter.
    environment = {**os.environ, "TMPDIR": str(directory), "MAILHAUL_PANEL__PORT": "1"}
    command = [sys.executable, "-m", "mailhaul.stack.demo", "--keep"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
        check=False,
    )
    found = [Kept(note.parent) for note in directory.glob(f"{PREFIX}*/{NOTE}")]
    try:
        assert done.returncode == 0, done.stdout
        yield done.stdout, found[0]
    finally:
        for kept in filter(lambda kept: kept.directory.exists(), found):
            kept.stop()


@pytest.mark.timeout(600)
def test_joint_37_demo_is_exact_stays_on_loopback_and_ends(told: tuple[str, Kept]) -> None:
    output, kept = told
    assert "0 lost, 0 doubled, 0 altered, 0 unexpected: exact" in output
    for line in ("Line 3:", "Line 7:", "Line 15:", "change your MX records now", "migration finished"):
        assert line in output
    megabytes = re.search(r"needed (\d+) MB at most", output)
    assert megabytes is not None
    assert int(megabytes[1]) < 700

    report = kept.installation.read()
    assert report.state is StackState.READY
    pids = [member.pid for member in report.members]
    pids += [report.supervisor, *json.loads((kept.directory / NOTE).read_text())["servers"]]
    addresses = set().union(*(listening(pid) for pid in pids))
    # The JVM opens its IPv4 sockets as such (preferIPv4Stack), so no mapped address can hide another one.
    assert addresses == {"127.0.0.1"}

    kept.stop()
    assert not kept.directory.exists()
    assert not [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and cmdline(pid)]


def cmdline(pid: int) -> bytes:
    """The command line of a process; a zombie has none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
