"""The checker on real servers: it finds a correct copy exact and names each harm done to one."""

import imaplib
import json
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailhaul.stack.certificates import Authority
from mailhaul.stack.corpus import SHELVES, Account, Corpus, Kind, corpus
from mailhaul.stack.dovecot import Dovecot, DovecotSettings, Storage
from mailhaul.stack.loader import Server, Session, arrive, load
from mailhaul.stack.manifest import Manifest

MASTER, MASTER_PASSWORD = "mover", "a master's password"
SIZE_LIMIT = 60_000


@dataclass(frozen=True, slots=True)
class Pair:
    """Two servers and the checker's command line for them."""

    source: Dovecot
    destination: Dovecot
    directory: Path

    def loader(self, side: Dovecot) -> Server:
        context = ssl.create_default_context(cafile=str(side.ca_file))
        master = {"master": MASTER, "master_password": MASTER_PASSWORD} if side is self.destination else {}
        return Server("localhost", side.imaps_port, context, **master)

    def check(self, made: Corpus, *more: str) -> tuple[int, dict[str, Any]]:
        passwords, master = self.directory / "passwords", self.directory / "master"
        passwords.write_text("".join(f"{account.source}:{account.password}\n" for account in made.accounts))
        master.write_text(MASTER_PASSWORD + "\n")
        command = [sys.executable, "-m", "checker", "-o", "json", "--ca", str(self.source.ca_file)]
        command += ["--source", f"imaps://localhost:{self.source.imaps_port}", "--source-passwords", str(passwords)]
        command += ["--destination", f"imaps://localhost:{self.destination.imaps_port}"]
        command += ["--destination-master", MASTER, "--destination-password-file", str(master), *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    directory = tmp_path_factory.mktemp("checker")
    authority = Authority(directory / "ca")
    source = Dovecot("source", authority, DovecotSettings(separator="."))
    masters = {MASTER: MASTER_PASSWORD}
    settings = DovecotSettings(storage=Storage.MDBOX, create_special=True, master_users=masters)
    destination = Dovecot("destination", authority, settings)
    try:
        source.start()
        destination.start()
        yield Pair(source, destination, directory)
    finally:
        source.close()
        destination.close()


def loaded(pair: Pair, made: Corpus) -> Manifest:
    """Load a source, and copy it to the destination as a correct move would."""
    pair.source.add_users({account.source: account.password for account in made.accounts})
    pair.destination.add_users({account.destination: "unused" for account in made.accounts})
    manifest = load(made, pair.loader(pair.source))
    arrive(manifest, pair.loader(pair.source), 5)
    for account in made.accounts:
        copy(pair, made, account)
    return manifest


def copy(pair: Pair, made: Corpus, account: Account) -> None:
    goals = {shelf.path: shelf.goal for shelf in made.shelves}
    with Session(pair.loader(pair.destination), account.destination, "") as session:
        for shelf in made.shelves:
            if shelf.goal:
                session.create(shelf.goal, subscribe=shelf.subscribed)
        for visit, count in ((0, None), (1, 5)):
            for letter in made.letters(account, visit=visit, count=count):
                goal = goals[letter.folder]
                if goal and len(letter.served) <= made.size_limit:
                    session.append(goal, [letter])


@pytest.mark.parametrize("kind", [Kind.MIXED, Kind.AWKWARD])
def test_a_correct_copy_is_exact_and_the_source_is_as_generated(pair: Pair, kind: Kind) -> None:
    made = corpus(11, 2, 80, kind, shelves=SHELVES, sizes=(SIZE_LIMIT, SIZE_LIMIT + 1), size_limit=SIZE_LIMIT,
                  source_domain=f"{kind}.example.org", destination_domain=f"{kind}.example.com")  # fmt: skip
    manifest = loaded(pair, made).write(pair.directory / f"{kind}.json")
    status, verdict = pair.check(made, "--manifest", str(manifest), "--source-unchanged")
    assert verdict["closing_line"].endswith("0 lost, 0 doubled, 0 altered, 0 unexpected: exact"), verdict
    assert status == 0
    mailboxes = [f"--mailbox={account.source}={account.destination}" for account in made.accounts]
    rules = [f"--leave-out={'/'.join(shelf.path)}" for shelf in SHELVES if shelf.left_out]
    status, verdict = pair.check(made, *mailboxes, *rules, f"--max-octets={SIZE_LIMIT}")
    assert status == 0, verdict


def sign_in(server: imaplib.IMAP4, user: str, identity: str, password: str) -> None:
    server.authenticate("PLAIN", lambda _: f"{user}\0{identity}\0{password}".encode())


def lose(server: imaplib.IMAP4) -> None:
    server.store("1", "+FLAGS", "\\Deleted")
    server.expunge()


def double(server: imaplib.IMAP4) -> None:
    server.copy("1", "INBOX")


def move(server: imaplib.IMAP4) -> None:
    server.copy("1", "Empty")
    lose(server)


def alter(server: imaplib.IMAP4, change: Callable[[bytes], bytes], date: str = "") -> None:
    _, answer = server.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[])")
    part = answer[0]
    assert isinstance(part, tuple)
    flags, when = (
        part[0].split(b"FLAGS (")[1].split(b")")[0].decode(),
        part[0].split(b'INTERNALDATE "')[1][:26].decode(),
    )
    flags = " ".join(flag for flag in flags.split() if flag != "\\Recent")
    server.append("INBOX", f"({flags})", f'"{date or when}"', change(part[1]))
    lose(server)


