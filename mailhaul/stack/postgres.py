"""A throw-away PostgreSQL cluster from the system's binaries: loopback, no fsync, gone afterwards."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from mailhaul.errors import StackFailed
from mailhaul.stack.child import Child
from mailhaul.stack.ports import LOOPBACK, answers, free_ports

DEBIAN = Path("/usr/lib/postgresql")
USER = "mailhaul"
UNIX_USER = "postgres"  # PostgreSQL refuses to run as root
FAST: tuple[str, ...] = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=64MB",
    "max_connections=200",
    "deadlock_timeout=50ms",  # tests of deadlocks wait for nothing else
)


class PostgreSQL:
    """One cluster with the database `postgres`; `url(name)` is what SQLAlchemy takes."""

    def __init__(self) -> None:
        self.port = 0
        self._password = secrets.token_urlsafe(16)
        self._directory = Path(tempfile.mkdtemp(prefix="mailhaul-postgres-"))
        self._user = UNIX_USER if os.geteuid() == 0 else ""
        self._child: Child | None = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://{USER}:{self._password}@{LOOPBACK}:{self.port}/{database}"

    def start(self, *, timeout: float = 30.0) -> None:
        binaries = _binaries()
        data = self._directory / "data"
        if not data.exists():
            self._create(binaries, data)
        (self.port,) = free_ports(1)
        places = (f"port={self.port}", f"listen_addresses={LOOPBACK}", "unix_socket_directories=")
        options = [word for setting in (*places, *FAST) for word in ("-c", setting)]
        command = [str(binaries / "postgres"), "-D", str(data), *options]
        self._child = Child("PostgreSQL", command, self._directory / "postgres.log", user=self._user)
        self._child.wait_until(self._accepts, timeout=timeout)

    def close(self) -> None:
        """End it and remove everything."""
        if self._child is not None:
            self._child.stop()
            self._child = None
        shutil.rmtree(self._directory, ignore_errors=True)

    def _create(self, binaries: Path, data: Path) -> None:
        """initdb; a password even on loopback, because the cluster's superuser could run commands."""
        password = self._directory / "password"
        password.touch(mode=0o600)
        password.write_text(self._password, encoding="ascii")
        if self._user:
            account = pwd.getpwnam(self._user)
            for path in (self._directory, password):
                os.chown(path, account.pw_uid, account.pw_gid)
        command = [str(binaries / "initdb"), "-D", str(data), "-U", USER, f"--pwfile={password}"]
        done = subprocess.run(
            [*command, "--auth=password", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
            user=self._user or None,
            group=self._user or None,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StackFailed("postgres_failed", f"initdb ended with status {done.returncode}:\n{done.stderr[-2000:]}")

    def _accepts(self) -> bool:
        # The port is open a moment before the server takes sessions; its log says when.
        ready = "ready to accept connections" in (self._directory / "postgres.log").read_text(errors="replace")
        return ready and answers(self.port)


def _binaries() -> Path:
    """The newest PostgreSQL of this machine."""
    found = sorted(DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    raise StackFailed("postgres_missing", "PostgreSQL is not installed; run `make setup`")
