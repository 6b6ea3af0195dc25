"""Keeps the stack of one installation running: broker, one process per service, restarts with a back-off, a clean end.

It imports the standard library and nothing heavier: it lives as long as the stack, beside everything else.
"""

import argparse
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mailhaul.errors import StackFailed
from mailhaul.stack.broker import Broker
from mailhaul.stack.child import Child
from mailhaul.stack.installation import Installation, Member, Report, StackState
from mailhaul.stack.kafka_home import find_kafka
from mailhaul.stack.ports import LOOPBACK, free_ports, is_free
from mailhaul.stack.roster import SERVICES, environment_of, shared_environment

LOOK = 0.2  # seconds between two looks at the processes
PANEL_PORT = 8025
READY_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
GUARDIAN = (
    "MAILHAUL_STACK_GUARDIAN"  # in the environment: pid that the demo and tests name, so that nothing outlives them
)
STEADY = 60.0  # a process that lived this long begins again with the first pause


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """What `mailhaul up` was asked for. An empty bootstrap means the embedded broker, port 0 any free port."""

    bootstrap: str = ""
    panel_port: int | None = None  # None: the usual port, or a free one when it is taken
    services: tuple[str, ...] = SERVICES
    guardian: int = 0  # a process whose end ends the stack; 0: nobody's
    longest_pause: float = LONGEST_PAUSE  # seconds before a service that keeps dying is started again


@dataclass
class Post:
    """A service's place in the stack, whoever fills it at the moment."""

    name: str
    child: Child | None = None
    starts: int = 0
    since: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0


