"""Starts the meter: `python -m services.meter`."""

import asyncio
import os

import faust

from mailhaul import failpoints, logs
from mailhaul.kafka.aiokafka_client import require_topics
from mailhaul.kafka.client_log import calm
from mailhaul.kafka.connection import cluster
from mailhaul.settings import Settings
from mailhaul.topics import FOLDER_PROGRESS, PREFIX
from services.meter.app import Plan, make_app


def main() -> None:
    """Runs until SIGTERM; ends with status 70 on a bug."""
    settings = Settings()
    where = cluster(settings.kafka)
    logs.configure(settings, "meter")
    # A Faust app waits for ever on a topic that does not exist.
    asyncio.run(require_topics(where, [f"{where.prefix}{PREFIX}{FOLDER_PROGRESS.name}"]))
    data_directory = settings.state_dir / "meter"
    data_directory.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        where=where,
        partitions=FOLDER_PROGRESS.partitions(settings.kafka.replication == 1),
        replication=settings.kafka.replication,
        window_seconds=settings.meter.window_seconds,
        data_directory=data_directory,
    )
    worker = faust.Worker(make_app(plan), loglevel="WARNING", quiet=True)
    worker.spinner = None  # it writes to the terminal, and there is none
    calm()
    worker.execute_from_commandline()


if __name__ == "__main__":
    failpoints.configure(os.environ.get(failpoints.VARIABLE, ""))
    main()
