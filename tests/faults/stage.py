"""Two mail servers for a campaign: sources loaded once, fresh destinations for every round, the checker as judge."""

import json
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailhaul.stack.certificates import Authority
from mailhaul.stack.corpus import Corpus
from mailhaul.stack.dovecot import Dovecot, DovecotSettings, Storage
from mailhaul.stack.loader import Server, arrive, load
from mailhaul.stack.manifest import Manifest

MASTER, MASTER_PASSWORD = "mover", "the master's password"


@dataclass(frozen=True, slots=True)
class Move:
    """One mailbox of a round."""

    source: str
    password: str
    destination: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker said of a round."""

    exact: bool
    lost: int
    doubled: int
    only_doubled: bool
    closing_line: str
    findings: str


class Stage:
    """A source and a destination server below one directory."""

    def __init__(self, directory: Path, *, storage: Storage = Storage.MAILDIR) -> None:
        self.directory = directory
        authority = Authority(directory / "ca")
        self.ca_file = authority.ca_file
        self.source = Dovecot("old", authority, DovecotSettings(separator="."))
        masters = {MASTER: MASTER_PASSWORD}
        # A server that syncs takes its time without the processor's, so that a blow falls into the midst of a copy.
        settings = DovecotSettings(storage=storage, master_users=masters, fsync=True)
        self.destination = Dovecot("new", authority, settings)
        self.master_password_file = directory / "master-password"
        self.master_password_file.write_text(MASTER_PASSWORD)
        # A kill is no power cut: what was written is there, synced or not, so the ledgers may lie in memory.
        memory = Path("/dev/shm")
        self.ledgers = Path(tempfile.mkdtemp(prefix="mailhaul-", dir=memory if memory.is_dir() else directory))
        self._manifests: dict[int, Manifest] = {}

    def start(self) -> None:
        self.source.start()
        self.destination.start()

    def close(self) -> None:
        self.source.close()
        self.destination.close()
        shutil.rmtree(self.ledgers, ignore_errors=True)

    def load(self, corpora: Sequence[Corpus], rounds: int) -> None:
        """Load every corpus into the source and make the destination mailboxes of so many rounds of each."""
        accounts = [account for corpus in corpora for account in corpus.accounts]
        self.source.add_users({account.source: account.password for account in accounts})
        names = [_renamed(account.destination, number) for account in accounts for number in range(rounds)]
        self.destination.add_users(dict.fromkeys(names, "unused"))
        for corpus in corpora:
            self._manifests[corpus.seed] = load(corpus, self._old_server())

    def arrive(self, corpus: Corpus, messages: int) -> None:
        """Let so many more messages arrive in each of the corpus's mailboxes."""
        arrive(self._manifests[corpus.seed], self._old_server(), messages)

    def _old_server(self) -> Server:
        return Server("localhost", self.source.imaps_port, ssl.create_default_context(cafile=str(self.ca_file)))

    def moves(self, corpus: Corpus, number: int) -> list[Move]:
        """The mailboxes of one round."""
        return [Move(a.source, a.password, _renamed(a.destination, number)) for a in corpus.accounts]

    def judge(self, corpus: Corpus, number: int) -> Verdict:
        """Let the checker judge one round, the source too."""
        manifest = self._manifests[corpus.seed].as_json()
        for mailbox in manifest["mailboxes"]:
            mailbox["destination"] = _renamed(mailbox["destination"], number)
        file = self.directory / f"manifest-{corpus.seed}-{number}.json"
        file.write_text(json.dumps(manifest))
        passwords = self.directory / f"passwords-{corpus.seed}"
        passwords.write_text("".join(f"{account.source}:{account.password}\n" for account in corpus.accounts))
        command = [sys.executable, "-m", "checker", "-o", "json", "--ca", str(self.ca_file), "--manifest", str(file)]
        command += ["--source-unchanged", "--source", f"imaps://localhost:{self.source.imaps_port}"]
        command += ["--source-passwords", str(passwords)]
        command += ["--destination", f"imaps://localhost:{self.destination.imaps_port}"]
        command += ["--destination-master", MASTER, "--destination-password-file", str(self.master_password_file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if not done.stdout:
            raise RuntimeError(f"the checker could not judge: {done.stderr}")
        (self.directory / f"verdict-{corpus.seed}-{number}.json").write_text(done.stdout)
        report = json.loads(done.stdout)
        return Verdict(
            done.returncode == 0 and report["exact"],
            report["lost"],
            report["doubled"],
            _only_doubled(report),
            report["closing_line"],
            _findings(report),
        )


def _renamed(destination: str, number: int) -> str:
    name, _, domain = destination.partition("@")
    return f"{name}-{number}@{domain}"


def _only_doubled(report: dict[str, Any]) -> bool:
    """Say whether everything is there as it should be, and some of it more than once."""
    others = report["lost"] + report["altered"] + report["unexpected"]
    faults = [f for m in report["mailboxes"] for folder in m["folders"] for f in folder["faults"]]
    touched = [m for m in report["mailboxes"] if m["error"] or m["source_folders_changed"]]
    return not others and not faults and not touched


def _findings(report: dict[str, Any], limit: int = 40) -> str:
    lines = []
    for mailbox in report["mailboxes"]:
        lines += [f"{mailbox['destination']}: {mailbox['error']}"] if mailbox["error"] else []
        for folder in mailbox["folders"] + mailbox["source_folders_changed"]:
            where = f"{mailbox['destination']}: {'/'.join(folder['path'])}"
            lines += [f"{where}: {fault}" for fault in folder["faults"]]
            lines += [
                f"{where}: {each['what']} {each['digest'][:12]} ({' '.join(each['flags'])}) {each['detail']}"
                for each in folder["findings"]
            ]
    return "\n".join(lines[:limit])
