"""The whole stack with a broker of its own over two mail servers, a storm of kills, and what must hold after it."""

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from mailhaul.cli.client import Panel, Problem, Where
from mailhaul.cli.exits import CommandFailed
from mailhaul.stack.control import down, up
from mailhaul.stack.corpus import Corpus
from mailhaul.stack.installation import Installation
from mailhaul.stack.loader import arrive, load
from mailhaul.stack.manifest import Manifest
from mailhaul.stack.supervisor import StackOptions
from mailhaul.stack.world import HOST, MASTER, World
from tests.e2e.canaries import Search, descendants
from tests.fixtures_world import Stack

T = TypeVar("T")
SECONDS = 300.0
OTHERS = ("panel", "validator", "scheduler", "notifier", "projector", "meter")
# Short times for everything that a kill makes others wait for; a broker allows sessions of 6 seconds at the least.
QUICK = {
    "KAFKA__SESSION_TIMEOUT": "6",
    "COPIER__LEASE_SECONDS": "3",
    "COPIER__SETTLE_AFTER": "3",
    "COPIER__MAILBOXES_AT_ONCE": "2",
    "COPIER__BATCH_MESSAGES": "20",
    "SCHEDULER__RETRY_BASE": "1",
    "SCHEDULER__RETRY_CAP": "4",
    "METER__WINDOW_SECONDS": "10",
}


