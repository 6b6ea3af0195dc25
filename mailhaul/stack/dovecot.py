"""A real Dovecot of our own: free ports on loopback, its own users and mail, faults on demand."""

import base64
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from mailhaul.errors import StackFailed
from mailhaul.stack.certificates import Authority
from mailhaul.stack.child import Child
from mailhaul.stack.dovecot_settings import (
    Accounts,
    DovecotSettings,
    Place,
    Storage,
    accounts_of_this_process,
    configuration,
)
from mailhaul.stack.ports import answers, free_ports

__all__ = ["Dovecot", "DovecotSettings", "Storage"]
ALSO_LOOK_IN = "/usr/sbin:/usr/local/sbin"
# Dovecot looks at the passwd-file at most once in a second.
SECOND = 1.0


@dataclass
class _User:
    password: str
    quota: str = ""
    locked: bool = False


class Dovecot:
    """One server. Certificates name `localhost`, 127.0.0.1 and `host`; clients trust `authority.ca_file`.

    `directory` must be reachable by Dovecot's mail user when we are root, so not below a home of mode 0700; without
    one a temporary directory is made and removed at `close`. Ports stay the same over stops and starts.
    """

    def __init__(
        self,
        name: str,
        authority: Authority,
        settings: DovecotSettings | None = None,
        *,
        directory: Path | None = None,
        host: str = "localhost",
        outlives: bool = False,
    ) -> None:
        self.name = name
        self.host = host
        self.ca_file = authority.ca_file
        self.settings = settings or DovecotSettings()
        self.address = self.settings.address
        self._temporary = None if directory else Path(tempfile.mkdtemp(prefix=f"mailhaul-{name}-"))
        self._run = Path(tempfile.mkdtemp(prefix="mailhaul-run-"))
        self._accounts = accounts_of_this_process()
        self._outlives = outlives
        self._users: dict[str, _User] = {}
        self._revision = 0
        self._child: Child | None = None
        self.directory = directory or self._temporary or Path()
        self._place = self._prepare(authority)
        self.mail_directory = self._place.mail
        self.imap_port = self._place.imap
        self.imaps_port = self._place.imaps
        self.pop3_port = self._place.pop3
        self.pop3s_port = self._place.pop3s

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    @property
    def run_directory(self) -> Path:
        """Sockets, apart from `directory` because their path must be short."""
        return self._run

    @property
    def pid(self) -> int | None:
        """The master process, whose end ends all of it."""
        return self._child.pid if self._child and self._child.alive else None

    @property
    def log(self) -> Path:
        return self._place.home / "dovecot.log"

    def start(self, *, timeout: float = 20.0) -> None:
        """Start it and return when both mail protocols greet; raises `StackFailed`."""
        if self.alive:
            return
        self._write_users()
        self._write_configuration()
        command = [_executable(), "-F", "-c", str(self._place.home / "dovecot.conf")]
        out = self._place.home / "dovecot.out"
        self._child = Child(f"Dovecot {self.name}", command, out, outlives=self._outlives)
        self._child.wait_until(self._greets, timeout=timeout)

    def stop(self) -> None:
        """Stop it in order: sessions are ended, mails and users stay for the next start."""
        if self._child is not None:
            self._signal_all(signal.SIGCONT)
            self._child.stop()
            self._signal_all(signal.SIGKILL)
            self._child = None

    def kill(self) -> None:
        """End every process of it at once, in the middle of whatever it writes."""
        if self._child is not None:
            sessions = self._processes()
            self._child.kill()
            for pid in sessions:
                _signal(pid, signal.SIGKILL)
            self._child = None

    def close(self) -> None:
        """End it for good and remove what was temporary."""
        self.kill()
        shutil.rmtree(self._run, ignore_errors=True)
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    # -- users ---------------------------------------------------------------------------------------------------

    def add_user(self, user: str, password: str, *, quota: str = "") -> None:
        """A mailbox; `quota` is Dovecot's storage size such as `50K`, and needs `settings.quota`."""
        self.add_users({user: password}, quota=quota)

    def add_users(self, passwords: dict[str, str], *, quota: str = "") -> None:
        for user, password in passwords.items():
            self._users[user] = _User(password, quota)
        self._write_users()

    def remove_user(self, user: str) -> None:
        """The account is gone; its mails stay on disk."""
        del self._users[user]
        self._write_users()

    def set_password(self, user: str, password: str) -> None:
        self._users[user].password = password
        self._write_users()

    def set_quota(self, user: str, quota: str) -> None:
        self._users[user].quota = quota
        self._write_users()

    def lock(self, user: str, *, locked: bool = True) -> None:
        """Refuse this user's sign-in whatever the password."""
        self._users[user].locked = locked
        self._write_users()

    # -- faults --------------------------------------------------------------------------------------------------

    def stall(self) -> None:
        """Freeze every process: connections stay open and nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Wake what `stall` froze."""
        self._signal_all(signal.SIGCONT)

    def drop_sessions(self) -> int:
        """Kill the processes of open IMAP and POP3 sessions, and say how many; the server goes on."""
        return len(self.signal_sessions(signal.SIGKILL))

    def signal_sessions(self, number: signal.Signals, *, but: Collection[int] = ()) -> list[int]:
        """Send a signal to the processes of open IMAP and POP3 sessions alone, and say which were sent it."""
        sessions = [pid for pid in self._processes() if pid not in but and _program(pid) in {"imap", "pop3"}]
        for pid in sessions:
            _signal(pid, number)
        return sessions

    def change(self, settings: DovecotSettings) -> None:
        """Restart it with other settings, on the same ports, users and mails."""
        self.stop()
        self.settings = settings
        self.start()

    # -- inside --------------------------------------------------------------------------------------------------

    def _prepare(self, authority: Authority) -> Place:
        mail = self.directory / "mail"
        mail.mkdir(parents=True, exist_ok=True)
        (self._run / "state").mkdir()
        for path in (self.directory, self._run):
            path.chmod(0o755)
        if self._accounts.privileged:
            os.chown(mail, self._accounts.mail_uid, self._accounts.mail_gid)
        mail.chmod(0o700)
        certificate, key = authority.issue(self.name, *dict.fromkeys((self.host, "localhost", self.address)))
        imap, imaps, pop3, pop3s = free_ports(4)
        return Place(
            run=self._run,
            home=self.directory,
            mail=mail,
            imap=imap,
            imaps=imaps,
            pop3=pop3,
            pop3s=pop3s,
            certificate=certificate,
            key=key,
        )

    def _write_configuration(self) -> None:
        text = configuration(self.name, self.settings, self._place, self._accounts)
        (self._place.home / "dovecot.conf").write_text(text, encoding="utf-8")
        masters = "".join(_line(name, _User(password), self._accounts) for name, password in self._masters())
        _replace(self._place.home / "masters", masters)

    def _masters(self) -> list[tuple[str, str]]:
        return list(self.settings.master_users.items())

    def _write_users(self) -> None:
        """Write the passwd-file and, when the server runs, wait until it must have read it."""
        # Dovecot reads the file again when its second of change or its size differs: each revision has its own size.
        self._revision += 1
        lines = "".join(_line(name, user, self._accounts) for name, user in self._users.items())
        _replace(self._place.home / "users", lines + "#" * (self._revision % 50) + "\n")
        if self.alive:
            time.sleep(SECOND)

    def _greets(self) -> bool:
        imap = answers(self.imap_port, self.address, greeting=b"* OK")
        return imap and answers(self.pop3_port, self.address, greeting=b"+OK")

    def _processes(self) -> list[int]:
        """The master and everything below it."""
        if self._child is None:
            return []
        # The child leads a session of its own, and none of Dovecot's processes leaves it.
        return [int(entry.name) for entry in Path("/proc").iterdir() if _session(entry) == self._child.pid]

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self._processes():
            _signal(pid, number)


def _executable() -> str:
    found = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:{ALSO_LOOK_IN}")
    if found is None:
        raise StackFailed("dovecot_missing", "Dovecot is not installed; run `make setup`")
    return found


def _line(name: str, user: _User, accounts: Accounts) -> str:
    # Base64, because a password may hold the colon that ends a field; the empty fields are gecos, home and shell.
    secret = base64.b64encode(user.password.encode("utf-8")).decode("ascii")
    extra = f" userdb_quota_rule=*:storage={user.quota}" if user.quota else ""
    lock = " nologin=y" if user.locked else ""
    return f"{name}:{{PLAIN.b64}}{secret}:{accounts.mail_uid}:{accounts.mail_gid}::::{extra.strip()}{lock}\n"


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    # Dovecot's auth process reads it as its own user; the directory is a throw-away of ours.
    new.chmod(0o644)
    new.replace(path)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _session(entry: Path) -> int:
    """Session id of a /proc entry, 0 when it is no process or gone."""
    if not entry.name.isdigit():
        return 0
    try:
        # proc(5), stat: after the command in brackets come state, ppid, pgrp, session.
        return int((entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[3])
    except (OSError, IndexError, ValueError):
        return 0


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
