"""`python -m services.validator.local FILE`, which `mailhaul check` runs: parse, sign in, inventory; nothing is stored.

Exit codes: 0 every row passed, 3 a row or the file failed, 2 the command line is wrong.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mailhaul import intake
from mailhaul.addresses import is_allowed
from mailhaul.clock import Clock, SystemClock
from mailhaul.dial import IMPLICIT, NONE, STARTTLS
from mailhaul.errors import RequestInvalid
from mailhaul.events import Endpoint, Rules
from mailhaul.ids import MigrationId
from mailhaul.settings import Settings
from mailhaul.states import CheckState
from mailhaul.texts.language import spoken
from services.validator import wiring
from services.validator.check import Checker, Subject
from services.validator.report import Checked, as_json, as_text

DONE, FAILED, USAGE = 0, 3, 2
TYPES = {"standard-ssl": (IMPLICIT, 993), "standard-starttls": (STARTTLS, 143), "standard-no-ssl": (NONE, 143)}
NOBODY = MigrationId("local")


def parser() -> argparse.ArgumentParser:
    """Every option, with the words of `--help`."""
    made = argparse.ArgumentParser(
        prog="mailhaul check",
        description="Parse a file, sign in to both ends of every row, count what is there. Nothing is stored or moved.",
        epilog="Exit codes: 0 every row passed, 3 a row or the file failed, 2 wrong arguments.",
    )
    made.add_argument("file", type=Path, metavar="FILE", help="CSV; - reads standard input")
    made.add_argument("--kind", choices=[str(kind) for kind in intake.Kind], default="standard", help="its dialect")
    made.add_argument("--type", choices=sorted(TYPES), default="standard-ssl", help="how the source is reached")
    made.add_argument("--source-only", action="store_true", help="leave the destination out")
    made.add_argument("--ca-file", type=Path, metavar="FILE", help="certificates to trust beside the system's")
    made.add_argument("--allow-network", action="append", default=[], metavar="CIDR", help="a private network to dial")
    made.add_argument("--include-trash", action="store_true")
    made.add_argument("--include-junk", action="store_true")
    made.add_argument("--skip-folder", action="append", default=[], metavar="NAME")
    made.add_argument("--translate", action="append", default=[], metavar="OLD:NEW")
    made.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return made


def read(options: argparse.Namespace, settings: Settings) -> intake.Parsed:
    """The file, strictly."""
    data = sys.stdin.buffer.read() if str(options.file) == "-" else options.file.read_bytes()
    policy = wiring.source_policy(settings.source, more_networks=options.allow_network)
    return intake.parse(
        data,
        intake.Kind(options.kind),
        limits=intake.Limits(rows=settings.limits.rows_per_file),
        owners=True,
        forbidden=lambda address: not is_allowed(address, policy.allow),
    )


async def check(
    rows: Sequence[intake.Row], options: argparse.Namespace, settings: Settings, clock: Clock
) -> list[Checked]:
    """Check the rows as the service would, in the order of the file."""
    checker = _checker(options, settings, clock)
    tls, port = TYPES[options.type]
    rules = Rules(
        max_octets=settings.limits.message_octets,
        include_trash=options.include_trash,
        include_junk=options.include_junk,
        skip_folders=tuple(options.skip_folder),
        translations=tuple(options.translate),
    )
    began = clock.now()

    async def one(row: intake.Row) -> Checked:
        subject = Subject(
            migration=NOBODY,
            asked_at=began,
            destination=row.destination,
            source=Endpoint(host=row.host, port=row.port or port, tls=tls),
            source_user=row.source_user,
            master_user=row.master_user,
            password=row.password.get_secret_value() if row.password else None,
            rules=rules,
        )
        return Checked(row, await checker.check(subject))

    return list(await asyncio.gather(*(one(row) for row in rows)))


def _checker(options: argparse.Namespace, settings: Settings, clock: Clock) -> Checker:
    source, platform = settings.source, settings.platform
    if options.ca_file:
        source = source.model_copy(update={"ca_file": options.ca_file})
        platform = platform.model_copy(update={"ca_file": options.ca_file})
    destination = None
    if not options.source_only:
        if not platform.master_user:
            raise RequestInvalid("no_master", "set the platform's master user, or leave it out with --source-only")
        destination = wiring.destination(platform, source)
    # Whoever checks a file by hand means the ports in it: the list of ports is for files that customers upload.
    policy = replace(wiring.source_policy(source, more_networks=options.allow_network), ports=None)
    return Checker(policy, destination, wiring.gate(settings.validator, clock), clock)


def main(words: Sequence[str], settings: Settings) -> int:
    """The whole command."""
    options = parser().parse_args(words)
    try:
        parsed = read(options, settings)
        checked = asyncio.run(check(parsed.rows, options, settings, SystemClock()))
    except RequestInvalid as error:
        sys.stderr.write(f"{error.text}\n")
        return USAGE
    except OSError as error:
        sys.stderr.write(f"{options.file}: {error.strerror}\n")
        return USAGE
    if options.output == "json":
        sys.stdout.write(json.dumps(as_json(parsed, checked), ensure_ascii=False, indent=2) + "\n")
    else:
        lines = as_text(parsed, checked, spoken(settings.language))
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
    good = parsed.accepted and all(each.verdict.state is CheckState.PASSED for each in checked)
    return DONE if good else FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Settings()))