def patient(true: Callable[[], T], what: str, seconds: float = SECONDS) -> T:
    """Wait until something holds, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(0.2)
    return found


class Theatre:
    """One installation, its world and its database."""

    def __init__(self, world: World, mail: Corpus, state: Path, database_url: str) -> None:
        self.world = world
        self.database_url = database_url
        world.populate(mail.accounts)
        world.start()
        self.manifest: Manifest = load(mail, world.old_server())
        installation = Installation(state)
        settings = {f"MAILHAUL_{name}": value for name, value in QUICK.items()}
        environment = {**os.environ, **world.environment(), **settings, "MAILHAUL_DATABASE__URL": database_url}
        status = up(installation, StackOptions(panel_port=0, longest_pause=0.5), environment)
        here = {"MAILHAUL_STATE_DIR": str(state), "MAILHAUL_KAFKA__BOOTSTRAP": status.bootstrap}
        self.stack = Stack(installation=installation, world=world, environment={**environment, **here})
        self.bootstrap = status.bootstrap
        self._panel = Panel(Where(self.stack.panel_url, self.stack.token))  # it comes back at the same address

    def close(self) -> None:
        self._panel.__exit__(None, None, None)
        down(self.stack.installation)

    # -- the panel, which may die at any instant ---------------------------------------------------------------------

    def ask(self, question: Callable[[Panel], T]) -> T:
        """Ask until the panel answers; a refusal of what was asked is raised."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return question(self._panel)
            except CommandFailed as failed:
                if isinstance(failed, Problem) and failed.status < 500:
                    raise
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def upload(self, rows: Iterable[str], **fields: str) -> str:
        """Upload a file; the key makes a repeat find the first, should the panel die over its answer."""
        content = "\n".join(rows).encode()
        form = {"type": "standard-ssl", "recipients": "admin@example.com", **fields}
        return str(self.ask(lambda api: api.upload(form, "accounts.csv", content, key=fields["name"]))["code"])

    def state(self, code: str) -> str:
        return str(self.ask(lambda api: api.get(f"/migrations/{code}"))["status"]["state"])

    def until(self, code: str, *states: str) -> str:
        """Wait for one of these states."""
        return patient(lambda: ((found := self.state(code)) in states and found) or "", f"{code} in {states}")

    # -- what the services wrote ----------------------------------------------------------------------------------

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the services' own database; nothing while it is busy."""
        if self.database_url.startswith("sqlite"):
            file = self.database_url.removeprefix("sqlite:///")
            try:
                connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)
                try:
                    return connection.execute(query).fetchall()
                finally:
                    connection.close()
            except sqlite3.OperationalError:
                return []
        with psycopg.connect(self.database_url.replace("+psycopg", "")) as postgresql:
            return list(postgresql.execute(query.encode()).fetchall())

    def read_model(self) -> Mapping[str, Counter[str]]:
        """Every row of the read model but its own change log."""
        if self.database_url.startswith("sqlite"):
            names = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'read%' ORDER BY name")
        else:
            names = self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'read%'")
        tables = sorted(name for (name,) in names if name not in ("read_change", "read_generation"))
        return {table: Counter(map(repr, self.rows(f'SELECT * FROM "{table}"'))) for table in tables}

    def run(self, *words: str) -> str:
        """Run a `mailhaul` command."""
        command = [sys.executable, "-m", "mailhaul.cli", *words]
        done = subprocess.run(
            command, env=dict(self.stack.environment), capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def judge(self, directory: Path) -> str:
        """Let the independent checker compare both servers with the manifest; return its closing line."""
        passwords, master = directory / "old.passwords", directory / "master.password"
        passwords.write_text("".join(f"{a.source}:{a.password}\n" for a in self.manifest.accounts))
        master.write_text(self.world.master_password + "\n")
        command = [sys.executable, "-m", "checker", "--manifest", str(self.manifest.write(directory / "manifest.json"))]
        command += ["--source", f"imaps://{HOST}:{self.world.source.imaps_port}", "--source-passwords", str(passwords)]
        command += ["--source-unchanged", "--ca", str(self.world.authority.ca_file), "--destination-master", MASTER]
        command += ["--destination", f"imaps://{HOST}:{self.world.destination.imaps_port}"]
        command += ["--destination-password-file", str(master)]
        judged = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert judged.returncode == 0, judged.stdout
        return judged.stdout.splitlines()[-1]

    def arrivals(self, messages: int) -> int:
        """Let new mail arrive at the old server."""
        return arrive(self.manifest, self.world.old_server(), messages)

    def mails(self) -> dict[str, list[bytes]]:
        """Every accepted mail by its Message-ID: the copies of one mail."""
        found: dict[str, list[bytes]] = {}
        for mail in self.world.smtp.mails():
            head = BytesParser(policy=policy.default).parsebytes(mail.content, headersonly=True)
            found.setdefault(str(head["Message-ID"]), []).append(mail.content)
        return found

    def search(self, secrets: Mapping[str, str]) -> Search:
        """Look for secrets in everything that the stack wrote: topics, logs, broker's files, database, mails."""
        search = Search(secrets)
        search.records(self.bootstrap, "")
        installation = self.stack.installation
        # Indexes hold positions alone, and are set up with megabytes of nothing.
        indexes = [path for path in installation.broker.rglob("*index") if path.suffix in (".index", ".timeindex")]
        search.files(installation.directory, but=[installation.token_file, *indexes])
        if self.database_url.startswith("sqlite"):
            search.sqlite(Path(self.database_url.removeprefix("sqlite:///")))
        else:
            search.postgresql(self.database_url)
        for octets in texts(mail for copies in self.mails().values() for mail in copies):
            search.look("a mail", octets)
        return search

    def processes(self) -> set[int]:
        """Every process of the stack."""
        return descendants(self.stack.status.members[0].pid)


def texts(mails: Iterable[bytes]) -> Iterator[bytes]:
    """Mails as they are and as their readers see them."""
    for mail in mails:
        yield mail
        for part in BytesParser(policy=policy.default).parsebytes(mail).walk():
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                yield payload


@dataclass
class Storm:
    """Kills at random instants in the background: the copier while it pushes, the others at any time.

    `struck` counts the kills by name; `met` those of the copier that fell while pushes were under way.
    """

    theatre: Theatre
    rng: random.Random
    copier: int
    others: int
    broker: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    met: int = 0
    trouble: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Rage while the block runs, then deliver what is left and stop."""
        threads = [threading.Thread(target=self._guard, args=[each]) for each in (self._on_copier, self._on_others)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(SECONDS)
        assert self.trouble == []

    def _guard(self, part: Callable[[], None]) -> None:
        try:
            part()
        except (AssertionError, OSError, LookupError, psycopg.Error) as error:
            self.trouble.append(f"{part.__name__}: {error!r}")

    def _strike(self, name: str) -> None:
        self.theatre.stack.kill(name)
        self.struck[name] += 1

    def _on_copier(self) -> None:
        while self.struck["copier"] < self.copier:
            epoch = max(
                (row[0] for row in self.theatre.rows("SELECT max(epoch) FROM copier_lease") if row[0]), default=0
            )
            pushing = f"SELECT 1 FROM copier_intent WHERE epoch > {epoch} LIMIT 1"
            while not self._over.is_set() and not self.theatre.rows(pushing):
                time.sleep(0.02)
            met = bool(self.theatre.rows("SELECT 1 FROM copier_intent LIMIT 1"))
            self._strike("copier")
            self.met += met
            time.sleep(self.rng.uniform(0.2, 1.0))

    def _on_others(self) -> None:
        names = [*OTHERS] * self.others + ["kafka"] * self.broker
        self.rng.shuffle(names)
        for name in names:
            self._over.wait(self.rng.uniform(0.3, 3.0))
            self._strike(name)
            time.sleep(self.rng.uniform(0.1, 0.6))
