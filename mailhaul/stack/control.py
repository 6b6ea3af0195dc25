"""What `mailhaul up`, `down` and `status` do: start the supervisor in the background, end it, ask how it is."""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mailhaul.errors import StackFailed
from mailhaul.stack.installation import Installation, Report, StackState
from mailhaul.stack.memory import proportional_memory
from mailhaul.stack.supervisor import StackOptions

POLL = 0.1
UP_TIMEOUT = 180.0
DOWN_TIMEOUT = 90.0


@dataclass(frozen=True, kw_only=True)
class MemberStatus:
    """One process as it is now; `memory` is its proportional share (PSS) in octets."""

    name: str
    pid: int
    alive: bool
    starts: int
    memory: int


@dataclass(frozen=True, kw_only=True)
class StackStatus:
    """The whole stack as it is now."""

    state: StackState
    message: str
    panel_url: str
    bootstrap: str
    token_file: Path
    members: tuple[MemberStatus, ...]


def supervisor_command(installation: Installation, options: StackOptions) -> list[str]:
    """The supervisor's command line; run in the foreground it is `mailhaul up --foreground`."""
    command = [sys.executable, "-m", "mailhaul.stack.supervisor", "--state-dir", str(installation.directory)]
    if options.bootstrap:
        command += ["--kafka", options.bootstrap]
    if options.panel_port is not None:
        command += ["--port", str(options.panel_port)]
    return [*command, "--services", ",".join(options.services), "--longest-pause", f"{options.longest_pause:g}"]


def up(
    installation: Installation,
    options: StackOptions,
    environment: Mapping[str, str],
    *,
    progress: Callable[[str], None] = lambda step: None,
) -> StackStatus:
    """Start the stack in the background and return when it is ready, at once when it already runs.

    `progress` hears each step (`database`, `broker`, `topics`, `services`). Raises `StackFailed` with the reason.
    """
    pid = None if installation.supervised() else _start_supervisor(installation, options, environment)
    _await_ready(installation, pid, progress)
    return status(installation)


def down(installation: Installation) -> bool:
    """Stop the stack and return when nothing of it runs any more; False when nothing ran."""
    if not installation.supervised():
        return False
    began = time.monotonic()
    pid = 0
    while installation.supervised():
        pid = installation.read().supervisor or pid
        if _is_supervisor(pid):
            # One that hangs is killed; what it started is ended by the kernel then (`mailhaul/stack/child.py`).
            late = time.monotonic() - began > DOWN_TIMEOUT
            os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(POLL)
    if pid:
        _ended(pid)
    return True


def status(installation: Installation) -> StackStatus:
    """How the stack is, process by process."""
    report = installation.read()
    return StackStatus(
        state=report.state,
        message=report.message,
        panel_url=report.panel_url,
        bootstrap=report.bootstrap,
        token_file=installation.token_file,
        members=_members(report),
    )


def _members(report: Report) -> tuple[MemberStatus, ...]:
    described = [(member.name, member.pid, member.starts) for member in report.members]
    if report.supervisor and report.state is not StackState.FAILED:
        described.insert(0, ("supervisor", report.supervisor, 1))
    return tuple(
        MemberStatus(name=name, pid=pid, alive=_exists(pid), starts=starts, memory=proportional_memory(pid))
        for name, pid, starts in described
    )


def _start_supervisor(installation: Installation, options: StackOptions, environment: Mapping[str, str]) -> int:
    """Spawn it in a session of its own, so that it outlives this terminal; returns its pid."""
    installation.prepare()
    log = str(installation.log("supervisor"))
    command = supervisor_command(installation, options)
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, dict(environment), file_actions=files, setsid=True)


def _await_ready(installation: Installation, pid: int | None, progress: Callable[[str], None]) -> None:
    """Wait for our supervisor, or for the one that another `up` started a moment ago."""
    deadline = time.monotonic() + UP_TIMEOUT
    step = ""
    while True:
        # Asked before the report is read: one that had ended by then has written its last word.
        ended = not installation.supervised() if pid is None else _ended(pid)
        report = installation.read()
        known = pid in (None, report.supervisor)
        if known and report.state is StackState.READY:
            return
        if ended:
            reason = report.message if known else ""
            raise StackFailed("stack_failed", reason or f"it did not start; see {installation.log('supervisor')}")
        if known and report.message != step:
            step = report.message
            progress(step)
        if time.monotonic() > deadline:
            raise StackFailed("stack_silent", f"not ready after {UP_TIMEOUT:g} s; see {installation.log('supervisor')}")
        time.sleep(POLL)


def _exists(pid: int) -> bool:
    return pid > 0 and Path(f"/proc/{pid}").exists()


def _ended(child: int) -> bool:
    """Whether our child has ended; also lets go of it when it has."""
    try:
        return os.waitpid(child, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True


def _is_supervisor(pid: int) -> bool:
    """Whether this pid, read from a file, is still the process that the file meant."""
    try:
        return b"mailhaul.stack.supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
