"""The words of `mailhaul copy`: two URLs, or a CSV; never a password."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mailhaul.dial import IMPLICIT, NONE, STARTTLS
from mailhaul.errors import RequestInvalid
from mailhaul.events import Endpoint

_TLS = {"imaps": IMPLICIT, "imap": STARTTLS, "imap+starttls": STARTTLS, "imap+plaintext": NONE}
_PORTS = {IMPLICIT: 993, STARTTLS: 143, NONE: 143}
_OCTETS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True, slots=True)
class Place:
    """A mailbox as a URL names it; `user` is empty where the URL names none."""

    user: str
    endpoint: Endpoint


def place(text: str) -> Place:
    """`imaps://USER@HOST[:PORT]`; the user may hold an `@`, written as it is or as %40."""
    parts = urlsplit(text)
    tls = _TLS.get(parts.scheme.lower())
    user, at, address = parts.netloc.rpartition("@")
    if tls is None or not address or parts.path.strip("/") or parts.query or parts.fragment:
        words = ", ".join(f"{scheme}://" for scheme in _TLS)
        raise RequestInvalid("bad_url", f"a mailbox is written {words} then USER@HOST[:PORT]")
    if at and ":" in user:
        raise RequestInvalid("password_in_url", "a password never stands in a URL: give it by file, variable or prompt")
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::(\d{1,5}))?", address)
    if not found or int(found[2] or 1) > 65535:
        raise RequestInvalid("bad_url", "the host and port of a URL are written HOST or HOST:PORT")
    port = int(found[2]) if found[2] else _PORTS[tls]
    return Place(unquote(user), Endpoint(host=found[1].strip("[]"), port=port, tls=tls))


def octets(text: str) -> int:
    """`50M`, `512K`, `1G` or a plain number of octets."""
    found = re.fullmatch(r"(\d+)([KMG]?)", text.strip().upper().removesuffix("B"))
    if not found:
        raise argparse.ArgumentTypeError("a size is written 52428800, 512K, 50M or 1G")
    return int(found[1]) * _OCTETS[found[2]]


def parser() -> argparse.ArgumentParser:
    """Every option, with the words of `--help`."""
    made = argparse.ArgumentParser(
        prog="mailhaul copy",
        description="Move mailboxes over IMAP, exactly once. May be killed and run again: it goes on where it stopped.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong arguments, 75 run it again.",
    )
    ends = made.add_argument_group("what to move")
    ends.add_argument("--from", dest="source", metavar="URL", help="imaps://USER@HOST[:PORT]; imap:// is STARTTLS")
    ends.add_argument(
        "--to", dest="target", metavar="URL", help="the same for the destination; with --csv without USER"
    )
    ends.add_argument("--csv", type=Path, metavar="FILE", help="many mailboxes: destination;host;user;password")
    ends.add_argument("--kind", choices=("standard", "master-user"), default="standard", help="dialect of the CSV")
    ends.add_argument("--at-once", type=int, default=8, metavar="N", help="mailboxes of a CSV moved at once (8)")
    secrets = made.add_argument_group("passwords (else MAILHAUL_FROM_PASSWORD, MAILHAUL_TO_PASSWORD, else a prompt)")
    secrets.add_argument("--from-password-file", type=Path, metavar="FILE")
    secrets.add_argument("--to-password-file", type=Path, metavar="FILE")
    secrets.add_argument("--from-master", default="", metavar="USER", help="sign in to the source as this master user")
    secrets.add_argument("--to-master", default="", metavar="USER", help="the same at the destination")
    secrets.add_argument("--to-master-style", choices=("authzid", "separator"), default=None)
    rules = made.add_argument_group("what is left out and renamed")
    rules.add_argument("--include-trash", action="store_true")
    rules.add_argument("--include-junk", action="store_true")
    rules.add_argument("--skip-folder", action="append", default=[], metavar="NAME")
    rules.add_argument("--translate", action="append", default=[], metavar="OLD:NEW")
    rules.add_argument("--max-size", type=octets, default=None, metavar="SIZE", help="largest message (50M)")
    _manners(made)
    return made


def _manners(made: argparse.ArgumentParser) -> None:
    ways = made.add_argument_group("how")
    ways.add_argument("--state", type=Path, metavar="DIR", help="where the ledger is kept")
    ways.add_argument("--ca-file", type=Path, metavar="FILE", help="certificates to trust beside the system's")
    ways.add_argument("--allow-network", action="append", default=[], metavar="CIDR", help="a private network to dial")
    ways.add_argument("--settle", action="store_true", help="only settle what an interrupted run left unclear")
    ways.add_argument("--settle-after", type=float, default=None, metavar="SECONDS")
    ways.add_argument(
        "--surplus", choices=("repair", "report"), default="repair", help="late copies of our own (repair)"
    )
    ways.add_argument(
        "--max-wait", type=float, default=300.0, metavar="SECONDS", help="longest wait for a server (300)"
    )
    ways.add_argument("-o", "--output", choices=("text", "json"), default="text")
    ways.add_argument("--quiet", action="store_true", help="no progress bar")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options; ends the process with 2 and a sentence when they make no sense."""
    made = parser()
    options = made.parse_args(words)
    if bool(options.csv) == bool(options.source):
        made.error("give either --from with --to, or --csv")
    if options.source and not options.target:
        made.error("--from needs --to")
    if options.at_once < 1:
        made.error("--at-once is 1 or more")
    return options
