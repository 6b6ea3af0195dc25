"""`python -m services.copier.local`: wiring only."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from random import Random
from uuid import uuid4

from sqlalchemy.exc import OperationalError

from mailhaul import failpoints
from mailhaul.clock import SystemClock
from mailhaul.db import open_database
from mailhaul.errors import MailhaulError, RequestInvalid
from mailhaul.settings import Settings
from services.copier.lease import Worker
from services.copier.local import AGAIN, DONE, FAILED, USAGE
from services.copier.local.arguments import parse
from services.copier.local.jobs import Order, orders
from services.copier.local.moving import Move, Mover
from services.copier.local.screen import Bars, report
from services.copier.tables import copier_batch


async def move(
    made: list[Order], state: Path, settings: Settings, *, at_once: int, max_wait: float, bars: Bars
) -> list[Move]:
    """Open the ledger, move everything, close it."""
    database = open_database(f"sqlite:///{state / 'copy.sqlite3'}")
    await database.write(copier_batch.metadata.create_all)
    owner = uuid4().hex
    worker = Worker(database, owner, state / "locks" / f"{owner}.lock", settings.copier.lease_seconds)
    await worker.start()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    mover = Mover(worker, SystemClock(), Random(), max_wait, stop, bars.changed)
    try:
        return await mover.run(made, at_once)
    finally:
        await worker.close()
        await database.close()


def main() -> int:
    options = parse(sys.argv[1:])
    failpoints.configure(os.environ.get(failpoints.VARIABLE, ""))
    settings = Settings()
    state = options.state or settings.state_dir
    bars = Bars(shown=sys.stderr.isatty() and not options.quiet and options.output == "text")
    try:
        made = orders(options, settings)
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        moves = asyncio.run(move(made, state, settings, at_once=options.at_once, max_wait=options.max_wait, bars=bars))
    except RequestInvalid as error:
        sys.stderr.write(f"{error.text}\n")
        return USAGE
    except OperationalError as error:
        # SQLite has one writer; a process that was stopped in the middle of a transaction holds it until it wakes.
        sys.stderr.write(f"the ledger is held by another process: {error.orig}\n")
        return AGAIN
    except (MailhaulError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    finally:
        bars.close()
    report(moves, options.output)
    codes = {each.code for each in moves}
    return FAILED if FAILED in codes else AGAIN if AGAIN in codes else DONE


if __name__ == "__main__":
    sys.exit(main())
