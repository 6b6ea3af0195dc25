"""The copiers that a campaign can kill: Mailhaul's own, and a naive one that shows what the harness is able to see."""

import json
import multiprocessing
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Protocol

from tests.faults.stage import MASTER, MASTER_PASSWORD, Move, Stage

SETTLE_AFTER = 2.0


class Copier(Protocol):
    """A process that copies, as `subprocess.Popen` has it."""

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def kill(self) -> None: ...

    def send_signal(self, sig: int) -> None: ...


class Engine(Protocol):
    """How a copier is started; `ledger` is a directory of the round's own, the same at every start."""

    def start(
        self, stage: Stage, moves: Sequence[Move], ledger: Path, *, settle: bool = False, failpoints: str = ""
    ) -> Copier:
        """Start one; it writes to `copier.log` in the ledger's directory."""
        ...

    def failpoints(self) -> list[str]:
        """The places in it where it can be told to die; none by default."""
        ...

    def open_pushes(self, ledger: Path) -> bool:
        """Whether its ledger says that pushes are under way; asked after a kill, to know what the kill has met."""
        ...

    def reported(self, ledger: Path) -> int:
        """How many possible second copies it reported and left to a person."""
        ...

    def watch(self, ledger: Path) -> Callable[[], int]:
        """Called before a start; what it returns counts the messages entered since; -1 before the first push."""
        ...


class Naive:
    """Append, then commit: `naive_copier.py`."""

    def start(
        self, stage: Stage, moves: Sequence[Move], ledger: Path, *, settle: bool = False, failpoints: str = ""
    ) -> Copier:
        job = {
            "source": stage.source.imaps_port,
            "destination": stage.destination.imaps_port,
            "ca": str(stage.ca_file),
            "master": [MASTER, MASTER_PASSWORD],
            "ledger": str(ledger / "naive.db"),
            "moves": [[move.source, move.password, move.destination] for move in moves],
        }
        file = ledger / "job.json"
        file.write_text(json.dumps(job))
        command = [sys.executable, str(Path(__file__).with_name("naive_copier.py")), str(file)]
        with (ledger / "copier.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def failpoints(self) -> list[str]:
        return []

    def open_pushes(self, ledger: Path) -> bool:
        return False

    def reported(self, ledger: Path) -> int:
        return 0

    def watch(self, ledger: Path) -> Callable[[], int]:
        def count() -> int:
            rows = _rows(ledger / "naive.db", "SELECT count(*) FROM done")
            return int(rows[0][0]) if rows else 0

        before = count()
        return lambda: count() - before or -1


class Mailhaul:
    """`python -m services.copier.local --csv`, every mailbox of the round in one process.

    The processes are forked from one that has the modules loaded already: loading them takes longer than a copy does.
    """

    MODULE = "services.copier.local.__main__"

    def __init__(self, *, at_once: int = 2) -> None:
        self.at_once = at_once
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([self.MODULE])

    def start(
        self, stage: Stage, moves: Sequence[Move], ledger: Path, *, settle: bool = False, failpoints: str = ""
    ) -> Copier:
        rows = ledger / "rows.csv"
        host = f"localhost:{stage.source.imaps_port}"
        rows.write_text("".join(f"{move.destination};{host};{move.source};{move.password}\n" for move in moves))
        words = ["--csv", str(rows), "--at-once", str(self.at_once), *(["--settle"] if settle else [])]
        environment = self._environment(stage, ledger, failpoints)
        log = str(ledger / "copier.log")
        process = self._context.Process(target=run_module, args=(self.MODULE, words, environment, log), daemon=True)
        process.start()
        return Forked(process)

    def _environment(self, stage: Stage, ledger: Path, failpoints: str) -> dict[str, str]:
        settings = {
            "STATE_DIR": str(ledger),
            "PLATFORM__HOST": "localhost",
            "PLATFORM__PORT": str(stage.destination.imaps_port),
            "PLATFORM__CA_FILE": str(stage.ca_file),
            "PLATFORM__MASTER_USER": MASTER,
            "PLATFORM__MASTER_PASSWORD": MASTER_PASSWORD,
            "SOURCE__CA_FILE": str(stage.ca_file),
            "SOURCE__ALLOW_NETWORKS": '["127.0.0.0/8", "::1/128"]',
            "SOURCE__PORTS": f"[{stage.source.imaps_port}]",
            "SOURCE__PROGRESS_TIMEOUT": "5",
            "COPIER__LEASE_SECONDS": "2",
            "COPIER__SETTLE_AFTER": str(SETTLE_AFTER),
            "COPIER__BATCH_MESSAGES": "20",
            "FAILPOINTS": failpoints,
        }
        return {f"MAILHAUL_{name}": value for name, value in settings.items()}

    def failpoints(self) -> list[str]:
        text = "".join(path.read_text("utf-8") for path in sorted(Path("services/copier").glob("*.py")))
        return sorted(set(re.findall(r'failpoint\("(copier\.[^"]+)"\)', text)))

    def open_pushes(self, ledger: Path) -> bool:
        return bool(_rows(ledger / "copy.sqlite3", "SELECT 1 FROM copier_intent LIMIT 1"))

    def reported(self, ledger: Path) -> int:
        rows = _rows(ledger / "copy.sqlite3", "SELECT count(*) FROM copier_surplus WHERE action = 'reported'")
        return int(rows[0][0]) if rows else 0

    def watch(self, ledger: Path) -> Callable[[], int]:
        file = ledger / "copy.sqlite3"
        epochs = dict(_rows(file, "SELECT mailbox_id, epoch FROM copier_lease"))

        def entered() -> int:
            rows = _rows(file, "SELECT coalesce(sum(messages), 0) FROM copier_batch")
            return int(rows[0][0]) if rows else 0

        before = entered()

        def progress() -> int:
            pushes = _rows(file, "SELECT mailbox_id, epoch FROM copier_intent")
            begun = any(epoch > epochs.get(mailbox, 0) for mailbox, epoch in pushes)
            return entered() - before if begun else -1

        return progress


class Forked:
    """A forked process in the words of `subprocess.Popen`."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self._process.name), timeout or 0.0)
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, sig: int) -> None:
        if self._process.pid is not None and self._process.exitcode is None:
            os.kill(self._process.pid, sig)


def run_module(module: str, words: list[str], environment: dict[str, str], log: str) -> None:
    """Be what `python -m module words` would be; called in the forked process."""
    signal.set_wakeup_fd(-1)
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.environ.update(environment)
    sys.argv = [module, *words]
    sys.exit(sys.modules[module].main())


def _rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    """Read a ledger that another process writes; nothing where there is no such file or table yet."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []
