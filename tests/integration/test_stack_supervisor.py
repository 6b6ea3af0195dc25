"""The supervisor keeps the stack running through kills, and leaves nothing behind."""

import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailhaul.errors import StackFailed
from mailhaul.stack.control import StackStatus, down, status, up
from mailhaul.stack.installation import Installation, StackState
from mailhaul.stack.ports import free_ports, is_free
from mailhaul.stack.supervisor import GUARDIAN, StackOptions

PROJECTOR = StackOptions(panel_port=0, services=("projector",))


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    place = Installation(tmp_path / "state")
    yield place
    down(place)


def eventually(holds: Callable[[], bool], *, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def pids(found: StackStatus) -> dict[str, int]:
    return {member.name: member.pid for member in found.members}


def ended(pid: int) -> bool:
    """Gone, or a zombie that nobody has asked for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_stack_survives_kills_and_leaves_nothing_running(installation: Installation) -> None:
    steps: list[str] = []
    found = up(installation, PROJECTOR, os.environ, progress=steps.append)
    assert found.state is StackState.READY
    assert "broker" in steps
    assert list(pids(found)) == ["supervisor", "kafka", "projector"]
    assert all(member.alive and member.memory > 0 for member in found.members)
    for path in (installation.directory, installation.vault_private):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert up(installation, PROJECTOR, os.environ).state is StackState.READY

    first = pids(found)
    os.kill(first["projector"], signal.SIGKILL)
    eventually(lambda: pids(status(installation))["projector"] not in (0, first["projector"]))
    os.kill(first["kafka"], signal.SIGKILL)
    eventually(lambda: pids(status(installation))["kafka"] not in (0, first["kafka"]))

    second = pids(status(installation))
    os.kill(second["supervisor"], signal.SIGKILL)
    eventually(lambda: all(ended(pid) for pid in second.values()))
    assert status(installation).state is StackState.DOWN

    third = pids(up(installation, PROJECTOR, os.environ))
    assert down(installation)
    assert all(ended(pid) for pid in third.values())
    assert not down(installation)


def test_stack_ends_with_its_guardian(installation: Installation, broker: str, topic_prefix: str) -> None:
    with subprocess.Popen(["sleep", "60"]) as guardian:
        environment = {**os.environ, "MAILHAUL_KAFKA__PREFIX": topic_prefix, GUARDIAN: str(guardian.pid)}
        options = StackOptions(bootstrap=broker, panel_port=free_ports(1)[0], services=())
        assert up(installation, options, environment).state is StackState.READY
        guardian.kill()
    eventually(lambda: not installation.supervised())


def test_stack_says_why_it_did_not_start(installation: Installation, broker: str) -> None:
    port = int(broker.rpartition(":")[2])
    assert not is_free(port)
    with pytest.raises(StackFailed, match=f"port {port} is taken"):
        up(installation, StackOptions(bootstrap=broker, panel_port=port, services=()), os.environ)
    assert status(installation).state is StackState.FAILED


def test_stack_uses_a_given_broker(installation: Installation, broker: str, topic_prefix: str) -> None:
    environment = {**os.environ, "MAILHAUL_KAFKA__PREFIX": topic_prefix}
    options = StackOptions(bootstrap=broker, panel_port=free_ports(1)[0], services=())
    found = up(installation, options, environment)
    assert (list(pids(found)), found.bootstrap) == (["supervisor"], broker)
    assert not installation.broker.exists()
