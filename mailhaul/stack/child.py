"""A server process of ours: it logs to a file, dies with us, and is stopped with patience."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from mailhaul.errors import StackFailed

POLL = 0.05
TAIL_LINES = 25


class Child:
    """One running server; `name` is how an operator knows it, `log` is where its output goes."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        user: str = "",
        outlives: bool = False,
    ) -> None:
        """Start it, as `user` when we are root; with `outlives` it goes on when we end."""
        self.name = name
        self.log = log
        bound = command if outlives else _bound_to_us(command, user)
        with log.open("ab") as output:
            self._process = _spawn(bound, output.fileno(), environment)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def status(self) -> int | None:
        """Exit status, negative for a signal, None while it runs."""
        return self._process.poll()

    def wait_until(self, ready: Callable[[], bool], *, timeout: float) -> None:
        """Return when `ready()`; raise `StackFailed` with the end of the log when it died or took too long."""
        deadline = time.monotonic() + timeout
        while not ready():
            # Asked again after its end: it may have done its work between the two looks.
            if not self.alive and not ready():
                raise StackFailed("stack_died", f"{self.name} ended with status {self.status}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StackFailed("stack_silent", f"{self.name} not ready after {timeout:g} s:\n{self.tail()}")
            time.sleep(POLL)

    def send(self, number: signal.Signals) -> None:
        if self.alive:
            self._process.send_signal(number)

    def stop(self, *, timeout: float = 20.0) -> int:
        """End it by SIGTERM, by SIGKILL after `timeout` seconds, and return the exit status."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End it as a power cut would."""
        self.send(signal.SIGKILL)
        return self._process.wait()

    def tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])


@cache
def _spawner() -> ThreadPoolExecutor:
    # The kernel ties a "die with your parent" signal to the thread that forked. One thread that lives as long as this
    # process does all the forking, so that a server outlives whichever short-lived thread asked for it.
    return ThreadPoolExecutor(1, thread_name_prefix="mailhaul-spawner")


def _spawn(command: Sequence[str], output: int, environment: Mapping[str, str] | None) -> "subprocess.Popen[bytes]":
    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            start_new_session=True,  # a Ctrl-C at the terminal is ours to translate into an orderly stop
        )

    try:
        return _spawner().submit(start).result()
    except OSError as error:
        raise StackFailed("stack_missing", f"cannot start {command[0]}: {error.strerror}; run `make setup`") from error


def _bound_to_us(command: Sequence[str], user: str) -> list[str]:
    """The command, run as `user` when we are root, ended by SIGTERM when we die without stopping it."""
    wrapper = shutil.which("setpriv")
    if wrapper is None:
        if user and os.geteuid() == 0:
            raise StackFailed("stack_missing", "setpriv (Debian's util-linux) is needed to start servers as root")
        return list(command)
    drop = [f"--reuid={user}", f"--regid={user}", "--init-groups"] if user and os.geteuid() == 0 else []
    return [wrapper, *drop, "--pdeathsig=TERM", "--", *command]
