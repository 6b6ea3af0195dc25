"""What a Dovecot of the stack can be, and the configuration file that says so to Dovecot 2.3."""

import grp
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType


class Storage(StrEnum):
    """How the mails lie on disk."""

    MAILDIR = "maildir"
    MDBOX = "mdbox"


SPECIAL_USE: Mapping[str, str] = MappingProxyType(
    {"Drafts": r"\Drafts", "Sent": r"\Sent", "Trash": r"\Trash", "Junk": r"\Junk"}
)


@dataclass(frozen=True, kw_only=True)
class DovecotSettings:
    """One server. Folders of `special_use` carry the attribute from the moment they exist."""

    storage: Storage = Storage.MAILDIR
    separator: str = "/"
    prefix: str = ""  # of the personal namespace, `INBOX.` as Courier has it
    special_use: Mapping[str, str] = field(default_factory=lambda: SPECIAL_USE)
    create_special: bool = False  # make and subscribe the folders of special_use at the first sign-in
    # Dovecot takes a connection from its own address for safe, TLS or not. On 127.0.0.2 (clients then come from
    # 127.0.0.1) it says LOGINDISABLED before STARTTLS unless `plaintext`.
    address: str = "127.0.0.1"
    plaintext: bool = False
    quota: bool = False  # GETQUOTAROOT answers; limits are set for each user
    master_users: Mapping[str, str] = field(default_factory=dict)  # name -> password
    connections_per_user: int = 100
    capability: str = ""  # announce exactly these instead of what this Dovecot can do
    fsync: bool = False
    extra: str = ""  # lines of configuration added at the end, for a test's own fault


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one server keeps its things and listens."""

    run: Path  # sockets and pids; a short path, because a socket's name has at most 107 octets
    home: Path  # configuration, log, users
    mail: Path
    imap: int
    imaps: int
    pop3: int
    pop3s: int
    certificate: Path
    key: Path


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """The Unix users of the server's processes."""

    internal: str
    login: str
    mail_uid: int
    mail_gid: int
    internal_group: str
    privileged: bool


def accounts_of_this_process() -> Accounts:
    """Debian's Dovecot users when we are root, ourselves for everything otherwise."""
    if os.geteuid() == 0:
        # Dovecot refuses to open mail as root; the user `mail` is on every Debian and owns nothing that matters here.
        mail = pwd.getpwnam("mail")
        return Accounts(
            internal="dovecot",
            login="dovenull",
            mail_uid=mail.pw_uid,
            mail_gid=mail.pw_gid,
            internal_group="dovecot",
            privileged=True,
        )
    me = pwd.getpwuid(os.geteuid())
    return Accounts(
        internal=me.pw_name,
        login=me.pw_name,
        mail_uid=me.pw_uid,
        mail_gid=me.pw_gid,
        internal_group=grp.getgrgid(me.pw_gid).gr_name,
        privileged=False,
    )


def configuration(name: str, settings: DovecotSettings, place: Place, accounts: Accounts) -> str:
    """The whole dovecot.conf."""
    parts = [
        _base(name, settings, place, accounts),
        _namespace(settings),
        _sign_in(place),
        _services(place),
        "" if accounts.privileged else _unprivileged(),
        settings.extra,
    ]
    return "\n".join(parts)


def _base(name: str, settings: DovecotSettings, place: Place, accounts: Accounts) -> str:
    plugins = "quota" if settings.quota else ""
    imap_plugins = "quota imap_quota" if settings.quota else ""
    capability = f"imap_capability = {settings.capability}\n" if settings.capability else ""
    tls = "ssl = yes\ndisable_plaintext_auth = no" if settings.plaintext else "ssl = required"
    return f"""\
instance_name = {name}
base_dir = {place.run}
state_dir = {place.run}/state
log_path = {place.home}/dovecot.log
protocols = imap pop3
listen = {settings.address}
{tls}
ssl_cert = <{place.certificate}
ssl_key = <{place.key}
ssl_dh =
default_internal_user = {accounts.internal}
default_internal_group = {accounts.internal_group}
default_login_user = {accounts.login}
first_valid_uid = 1
first_valid_gid = 1
mail_uid = {accounts.mail_uid}
mail_gid = {accounts.mail_gid}
mail_location = {_location(settings)}
mail_fsync = {"optimized" if settings.fsync else "never"}
mail_plugins = {plugins}
auth_mechanisms = plain login
auth_master_user_separator = *
auth_failure_delay = 0
mail_max_userip_connections = {settings.connections_per_user}
default_process_limit = 300
default_client_limit = 1000
verbose_proctitle = yes
protocol imap {{
  mail_plugins = {imap_plugins}
  {capability}
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
}}
"""


def _location(settings: DovecotSettings) -> str:
    if settings.storage is Storage.MDBOX:
        return "mdbox:~/mdbox"
    # Maildir++ spells sub-folders with dots in one directory; with another separator they are directories.
    return "maildir:~/Maildir" if settings.separator == "." else "maildir:~/Maildir:LAYOUT=fs"


def _namespace(settings: DovecotSettings) -> str:
    auto = "subscribe" if settings.create_special else "no"
    folders = "".join(
        f'  mailbox "{folder}" {{\n    special_use = {attribute}\n    auto = {auto}\n  }}\n'
        for folder, attribute in settings.special_use.items()
    )
    place = f"  inbox = yes\n  separator = {settings.separator}\n  prefix = {settings.prefix}\n"
    return f"namespace inbox {{\n{place}{folders}}}\n"


def _sign_in(place: Place) -> str:
    # A master user's password opens a mailbox only when the mailbox exists: the second passdb is asked for it.
    return f"""\
passdb {{
  driver = passwd-file
  args = username_format=%u {place.home}/masters
  master = yes
  result_success = continue
}}
passdb {{
  driver = passwd-file
  args = username_format=%u {place.home}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {place.home}/users
  default_fields = home={place.mail}/%u
}}
"""


def _services(place: Place) -> str:
    # One login process for all connections; the delay after wrong passwords, kept by anvil per address, is off:
    # every client of a test has the same address.
    return f"""\
service imap-login {{
  service_count = 0
  inet_listener imap {{
    port = {place.imap}
  }}
  inet_listener imaps {{
    port = {place.imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  inet_listener pop3 {{
    port = {place.pop3}
  }}
  inet_listener pop3s {{
    port = {place.pop3s}
    ssl = yes
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


def _unprivileged() -> str:
    """Only root may chroot."""
    services = ("anvil", "imap-login", "pop3-login", "stats", "ipc", "imap-urlauth-login")
    return "".join(f"service {service} {{\n  chroot =\n}}\n" for service in services)
