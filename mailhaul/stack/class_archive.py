"""Run the cached broker once to write its class-data archive: later starts take half the time and 45 MB less."""

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mailhaul.errors import StackFailed
from mailhaul.stack.broker import Broker
from mailhaul.stack.kafka_home import Kafka, find_kafka


def write_archive(kafka: Kafka) -> None:
    """Write `kafka.archive` unless it is there; safe side by side, the last writer's file stays."""
    if kafka.archive is None or kafka.archive.exists():
        return
    new = kafka.archive.with_name(f"{kafka.archive.name}.{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="mailhaul-archive-") as directory:
        broker = Broker(Path(directory), replace(kafka, new_archive=new))
        broker.start()
        # The JVM writes the archive while it stops, which is why this stop takes seconds.
        broker.stop(timeout=120.0)
    if new.exists():
        new.replace(kafka.archive)


def main(environment: Mapping[str, str]) -> int:
    try:
        write_archive(find_kafka(environment))
    except StackFailed as failure:
        sys.stderr.write(f"{failure.text}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
