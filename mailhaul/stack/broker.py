"""The embedded Apache Kafka: one node, KRaft, loopback only, with a data directory that survives kills."""

import base64
import fcntl
import os
import signal
import time
from pathlib import Path
from uuid import UUID, uuid4

from mailhaul.errors import StackFailed
from mailhaul.stack.child import Child
from mailhaul.stack.kafka_home import CONFIGURATION, Kafka
from mailhaul.stack.kafka_probe import broker_answers
from mailhaul.stack.ports import LOOPBACK, free_ports, is_free

# SIGTERM is how a broker is stopped; the JVM then reports 128 + 15 although everything was written.
CLEAN = frozenset({0, 143, -signal.SIGTERM})
PORT_TRIES = 3
POLL = 0.1


class Broker:
    """A broker over one data directory; `start`, `stop` and `kill` may follow each other any number of times.

    The address is chosen at the first start and kept, so that clients find the broker again. An acknowledged record
    survives `kill`; it is in the page cache, so it survives a power cut only on topics with `flush.messages=1`.
    """

    def __init__(self, directory: Path, kafka: Kafka, *, port: int = 0) -> None:
        self.directory = directory
        self.log = directory / "broker.log"
        self._kafka = kafka
        self._port = port
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self.alive and self._child else None

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    def start(self, *, timeout: float = 60.0) -> str:
        """Start it and return its address once it answers requests; raises `StackFailed`."""
        if self.alive:
            return self.bootstrap
        self.directory.mkdir(parents=True, exist_ok=True)
        fixed = self._port != 0
        for attempt in range(1, PORT_TRIES + 1):
            try:
                self._start_once(timeout)
                return self.bootstrap
            except StackFailed:
                # Between our choice of a port and the broker's bind somebody else may take it.
                taken = not is_free(self._port)
                self.kill()
                if fixed or not taken or attempt == PORT_TRIES:
                    raise
                self._port = 0
        raise AssertionError("unreachable")

    def stop(self, *, timeout: float = 30.0) -> None:
        """Stop it in order, so that the next start has nothing to recover."""
        if self._child is None:
            return
        status = self._child.stop(timeout=timeout)
        self._child = None
        if status not in CLEAN:
            raise StackFailed("stack_died", f"the broker ended with status {status}; see {self.log}")

    def kill(self) -> None:
        """End it as a power cut of the process would."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _start_once(self, timeout: float) -> None:
        settings = self._write_settings()
        if not (self.directory / "data" / "meta.properties").exists():
            self._format(settings)
        self._await_data(timeout)
        self._child = Child("the broker", self._kafka.serve(settings), self.log, environment=self._environment())
        self._child.wait_until(lambda: broker_answers(self._port), timeout=timeout)

    def _await_data(self, timeout: float) -> None:
        """Wait for a predecessor that is still stopping: Kafka ends at once when it finds its data locked."""
        lock = self.directory / "data" / ".lock"
        deadline = time.monotonic() + timeout
        while lock.exists() and not _can_lock(lock):
            if time.monotonic() > deadline:
                raise StackFailed("stack_running", f"another broker works on {self.directory}")
            time.sleep(POLL)

    def _write_settings(self) -> Path:
        if self._port == 0:
            self._port, controller_port = free_ports(2)
        else:
            (controller_port,) = free_ports(1)
        text = (CONFIGURATION / "server.properties.in").read_text(encoding="utf-8")
        for name, value in {
            "@PORT@": str(self._port),
            "@CONTROLLER_PORT@": str(controller_port),
            "@DATA@": str(self.directory / "data"),
        }.items():
            text = text.replace(name, value)
        path = self.directory / "server.properties"
        path.write_text(text, encoding="utf-8")
        return path

    def _format(self, settings: Path) -> None:
        """Give the data directory its cluster id; a format that was killed half-way is simply done again."""
        identity = self.directory / "cluster-id"
        if not identity.exists():
            identity.write_text(_cluster_id(uuid4()), encoding="ascii")
        command = self._kafka.format(settings, identity.read_text(encoding="ascii"))
        child = Child("the broker's format", command, self.log, environment=self._environment())
        child.wait_until(lambda: child.status == 0, timeout=60.0)

    def _environment(self) -> dict[str, str]:
        # Our settings hold passwords, and Kafka has no use for them.
        outer = {name: value for name, value in os.environ.items() if not name.startswith("MAILHAUL_")}
        return {**outer, **self._kafka.environment}


def _can_lock(path: Path) -> bool:
    # Java's FileChannel.lock is a POSIX record lock, which lockf asks for too.
    with path.open("r+b") as handle:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _cluster_id(identity: UUID) -> str:
    """A UUID in the 22 letters that Kafka writes; one that begins with a dash would be read as an option."""
    return base64.urlsafe_b64encode(identity.bytes).rstrip(b"=").decode("ascii").replace("-", "A")
