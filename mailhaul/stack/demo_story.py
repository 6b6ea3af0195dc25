"""The story that `make demo` tells: one CSV with three mistakes becomes fourteen moved mailboxes, judged at the end."""

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mailhaul.errors import StackFailed
from mailhaul.stack.corpus import Account
from mailhaul.stack.demo_voice import Voice
from mailhaul.stack.loader import arrive, load
from mailhaul.stack.manifest import Manifest
from mailhaul.stack.world import HOST, MASTER, World

OWNER = "admin@example.com"
NOBODY_THERE = "127.0.0.99"
MISSING = "nobody@example.com"
WRONG_PASSWORD_LINE, UNREACHABLE_LINE = 3, 7
ARRIVALS = 5  # new messages in each mailbox between the runs
MAIL_TIMEOUT = 30.0
MIGRATION_CODE = re.compile(r"\bM-[0-9A-Z]{5}\b")
INVALID = 3


@dataclass(kw_only=True)
class Story:
    """Chapters in their order; each says what it does, does it, and shows what came of it."""

    voice: Voice
    world: World
    manifest: Manifest
    directory: Path
    code: str = ""
    mails: int = 0

    def servers(self) -> None:
        """Two real mail servers, one of them full of mail, and an SMTP server."""
        self.voice.step("Two mail servers")
        self.world.populate(self.manifest.accounts)
        self.world.start()
        self.manifest = load(self.manifest.corpus, self.world.old_server())
        held = sum(len(folder["messages"]) for box in self.manifest.as_json()["mailboxes"] for folder in box["folders"])
        old, new = self.world.source, self.world.destination
        boxes = len(self.manifest.accounts)
        self.voice.say(f"old   {HOST}:{old.imaps_port}   Dovecot with {boxes} mailboxes and {held:,} messages")
        self.voice.say(
            f"new   {HOST}:{new.imaps_port}   Dovecot with the same mailboxes, empty; a master user opens them"
        )

    def stack(self) -> None:
        self.voice.step("The stack: Kafka, seven services, SQLite")
        self.voice.run("up", "--port", "0")
        self.voice.run("status")
        self.voice.run("domains", "grant", "example.com")

    def submit(self) -> None:
        """One CSV in which three lines are wrong."""
        self.voice.step("One CSV, three mistakes")
        accounts = self.manifest.accounts
        lines = [self._line(number, account) for number, account in enumerate(accounts, 1)]
        lines.append(f"{MISSING};{HOST}:{self.world.source.imaps_port};{accounts[0].source};{accounts[0].password}")
        csv = self.directory / "accounts.csv"
        csv.touch(mode=0o600)
        csv.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.voice.say(
            f"{len(lines)} lines: line {WRONG_PASSWORD_LINE} has a wrong password, line {UNREACHABLE_LINE} names "
            f"a server that does not answer, line {len(lines)} a new mailbox that does not exist."
        )
        shown = self.voice.heard(
            *("submit", csv.name, "--type", "standard-ssl", "--first", "asap", "--second", "4h"),
            *("--name", "demo", "--recipient", OWNER),
        )
        found = MIGRATION_CODE.search(shown)
        if found is None:
            raise StackFailed("demo_failed", "mailhaul submit named no migration")
        self.code = found[0]
        self.voice.run("wait", self.code, "--for", "valid", "--timeout", "5m", allowed=(INVALID,))
        self.voice.run("mailboxes", self.code, "--state", "failed")
        self._show_mail("The mail to the owner, who may have left the page")

    def correct(self) -> None:
        """Two lines are corrected in place, one is left out; nothing is uploaded again."""
        self.voice.step("Two lines corrected, one left out")
        left_out = len(self.manifest.accounts) + 1
        right_host = f"{HOST}:{self.world.source.imaps_port}"
        self.voice.run("fix", self.code, "--line", str(WRONG_PASSWORD_LINE), *self._password(WRONG_PASSWORD_LINE))
        self.voice.run(
            *("fix", self.code, "--line", str(UNREACHABLE_LINE), "--host", right_host),
            *self._password(UNREACHABLE_LINE),
        )
        self.voice.run("fix", self.code, "--line", str(left_out), "--leave-out")
        self.voice.run("wait", self.code, "--for", "valid", "--timeout", "5m")

    def first_run(self) -> None:
        self.voice.step("The first run")
        self.voice.run("watch", self.code)
        self._show_mail("The mail to the owner")

    def second_run(self) -> None:
        """Mail goes on arriving at the old server until the MX has moved."""
        self.voice.step("New mail meanwhile, and the second run")
        arrived = arrive(self.manifest, self.world.old_server(), ARRIVALS)
        self.voice.say(
            f"{arrived} messages arrive at the old server. The second run is due in 4 hours; we start it now."
        )
        self.voice.run("start", self.code)
        self.voice.run("watch", self.code)
        self._show_mail("The last mail to the owner")
        self.voice.run("list")

    def judge(self) -> bool:
        """The checker reads both servers and compares them with what the corpus's generator wrote down."""
        self.voice.step("The independent checker: a program that shares no code with Mailhaul")
        manifest = self.manifest.write(self.directory / "manifest.json")
        passwords = self._secret("old.passwords", "".join(f"{a.source}:{a.password}\n" for a in self.manifest.accounts))
        master = self._secret("master.password", self.world.master_password + "\n")
        command = [sys.executable, "-m", "checker", "--manifest", str(manifest)]
        command += ["--source", f"imaps://{HOST}:{self.world.source.imaps_port}", "--source-unchanged"]
        command += ["--source-passwords", str(passwords)]
        command += ["--destination", f"imaps://{HOST}:{self.world.destination.imaps_port}"]
        command += ["--destination-master", MASTER, "--destination-password-file", str(master)]
        command += ["--ca", str(self.world.authority.ca_file)]
        judged = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.voice.quote(judged.stdout)
        return judged.returncode == 0

    def _line(self, number: int, account: Account) -> str:
        match number:
            case n if n == WRONG_PASSWORD_LINE:
                return self.world.row(account, password="not-the-password")
            case n if n == UNREACHABLE_LINE:
                return self.world.row(account, host=NOBODY_THERE)
            case _:
                return self.world.row(account)

    def _password(self, line: int) -> tuple[str, str]:
        """The option that names the file with a line's right password; passwords are never an argument."""
        file = self._secret(f"line-{line}.password", self.manifest.accounts[line - 1].password + "\n")
        return "--password-file", file.name

    def _secret(self, name: str, content: str) -> Path:
        file = self.directory / name
        file.touch(mode=0o600)
        file.write_text(content, encoding="utf-8")
        return file

    def _show_mail(self, title: str) -> None:
        """Wait for the next mail and print it."""
        deadline = time.monotonic() + MAIL_TIMEOUT
        while len(kept := self.world.smtp.mails()) <= self.mails:
            if time.monotonic() > deadline:
                raise StackFailed("demo_failed", f"no mail to the owner after {MAIL_TIMEOUT:g} s")
            time.sleep(0.1)
        self.voice.say(f"\n{title}:")
        for mail in kept[self.mails :]:
            self.voice.mail(mail.content)
        self.mails = len(kept)
