"""Two mail servers for the copier's tests, a mailbox on each for every test, and a plain client to look in."""

import hashlib
import imaplib
import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mailhaul.db import Database
from mailhaul.dial import DialPolicy, tls_context
from mailhaul.events import Endpoint
from mailhaul.folders.rules import FolderRules
from mailhaul.ids import MailboxId, derive
from mailhaul.imap.limits import Limits
from mailhaul.signin.credentials import Credentials
from mailhaul.stack.certificates import Authority
from mailhaul.stack.dovecot import Dovecot, DovecotSettings
from services.copier.lease import Worker
from services.copier.mailbox import Attempt, Job, Result
from services.copier.session import Access
from services.copier.transfer import Portions
from services.copier.work import Folder, Tally

PASSWORD, MASTER, MASTER_PASSWORD = "canary-source-9Tq", "mover", "canary-mover-4Hd"
USERS = 400
Message = tuple[str, int, frozenset[str]]  # digest, INTERNALDATE in seconds, flags


def letter(name: str, size: int = 400) -> bytes:
    """A message that no other name gives."""
    head = f"From: a@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\n\r\n".encode()
    body = (hashlib.sha256(name.encode()).hexdigest() + "\r\n").encode()
    return head + (body * (size // len(body) + 1))[: max(2, size - len(head) - 2)] + b"\r\n"


class Client:
    """A mailbox seen through the standard library's client, apart from our wire."""

    def __init__(self, server: Dovecot, user: str, password: str, separator: str) -> None:
        context = ssl.create_default_context(cafile=str(server.ca_file))
        self.imap = imaplib.IMAP4_SSL("localhost", server.imaps_port, ssl_context=context)
        self.imap.login(user, password)
        self.separator = separator

    def name(self, folder: str) -> str:
        return f'"{folder.replace("/", self.separator)}"'

    def create(self, *folders: str) -> None:
        for folder in folders:
            self.imap.create(self.name(folder))
            self.imap.subscribe(self.name(folder))

    def append(self, folder: str, *letters: bytes, flags: str = "", date: int = 1_700_000_000) -> None:
        when = imaplib.Time2Internaldate(datetime.fromtimestamp(date, UTC))
        for data in letters:
            kind, answer = self.imap.append(self.name(folder), f"({flags})", when, data)
            assert kind == "OK", answer

    def folders(self) -> set[str]:
        _, lines = self.imap.list()
        found = (re.search(rb'"(?:[^"]*)" "?([^"]+)"?$', line) for line in lines if isinstance(line, bytes))
        return {each[1].decode().replace(self.separator, "/") for each in found if each}

    def subscribed(self) -> set[str]:
        _, lines = self.imap.lsub()
        found = (re.search(rb'"(?:[^"]*)" "?([^"]+)"?$', line) for line in lines if isinstance(line, bytes))
        return {each[1].decode().replace(self.separator, "/") for each in found if each}

    def select(self, folder: str) -> None:
        kind, answer = self.imap.select(self.name(folder))
        assert kind == "OK", answer

    def messages(self, folder: str = "INBOX") -> dict[int, Message]:
        """{UID: message}, read without a trace."""
        kind, _ = self.imap.select(self.name(folder), readonly=True)
        if kind != "OK":
            return {}
        _, parts = self.imap.uid("fetch", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
        found = {}
        for part in parts:
            if not isinstance(part, tuple):
                continue
            head: bytes = part[0]
            uid = int(re.search(rb"UID (\d+)", head)[1])  # type: ignore[index]
            flags = re.search(rb"FLAGS \(([^)]*)\)", head)[1].decode().split()  # type: ignore[index]
            date = re.search(rb'INTERNALDATE "([^"]+)"', head)[1].decode()  # type: ignore[index]
            seconds = int(datetime.strptime(date.strip(), "%d-%b-%Y %H:%M:%S %z").timestamp())
            kept = frozenset(flag for flag in flags if flag != "\\Recent")
            found[uid] = (hashlib.sha256(part[1]).hexdigest(), seconds, kept)
        return found

    def contents(self, folder: str = "INBOX") -> Counter[Message]:
        return Counter(self.messages(folder).values())

    def store(self, folder: str, uids: Sequence[int], sign: str, flags: str) -> None:
        self.select(folder)
        self.imap.uid("store", ",".join(map(str, uids)), f"{sign}FLAGS.SILENT", f"({flags})")

    def delete(self, folder: str, *uids: int) -> None:
        self.store(folder, uids, "+", "\\Deleted")
        self.imap.expunge()

    def move(self, folder: str, uid: int, to: str) -> None:
        self.select(folder)
        self.imap.uid("move", str(uid), self.name(to))

    def close(self) -> None:
        try:
            self.imap.logout()
        except (OSError, imaplib.IMAP4.error):
            self.imap.shutdown()


@dataclass
class Told:
    """What the engine reported."""

    planned_folders: list[Folder] = field(default_factory=list)
    progress: list[tuple[str, Tally]] = field(default_factory=list)

    def planned(self, folders: Sequence[Folder], epoch: int) -> None:
        self.planned_folders = list(folders)

    def progressed(self, folder: Folder) -> None:
        self.progress.append((folder.source_text, folder.tally.copy()))


@dataclass
class Rig:
    """One source mailbox, one destination mailbox, and the engine between them."""

    user: str
    source: Client
    target: Client
    job: Job
    worker: Worker
    told: Told = field(default_factory=Told)
    clients: list[Client] = field(default_factory=list)

    async def copy(self, held_up: Callable[[], str] = lambda: "", **changes: Any) -> Result:
        """One attempt; `changes` are fields of the job."""
        self.told = Told()
        return await Attempt(replace(self.job, **changes), self.worker, self.told, held_up).run()

    def same(self, *folders: str) -> bool:
        """Whether folders hold the same messages with the same dates and flags on both sides."""
        return all(self.source.contents(folder) == self.target.contents(folder) for folder in folders or ("INBOX",))


class Servers:
    """The session's two Dovecots, with more users than there are tests."""

    def __init__(self, authority: Authority) -> None:
        self.ca_file = authority.ca_file
        self.old = Dovecot("copier-old", authority, DovecotSettings(separator="."))
        masters = {MASTER: MASTER_PASSWORD}
        self.new = Dovecot("copier-new", authority, DovecotSettings(master_users=masters))
        users = {f"user{n}@example.org": PASSWORD for n in range(USERS)}
        self.old.add_users(users)
        self.new.add_users({name.replace(".org", ".com"): PASSWORD for name in users})
        self.old.start()
        self.new.start()
        self.numbers = count()

    def close(self) -> None:
        self.old.close()
        self.new.close()

    def access(self, server: Dovecot, user: str, *, master: bool) -> Access:
        policy = DialPolicy(
            everywhere=True, ports=None, limits=Limits(stall_window=8.0), context=tls_context(self.ca_file)
        )
        name = Credentials(user, MASTER_PASSWORD, MASTER) if master else Credentials(user, PASSWORD)
        return Access(
            Endpoint(host="localhost", port=server.imaps_port, tls="implicit", address="127.0.0.1"), name, policy
        )

    def job(self, user: str, target: Dovecot | None = None) -> Job:
        there = user.replace(".org", ".com")
        return Job(
            mailbox_id=MailboxId(derive("test-mailbox", there)),
            pair_id=derive("test-pair", user),
            source=self.access(self.old, user, master=False),
            target=self.access(target or self.new, there, master=True),
            rules=FolderRules(),
            portions=Portions(messages=10, octets=1 << 20),
            settle_after=0,
        )


@pytest.fixture(scope="session")
def mail_servers(mail_authority: Authority) -> Iterator[Servers]:
    """An old server (`.` as separator) and the new platform (`/`, a master user)."""
    made = Servers(mail_authority)
    yield made
    made.close()


@pytest.fixture
async def worker(database: Database, tmp_path: Path) -> AsyncIterator[Worker]:
    """A worker with a lock file, on both databases in turn."""
    made = Worker(database, "worker-one", tmp_path / "locks" / "one.lock", 15.0)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def make_rig(mail_servers: Servers, worker: Worker) -> Iterator[Callable[..., Rig]]:
    """`make_rig()`: a mailbox that no other test knows; `make_rig(target=server)` for another destination."""
    made: list[Rig] = []

    def make(target: Dovecot | None = None) -> Rig:
        user = f"user{next(mail_servers.numbers)}@example.org"
        source = Client(mail_servers.old, user, PASSWORD, ".")
        there = target or mail_servers.new
        if target is not None:
            target.add_user(user.replace(".org", ".com"), PASSWORD)
        made.append(
            Rig(
                user,
                source,
                Client(there, user.replace(".org", ".com"), PASSWORD, "/"),
                mail_servers.job(user, target),
                worker,
            )
        )
        return made[-1]

    yield make
    for rig in made:
        rig.source.close()
        rig.target.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """A mailbox that no other test knows."""
    return make_rig()
