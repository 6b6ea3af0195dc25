"""From options and settings to jobs: who is moved from where to where, and with which secret."""

import argparse
import getpass
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mailhaul import ids, intake
from mailhaul.addresses import is_allowed
from mailhaul.db import SECOND
from mailhaul.dial import IMPLICIT, DialPolicy, parse_networks, tls_context
from mailhaul.errors import RequestInvalid
from mailhaul.events import Endpoint
from mailhaul.folders.rules import folder_rules
from mailhaul.ids import MailboxId
from mailhaul.imap.limits import Limits
from mailhaul.settings import Settings
from mailhaul.signin.credentials import Credentials, MasterStyle
from services.copier.local.arguments import Place, place
from services.copier.mailbox import Job
from services.copier.session import Access
from services.copier.transfer import Portions

FROM_PASSWORD, TO_PASSWORD = "MAILHAUL_FROM_PASSWORD", "MAILHAUL_TO_PASSWORD"


@dataclass(frozen=True, slots=True)
class Order:
    """A job and the name by which its mailbox is shown."""

    name: str
    server: str
    job: Job


def orders(options: argparse.Namespace, settings: Settings) -> list[Order]:
    """Every mailbox to be moved. Raises RequestInvalid."""
    maker = _Maker(options, settings)
    return maker.from_csv(options.csv) if options.csv else [maker.single()]


class _Maker:
    def __init__(self, options: argparse.Namespace, settings: Settings) -> None:
        self.options, self.settings = options, settings
        limits = Limits(stall_window=settings.source.progress_timeout)
        timeout = settings.source.connect_timeout
        try:
            networks = parse_networks([*settings.source.allow_networks, *options.allow_network])
        except ValueError as error:
            raise RequestInvalid("bad_network", "a network is written 192.0.2.0/24") from error
        self.networks = networks
        # Whoever types a port means it: the list of ports is for files that customers upload.
        source_ca, target_ca = options.ca_file or settings.source.ca_file, options.ca_file or settings.platform.ca_file
        self.source_policy = DialPolicy(
            allow=networks, ports=None, connect_timeout=timeout, limits=limits, context=tls_context(source_ca)
        )
        self.target_policy = DialPolicy(
            everywhere=True, ports=None, connect_timeout=timeout, limits=limits, context=tls_context(target_ca)
        )
        try:
            self.rules = folder_rules(
                tuple(options.skip_folder),
                tuple(options.translate),
                include_trash=options.include_trash,
                include_junk=options.include_junk,
            )
        except ValueError as error:
            raise RequestInvalid("bad_rule", "a folder rule cannot be read") from error

    def single(self) -> Order:
        source, target = place(self.options.source), place(self.options.target)
        if not source.user or not target.user:
            raise RequestInvalid("bad_url", "both URLs need a user: imaps://USER@HOST")
        password = _password(self.options.from_password_file, FROM_PASSWORD, f"Password of {source.user}: ")
        return self._order(source, self.options.from_master, password, self._target(target))

    def from_csv(self, file: Path) -> list[Order]:
        kind = intake.Kind(self.options.kind)
        forbidden = lambda address: not is_allowed(address, self.networks)  # noqa: E731
        parsed = intake.parse(file.read_bytes(), kind, forbidden=forbidden)
        if not parsed.accepted:
            faults = "; ".join(f"line {fault.line}: {fault.rule}" for fault in parsed.faults)
            raise RequestInvalid("csv_refused", f"nothing was moved, the file has faults: {faults}")
        target = place(self.options.target) if self.options.target else None
        made = []
        for row in parsed.rows:
            source = Place(row.source_user, Endpoint(host=row.host, port=row.port or 993, tls=IMPLICIT))
            end = self._platform(row.destination, target.endpoint if target else None)
            password = row.password.get_secret_value() if row.password else ""
            made.append(self._order(source, row.master_user, password, end))
        return made

    def _target(self, target: Place) -> Access:
        """The destination that `--to` names; its master user, if any, from options or settings."""
        if self.options.to_master:
            return self._platform(target.user, target.endpoint)
        password = _password(self.options.to_password_file, TO_PASSWORD, f"Password of {target.user}: ")
        return Access(target.endpoint, Credentials(target.user, password), self.target_policy)

    def _platform(self, user: str, endpoint: Endpoint | None) -> Access:
        """A mailbox of the platform, opened by its master user."""
        platform = self.settings.platform
        endpoint = endpoint or Endpoint(host=platform.host, port=platform.port, tls=platform.tls)
        master = self.options.to_master or platform.master_user
        if not master:
            raise RequestInvalid("no_master", "a CSV has no destination passwords: name a master user (--to-master)")
        file = self.options.to_password_file
        password = platform.master_password.get_secret_value()
        if file or os.environ.get(TO_PASSWORD) or not password:
            password = _password(file, TO_PASSWORD, f"Password of the master user {master}: ")
        style = MasterStyle(self.options.to_master_style or platform.master_style)
        credentials = Credentials(user, password, master, style, platform.master_separator)
        return Access(endpoint, credentials, self.target_policy)

    def _order(self, source: Place, master: str, password: str, target: Access) -> Order:
        copier = self.settings.copier
        settle_after = copier.settle_after if self.options.settle_after is None else self.options.settle_after
        user = target.credentials.user
        here = account(source.user, source.endpoint)
        mailbox = MailboxId(ids.derive("local-mailbox", account(user.lower(), target.endpoint)))
        job = Job(
            mailbox_id=mailbox,
            pair_id=ids.derive("pair", here, mailbox),
            source=Access(source.endpoint, Credentials(source.user, password, master), self.source_policy),
            target=target,
            rules=self.rules,
            portions=Portions(
                copier.batch_messages,
                copier.batch_octets,
                self.options.max_size or self.settings.limits.message_octets,
            ),
            surplus=self.options.surplus,
            settle_after=int(settle_after * SECOND),
            connections=self.settings.platform.connections_per_mailbox,
            settle_only=self.options.settle,
        )
        return Order(user, f"{source.endpoint.host}:{source.endpoint.port}", job)


def account(user: str, endpoint: Endpoint) -> str:
    """An account as an identity: another port of one host is taken for another server, TLS or not for the same."""
    port = {993: 143}.get(endpoint.port, endpoint.port)
    return f"{endpoint.host.rstrip('.').lower()}:{port}:{user}"


def _password(file: Path | None, variable: str, question: str) -> str:
    if file:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    if variable in os.environ:
        return os.environ[variable]
    return getpass.getpass(question)


def doubled(made: Iterable[Order]) -> list[str]:
    """Destinations that occur twice: two sources into one mailbox are moved one after the other."""
    seen: set[str] = set()
    twice = []
    for order in made:
        if order.job.mailbox_id in seen:
            twice.append(order.name)
        seen.add(order.job.mailbox_id)
    return twice