class Supervisor:
    """One run of the stack, from `start` to `stop`; single-threaded."""

    def __init__(self, installation: Installation, options: StackOptions, environment: Mapping[str, str]) -> None:
        self._installation = installation
        self._options = options
        self._outer = environment
        self._posts = [Post(name) for name in options.services]
        self._broker: Broker | None = None
        self._broker_starts = 0
        self._bootstrap = options.bootstrap
        self._panel_port = 0
        self._shared: dict[str, str] = {}
        self._state = StackState.STARTING
        self._message = ""
        self.stopping = False

    def run(self) -> None:
        """Hold the installation until asked to stop; raises `StackFailed` when the stack cannot go on."""
        self._installation.prepare()
        with self._installation.held():
            try:
                self._start()
                while not self._is_over():
                    self._look_after()
                    time.sleep(LOOK)
            except StackFailed as failure:
                self._stop()
                self._tell(StackState.FAILED, failure.text)
                raise
            self._stop()
            self._tell(StackState.DOWN)

    def _start(self) -> None:
        self._tell(StackState.STARTING, "database")
        self._panel_port = _panel_port(self._options.panel_port)
        self._shared = self._environment("")
        database = self._short("database")
        if not self._options.bootstrap:
            self._tell(StackState.STARTING, "broker")
            self._broker = Broker(self._installation.broker, find_kafka(self._outer))
            self._bootstrap = self._broker.start()
            self._broker_starts = 1
            self._shared = self._environment(self._bootstrap)
        database.wait_until(lambda: database.status == 0, timeout=READY_TIMEOUT)
        self._tell(StackState.STARTING, "topics")
        topics = self._short("topics")
        topics.wait_until(lambda: topics.status == 0, timeout=READY_TIMEOUT)
        for post in self._posts:
            self._fill(post)
        self._tell(StackState.STARTING, "services")
        self._await_panel()
        self._tell(StackState.READY)
        self._say("stack_ready", bootstrap=self._bootstrap, panel_port=self._panel_port)

    def _is_over(self) -> bool:
        guardian = self._options.guardian
        return self.stopping or (guardian > 0 and not Path(f"/proc/{guardian}").exists())

    def _environment(self, bootstrap: str) -> dict[str, str]:
        return shared_environment(
            self._outer,
            self._installation,
            bootstrap=bootstrap or self._options.bootstrap,
            panel_port=self._panel_port,
        )

    def _short(self, what: str) -> Child:
        command = [sys.executable, "-m", "mailhaul.stack.prepare", what]
        return Child(f"preparing the {what}", command, self._installation.log("prepare"), environment=self._shared)

    def _fill(self, post: Post) -> None:
        command = [sys.executable, "-m", f"services.{post.name}"]
        post.child = Child(
            post.name,
            command,
            self._installation.log(post.name),
            environment=environment_of(post.name, self._shared),
        )
        post.starts += 1
        post.since = time.monotonic()

    def _await_panel(self) -> None:
        """The panel is the last to be ready; the others are watched meanwhile."""
        deadline = time.monotonic() + READY_TIMEOUT
        panels = [post for post in self._posts if post.name == "panel"]
        while panels and not self.stopping and not _http_answers(self._panel_port):
            if time.monotonic() > deadline:
                raise StackFailed("stack_silent", f"the panel does not answer; see {self._installation.log('panel')}")
            for post in panels:
                if post.starts > 3 and post.child is not None and not post.child.alive:
                    raise StackFailed("stack_died", f"the panel does not start:\n{post.child.tail()}")
            self._look_after()
            time.sleep(LOOK)

    def _look_after(self) -> None:
        """Start again what died, each after its pause."""
        if self._broker is not None and not self._broker.alive:
            self._say("broker_died")
            self._broker.start()
            self._broker_starts += 1
            self._tell(self._state)
        now = time.monotonic()
        for post in self._posts:
            if post.child is not None and not post.child.alive:
                steady = now - post.since > STEADY
                post.pause = FIRST_PAUSE if steady else min(post.pause * 2, self._options.longest_pause)
                post.due = now + post.pause
                self._say("service_died", service=post.name, status=post.child.status, again_in=post.pause)
                post.child = None
                self._tell(self._state, self._message)
            if post.child is None and now >= post.due and not self.stopping:
                self._fill(post)
                self._tell(self._state, self._message)

    def _stop(self) -> None:
        """Ask every service at once, wait for each, then stop the broker that they needed until now."""
        self._tell(StackState.STOPPING)
        running = [(post.name, post.child) for post in self._posts if post.child is not None]
        for _, child in running:
            child.send(signal.SIGTERM)
        began = time.monotonic()
        for name, child in running:
            status = child.stop(timeout=max(0.1, began + STOP_TIMEOUT - time.monotonic()))
            self._say("service_stopped", service=name, status=status, seconds=round(time.monotonic() - began, 1))
        for post in self._posts:
            post.child = None
        if self._broker is not None:
            try:
                self._broker.stop()
            except StackFailed as failure:
                self._say("broker_ended_badly", error=failure.text)
        self._say("stack_stopped")

    def _tell(self, state: StackState, message: str = "") -> None:
        self._state, self._message = state, message
        members = [Member(name=post.name, pid=_pid(post.child), starts=post.starts) for post in self._posts]
        if self._broker is not None:
            members.insert(0, Member(name="kafka", pid=self._broker.pid or 0, starts=self._broker_starts))
        self._installation.write(
            Report(
                state=state,
                message=message,
                supervisor=os.getpid(),
                bootstrap=self._bootstrap,
                panel_url=f"http://{LOOPBACK}:{self._panel_port}" if self._panel_port else "",
                members=tuple(members),
            )
        )

    def _say(self, event: str, **fields: object) -> None:
        """One line of JSON in the log, as every service writes them."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        sys.stderr.write(json.dumps({"timestamp": stamp, "event": event, **fields}, default=str) + "\n")
        sys.stderr.flush()


def _pid(child: Child | None) -> int:
    return child.pid if child is not None and child.alive else 0


def _panel_port(asked: int | None) -> int:
    if asked is None and is_free(PANEL_PORT):
        return PANEL_PORT
    if not asked:
        return free_ports(1)[0]
    if not is_free(asked):
        raise StackFailed("port_taken", f"port {asked} is taken by another program; give --port another, or 0 for any")
    return asked


def _http_answers(port: int) -> bool:
    """Whether an HTTP server on loopback answers anything at all."""
    request = f"GET / HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2.0) as connection:
            connection.sendall(request.encode("ascii"))
            return connection.recv(16).startswith(b"HTTP/1.")
    except OSError:
        return False


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """`python -m mailhaul.stack.supervisor --state-dir DIR [--kafka HOST:PORT] [--port N]`, until SIGTERM."""
    parser = argparse.ArgumentParser(prog="mailhaul.stack.supervisor")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--kafka", default="")
    parser.add_argument("--port", type=int, default=None)
    parser.add_argument("--services", default=",".join(SERVICES))
    parser.add_argument("--longest-pause", type=float, default=LONGEST_PAUSE)
    asked = parser.parse_args(arguments)
    os.umask(0o077)
    options = StackOptions(
        bootstrap=asked.kafka,
        panel_port=asked.port,
        services=tuple(filter(None, asked.services.split(","))),
        longest_pause=asked.longest_pause,
        guardian=int(environment.get(GUARDIAN, "0")),
    )
    supervisor = Supervisor(Installation(asked.state_dir), options, environment)

    def stop(number: int, frame: object) -> None:
        supervisor.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        supervisor.run()
    except StackFailed as failure:
        sys.stderr.write(f"{failure.text}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
