"""The whole stack over two mail servers, for tests that follow mail all the way."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailhaul.stack.control import StackStatus, down, status, up
from mailhaul.stack.installation import Installation
from mailhaul.stack.roster import SERVICES
from mailhaul.stack.supervisor import GUARDIAN, StackOptions
from mailhaul.stack.world import World
from tests.fixtures_stack import MASTER_PASSWORD


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A running stack; `environment` is what any `mailhaul` command of the test needs."""

    installation: Installation
    world: World
    environment: Mapping[str, str]

    @property
    def status(self) -> StackStatus:
        return status(self.installation)

    @property
    def panel_url(self) -> str:
        return self.status.panel_url

    @property
    def token(self) -> str:
        return self.installation.token_file.read_text(encoding="ascii").strip()

    def pid(self, name: str) -> int:
        """Process of a service, of `kafka` or of the `supervisor`; 0 while it is between two starts."""
        return next(member.pid for member in self.status.members if member.name == name)

    def kill(self, name: str) -> None:
        """SIGKILL a service; the supervisor starts it again after half a second."""
        deadline = time.monotonic() + 30
        while not (pid := self.pid(name)):
            assert time.monotonic() < deadline, f"{name} did not come back"
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def world(directory: Path) -> Iterator[World]:
    """Two Dovecots and an SMTP sink, not started: `world.populate(...)`, then `world.start()`."""
    made = World(directory, master_password=MASTER_PASSWORD)
    yield made
    made.close()


@pytest.fixture
def make_stack(world: World, broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """`make_stack(MAILHAUL_X="...", services=(...))`: the stack over `world`, on the session's broker, ended after."""
    made: list[Installation] = []

    def make(*, services: tuple[str, ...] = SERVICES, **settings: str) -> Stack:
        installation = Installation(tmp_path / f"state{len(made)}")
        made.append(installation)
        environment = {**os.environ, **world.environment(), "MAILHAUL_KAFKA__PREFIX": topic_prefix, **settings}
        environment[GUARDIAN] = str(os.getpid())
        up(installation, StackOptions(bootstrap=broker, panel_port=0, services=services), environment)
        here = {"MAILHAUL_STATE_DIR": str(installation.directory), "MAILHAUL_KAFKA__BOOTSTRAP": broker}
        return Stack(installation=installation, world=world, environment={**environment, **here})

    yield make
    for installation in made:
        down(installation)
