"""The copiers that a campaign can kill: Mailhaul's own, and a naive one that shows what the harness is able to see."""

import json
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from tests.faults.stage import MASTER, MASTER_PASSWORD, Move, Stage

SETTLE_AFTER = 2.0


class Engine(Protocol):
    """How a copier is started; `ledger` is a directory of the round's own, the same at every start."""

    def command(self, stage: Stage, moves: Sequence[Move], ledger: Path, *, settle: bool = False) -> list[str]: ...

    def environment(self, stage: Stage, ledger: Path, *, failpoints: str = "") -> dict[str, str]: ...

    def failpoints(self) -> list[str]:
        """The places in it where it can be told to die; none by default."""
        ...

    def open_pushes(self, ledger: Path) -> bool:
        """Whether its ledger says that pushes are under way; asked after a kill, to know what the kill has met."""
        ...

    def watch(self, ledger: Path) -> Callable[[], bool]:
        """Called before a start; what it returns says whether the copier that was started then has begun to push."""
        ...


class Naive:
    """Append, then commit: `naive_copier.py`."""

    def command(self, stage: Stage, moves: Sequence[Move], ledger: Path, *, settle: bool = False) -> list[str]:
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
        return [sys.executable, str(Path(__file__).with_name("naive_copier.py")), str(file)]

    def environment(self, stage: Stage, ledger: Path, *, failpoints: str = "") -> dict[str, str]:
        return dict(os.environ)

    def failpoints(self) -> list[str]:
        return []

    def open_pushes(self, ledger: Path) -> bool:
        return False

    def watch(self, ledger: Path) -> Callable[[], bool]:
        def count() -> int:
            rows = _rows(ledger / "naive.db", "SELECT count(*) FROM done")
            return int(rows[0][0]) if rows else 0

        before = count()
        return lambda: count() > before


class Mailhaul:
    """`python -m services.copier.local --csv`, every mailbox of the round in one process."""

    def __init__(self, *, at_once: int = 4) -> None:
        self.at_once = at_once

    def command(self, stage: Stage, moves: Sequence[Move], ledger: Path, *, settle: bool = False) -> list[str]:
        rows = ledger / "rows.csv"
        host = f"localhost:{stage.source.imaps_port}"
        rows.write_text("".join(f"{move.destination};{host};{move.source};{move.password}\n" for move in moves))
        command = [sys.executable, "-m", "services.copier.local", "--csv", str(rows), "--at-once", str(self.at_once)]
        return [*command, *(["--settle"] if settle else [])]

    def failpoints(self) -> list[str]:
        text = "".join(path.read_text("utf-8") for path in sorted(Path("services/copier").glob("*.py")))
        return sorted(set(re.findall(r'failpoint\("(copier\.[^"]+)"\)', text)))

    def environment(self, stage: Stage, ledger: Path, *, failpoints: str = "") -> dict[str, str]:
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
            "COPIER__SETTLE_AFTER": str(SETTLE_AFTER),
            "COPIER__BATCH_MESSAGES": "20",
            "FAILPOINTS": failpoints,
        }
        return {**os.environ, **{f"MAILHAUL_{name}": value for name, value in settings.items() if value}}

    def open_pushes(self, ledger: Path) -> bool:
        return bool(_rows(ledger / "copy.sqlite3", "SELECT 1 FROM copier_intent LIMIT 1"))

    def watch(self, ledger: Path) -> Callable[[], bool]:
        file = ledger / "copy.sqlite3"
        before = dict(_rows(file, "SELECT mailbox_id, epoch FROM copier_lease"))

        def pushing() -> bool:
            rows = _rows(file, "SELECT mailbox_id, epoch FROM copier_intent")
            return any(epoch > before.get(mailbox, 0) for mailbox, epoch in rows)

        return pushing


def _rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    """Read a ledger that another process writes; nothing where there is no such file or table yet."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []
