"""One installation of the embedded stack: what lies where in its state directory, and how it is."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from mailhaul.errors import StackFailed


class StackState(StrEnum):
    """Where the stack is on its way up or down."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"
    DOWN = "down"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One process of the stack; `pid` is 0 while it is down between two starts."""

    name: str
    pid: int
    starts: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the supervisor last wrote about the stack."""

    state: StackState = StackState.DOWN
    message: str = ""
    supervisor: int = 0
    bootstrap: str = ""
    panel_url: str = ""
    members: tuple[Member, ...] = field(default=())


@dataclass(frozen=True)
class Installation:
    """The places below one state directory; nobody but its owner can look into it."""

    directory: Path

    @property
    def vault_private(self) -> Path:
        return self.directory / "vault.key"

    @property
    def vault_public(self) -> Path:
        return self.directory / "vault.pub"

    @property
    def token_file(self) -> Path:
        """The local user's API token, which the panel makes at its first start."""
        return self.directory / "panel.token"

    @property
    def broker(self) -> Path:
        return self.directory / "kafka"

    def log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def prepare(self) -> None:
        """Make the directories; secrets, ledgers and logs of mailboxes are nobody else's to read."""
        (self.directory / "logs").mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.chmod(0o700)

    def write(self, report: Report) -> None:
        """Replace what is said of the stack, whole."""
        new = self._report.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(asdict(report), indent=2), encoding="utf-8")
        new.replace(self._report)

    def read(self) -> Report:
        """The last report; DOWN when no supervisor lives, whatever the file says."""
        try:
            written = json.loads(self._report.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Report()
        members = tuple(Member(**member) for member in written.pop("members"))
        report = Report(**{**written, "state": StackState(written["state"]), "members": members})
        if report.state is StackState.FAILED or self.supervised():
            return report
        return Report(message=report.message, panel_url=report.panel_url)

    def supervised(self) -> bool:
        """Whether a supervisor holds this installation now."""
        try:
            handle = os.open(self._lock, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the installation as its one supervisor; the kernel lets go when the process dies."""
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise StackFailed("stack_running", f"the stack in {self.directory} is already running") from error
        try:
            yield
        finally:
            os.close(handle)

    @property
    def _report(self) -> Path:
        return self.directory / "stack.json"

    @property
    def _lock(self) -> Path:
        return self.directory / "stack.lock"