HARMS: dict[str, tuple[Callable[[imaplib.IMAP4], object], str]] = {
    "lost": (lose, "lost"),
    "doubled": (double, "doubled"),
    "moved": (move, "lost"),
    "one byte altered": (lambda server: alter(server, lambda data: data[:-3] + b"~\r\n"), "altered"),
    "header added": (lambda server: alter(server, lambda data: b"X-Tool: moved\r\n" + data), "altered"),
    "emptied": (lambda server: alter(server, lambda _: b"\r\n"), "altered"),
    "date shifted": (lambda server: alter(server, bytes, "01-Jan-2020 00:00:00 +0100"), "altered"),
    "flag dropped": (lambda server: server.store("1:*", "-FLAGS", "\\Seen"), "altered"),
    "keyword added": (lambda server: server.store("1", "+FLAGS", "$Junk"), "altered"),
    "folder missing": (lambda server: server.delete("Empty"), "missing"),
    "excluded folder copied": (lambda server: (server.create("Cestino"), server.copy("1", "Cestino")), "unexpected"),
    "trash copied": (lambda server: server.copy("1", "Trash"), "unexpected"),
    "unsubscribed": (lambda server: server.unsubscribe("Empty"), "not subscribed"),
}


def test_each_harm_is_named_and_the_others_are_left_in_peace(pair: Pair) -> None:
    made = corpus(12, len(HARMS) + 1, 25, Kind.PLAIN, shelves=SHELVES)
    manifest = loaded(pair, made).write(pair.directory / "harms.json")
    for account, (harm, _) in zip(made.accounts, HARMS.values(), strict=False):
        context = ssl.create_default_context(cafile=str(pair.destination.ca_file))
        with imaplib.IMAP4_SSL("localhost", pair.destination.imaps_port, ssl_context=context) as server:
            sign_in(server, account.destination, MASTER, MASTER_PASSWORD)
            server.select("INBOX")
            harm(server)
    status, verdict = pair.check(made, "--manifest", str(manifest), "--source-unchanged")
    assert status == 1
    for mailbox, (name, (_, word)) in zip(verdict["mailboxes"], HARMS.items(), strict=False):
        words = {finding["what"] for folder in mailbox["folders"] for finding in folder["findings"]}
        words |= {fault for folder in mailbox["folders"] for fault in folder["faults"]}
        assert word in words, (name, mailbox)
        assert not mailbox["exact"]
    assert verdict["mailboxes"][-1]["exact"]


def test_a_source_that_was_written_to_is_noticed(pair: Pair) -> None:
    made = corpus(13, 1, 10, Kind.PLAIN, source_domain="touched.example.org", destination_domain="touched.example.com")
    manifest = loaded(pair, made).write(pair.directory / "touched.json")
    context = ssl.create_default_context(cafile=str(pair.source.ca_file))
    with imaplib.IMAP4_SSL("localhost", pair.source.imaps_port, ssl_context=context) as server:
        sign_in(server, "", made.accounts[0].source, made.accounts[0].password)
        server.select("INBOX")
        server.store("1:*", "+FLAGS", "\\Answered")
    status, verdict = pair.check(made, "--manifest", str(manifest), "--source-unchanged")
    assert (status, verdict["lost"]) == (1, 0)
    assert "1 source folders changed: NOT EXACT" in verdict["closing_line"]
    assert pair.check(made, "--manifest", str(manifest))[0] == 0


def test_a_mailbox_that_cannot_be_read_is_not_judged(pair: Pair) -> None:
    made = corpus(14, 1, 5, source_domain="nobody.example.org", destination_domain="nobody.example.com")
    status, verdict = pair.check(made, f"--mailbox={made.accounts[0].source}={made.accounts[0].destination}")
    assert status == 2
    assert "1 mailboxes unread" in verdict["closing_line"]
