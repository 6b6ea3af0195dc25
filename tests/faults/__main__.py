"""A long campaign of kills: `make faults KILLS=400 SEED=7`; status 0 unless mail was lost or silently doubled."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from mailhaul.stack.corpus import Kind, corpus
from mailhaul.stack.dovecot import Storage
from tests.faults.campaign import Act, Campaign, Plan
from tests.faults.engines import Mailhaul
from tests.faults.stage import Stage

KINDS = (Kind.PLAIN, Kind.TWINS, Kind.EQUAL_HEADERS, Kind.AWKWARD)


def main(arguments: list[str]) -> int:
    """Run one campaign a storage format and print the seeds, every failure and a closing line for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="acts in all, over both storage formats")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first campaign")
    parser.add_argument("--acts", nargs="+", type=Act, choices=list(Act), default=list(Act))
    parser.add_argument("--kinds", nargs="+", type=Kind, choices=list(Kind), default=list(KINDS))
    parser.add_argument("--storage", nargs="+", type=Storage, choices=list(Storage), default=list(Storage))
    parser.add_argument("--mailboxes", type=int, default=4)
    parser.add_argument("--messages", type=int, default=300, help="in each mailbox")
    parser.add_argument("--keep", action="store_true", help="keep ledgers and logs")
    options = parser.parse_args(arguments)
    clean = True
    for number, storage in enumerate(options.storage):
        seed = options.seed + number
        corpora = tuple(
            corpus(
                seed * 10 + index,
                options.mailboxes,
                options.messages,
                kind,
                source_domain=f"{kind}.example.org",
                destination_domain=f"{kind}.example.com",
            )
            for index, kind in enumerate(options.kinds)
        )
        plan = Plan(seed, corpora, options.kills // len(options.storage), acts=tuple(options.acts))
        print(f"seed {seed}, {storage}, {', '.join(options.kinds)}", flush=True)
        clean = _campaign(plan, storage, keep=options.keep) and clean
    return 0 if clean else 1


def _campaign(plan: Plan, storage: Storage, *, keep: bool) -> bool:
    directory = Path(tempfile.mkdtemp(prefix="mailhaul-faults-"))
    directory.chmod(0o755)
    stage = Stage(directory, storage=storage)
    try:
        stage.start()
        outcome = Campaign(stage, Mailhaul(), plan).run()
        failures = list(outcome.failures())
    finally:
        if keep:
            shutil.copytree(stage.ledgers, directory / "ledgers")
        stage.close()
        if keep:
            print(f"kept {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    for failure in failures:
        print(failure)
    print(outcome.closing_line(), flush=True)
    return outcome.honest


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
