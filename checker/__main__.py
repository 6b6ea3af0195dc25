"""The command line of the checker: `python -m checker --help`."""

import argparse
import json
import os
import ssl
import sys
from pathlib import Path

from checker.compare import against_manifest, against_source
from checker.expectation import ManifestError, Rules, read_manifest
from checker.model import Pair
from checker.reader import Server
from checker.report import Verdict
from checker.selftest import self_test

EXACT, NOT_EXACT, IMPOSSIBLE = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    """Return the parser; passwords are read from files or the environment, never from an argument."""
    parser = argparse.ArgumentParser(prog="python -m checker", description="Judge a finished move by itself.")
    parser.add_argument("--source", metavar="URL", help="imaps://HOST[:PORT] of the old server")
    parser.add_argument("--destination", metavar="URL", help="imaps://HOST[:PORT] of the new server")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="certificate authority of both servers")
    parser.add_argument("--manifest", type=Path, metavar="FILE", help="what the generator says must be there")
    parser.add_argument("--source-unchanged", action="store_true", help="also judge the source by the manifest")
    for side in ("", "source-", "destination-"):
        of = f"of the {side[:-1]}" if side else "of both servers"
        parser.add_argument(f"--{side}master", metavar="USER", help=f"master user {of}")
        parser.add_argument(
            f"--{side}password-file", type=Path, metavar="FILE", help=f"password of the master user {of}"
        )
        parser.add_argument(f"--{side}passwords", type=Path, metavar="FILE", help=f"USER:PASSWORD lines {of}")
    rules = parser.add_argument_group("without a manifest")
    rules.add_argument("--mailbox", action="append", default=[], metavar="USER[=USER]", help="an account on both sides")
    rules.add_argument("--map", action="append", default=[], metavar="OLD:NEW", help="a folder's new name")
    rules.add_argument("--leave-out", action="append", default=[], metavar="FOLDER", help="with all below it")
    rules.add_argument("--max-octets", type=int, metavar="N", help="larger messages are left out")
    parser.add_argument("--self-test", action="store_true", help="seed corruptions and see each one caught")
    parser.add_argument("--seed", type=int, default=1, help="of the self-test")
    parser.add_argument("--rounds", type=int, default=30, help="of the self-test, every corruption once in each")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser


def main(arguments: list[str]) -> int:
    """Judge, print, and return 0 when exact, 1 when not, 2 when no judgement was possible."""
    options = parser().parse_args(arguments)
    if options.self_test:
        return _self_test(options)
    try:
        verdict = _judge(options)
    except (ManifestError, ValueError, OSError) as error:
        print(f"checker: {error}", file=sys.stderr)
        return IMPOSSIBLE
    print(json.dumps(verdict.as_json(), indent=1) if options.output == "json" else "\n".join(verdict.lines()))
    if any(mailbox.error for mailbox in verdict.mailboxes):
        return IMPOSSIBLE
    return EXACT if verdict.exact else NOT_EXACT


def _self_test(options: argparse.Namespace) -> int:
    result = self_test(options.seed, options.rounds)
    print(f"seed {options.seed}, {options.rounds} rounds")
    for miss in (*result.missed, *result.false_alarms):
        print(f"missed: {miss}")
    print(result.closing_line())
    return EXACT if result.passed else NOT_EXACT


def _judge(options: argparse.Namespace) -> Verdict:
    if options.destination is None:
        raise ValueError("--destination is needed")
    destination = _server(options, "destination")
    source = _server(options, "source") if options.source else None
    if options.manifest:
        if options.source_unchanged and source is None:
            raise ValueError("--source-unchanged needs --source")
        return against_manifest(
            read_manifest(options.manifest), source if options.source_unchanged else None, destination
        )
    if source is None or not options.mailbox:
        raise ValueError("without --manifest, --source and at least one --mailbox are needed")
    pairs = [Pair(*(mailbox.split("=", 1) if "=" in mailbox else (mailbox, mailbox))) for mailbox in options.mailbox]
    renamed = dict(rule.split(":", 1) for rule in options.map)
    return against_source(pairs, source, destination, Rules(renamed, frozenset(options.leave_out), options.max_octets))


def _server(options: argparse.Namespace, side: str) -> Server:
    """Return one side as the options describe it; an option of the side goes before the common one."""

    def option(name: str) -> object:
        own = getattr(options, f"{side}_{name}")
        return own if own is not None else getattr(options, name)

    host, port, tls = Server.address(getattr(options, side))
    context = ssl.create_default_context(cafile=options.ca) if tls else None
    file, passwords = option("password_file"), option("passwords")
    password = os.environ.get(f"CHECKER_{side.upper()}_PASSWORD", "")
    return Server(
        host,
        port,
        tls,
        context,
        master=str(option("master") or ""),
        master_password=file.read_text("utf-8").rstrip("\r\n") if isinstance(file, Path) else password,
        passwords=_passwords(passwords) if isinstance(passwords, Path) else None,
    )


def _passwords(file: Path) -> dict[str, str]:
    lines = (line for line in file.read_text("utf-8").splitlines() if ":" in line)
    return {user: password for user, _, password in (line.partition(":") for line in lines)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
