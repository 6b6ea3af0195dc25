"""A little world to move mail in: an old server, a new platform, an SMTP server, and the settings that name them."""

import json
import secrets
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

from mailhaul.stack.certificates import Authority
from mailhaul.stack.corpus import Account
from mailhaul.stack.dovecot import Dovecot, DovecotSettings
from mailhaul.stack.loader import Server
from mailhaul.stack.ports import LOOPBACK
from mailhaul.stack.smtp import SMTPSink

HOST = "localhost"
MASTER = "migration"
OLD = DovecotSettings(separator=".", plaintext=True)
NEW_SPECIAL = {"Drafts": r"\Drafts", "Sent": r"\Sent", "Trash": r"\Trash", "Junk": r"\Junk"}


class World:
    """Two Dovecots and an SMTP sink below one directory, all on loopback.

    `master_password` opens every mailbox of the new platform. With `outlives` the servers go on when this process ends.
    """

    def __init__(
        self,
        directory: Path,
        *,
        master_password: str,
        old: DovecotSettings = OLD,
        new: DovecotSettings | None = None,
        outlives: bool = False,
    ) -> None:
        directory.chmod(0o755)  # Dovecot's own users must reach their mail below it
        self.directory = directory
        self.authority = Authority(directory / "authority")
        self.master_password = master_password
        platform = new or DovecotSettings(quota=True, special_use=NEW_SPECIAL, master_users={MASTER: master_password})
        self.source = Dovecot("old", self.authority, old, directory=directory / "old", outlives=outlives)
        self.destination = Dovecot("new", self.authority, platform, directory=directory / "new", outlives=outlives)
        self.smtp = SMTPSink(directory / "smtp", outlives=outlives)

    def populate(self, accounts: Iterable[Account]) -> None:
        """Make the accounts on both sides; call it before `start`, for a running server reads them a second later."""
        listed = list(accounts)
        self.source.add_users({account.source: account.password for account in listed})
        # Nobody knows the owners' new passwords: only the master user opens these mailboxes.
        self.destination.add_users({account.destination: secrets.token_urlsafe(12) for account in listed})

    def start(self) -> None:
        for server in (self.source, self.destination, self.smtp):
            server.start()

    def close(self) -> None:
        """End all three."""
        self.source.close()
        self.destination.close()
        self.smtp.kill()

    def environment(self) -> Mapping[str, str]:
        """Mailhaul's settings for this world."""
        ports = [self.source.imaps_port, self.source.imap_port, self.source.pop3_port, self.source.pop3s_port]
        return {
            "MAILHAUL_PLATFORM__HOST": HOST,
            "MAILHAUL_PLATFORM__PORT": str(self.destination.imaps_port),
            "MAILHAUL_PLATFORM__TLS": "implicit",
            "MAILHAUL_PLATFORM__CA_FILE": str(self.authority.ca_file),
            "MAILHAUL_PLATFORM__MASTER_USER": MASTER,
            "MAILHAUL_PLATFORM__MASTER_PASSWORD": self.master_password,
            "MAILHAUL_SOURCE__ALLOW_NETWORKS": json.dumps(["127.0.0.0/8", "::1/128"]),
            "MAILHAUL_SOURCE__PORTS": json.dumps(ports),
            "MAILHAUL_SOURCE__CA_FILE": str(self.authority.ca_file),
            "MAILHAUL_SMTP__HOST": LOOPBACK,
            "MAILHAUL_SMTP__PORT": str(self.smtp.port),
        }

    def row(self, account: Account, *, host: str = HOST, password: str | None = None) -> str:
        """The account's line of a standard CSV, right unless told otherwise."""
        secret = account.password if password is None else password
        return f"{account.destination};{host}:{self.source.imaps_port};{account.source};{secret}"

    def old_server(self) -> Server:
        """How the corpus loader reaches the old server."""
        return Server(HOST, self.source.imaps_port, self._trust())

    def new_server(self) -> Server:
        """How anyone with the master password reaches the new platform."""
        return Server(HOST, self.destination.imaps_port, self._trust(), MASTER, self.master_password)

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.ca_file))
