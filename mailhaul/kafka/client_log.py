"""Keeps the Kafka client's log readable: it writes a hundred errors a second while the broker is away (joint 18)."""

import logging
import time
from collections.abc import Callable


class StormFilter(logging.Filter):
    """Lets each message of each logger through once in `seconds`."""

    def __init__(self, seconds: float = 30.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._monotonic = monotonic
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        instant = self._monotonic()
        # The template, not the text: the text holds a new error, address or number every time.
        message = (record.name, str(record.msg)[:80])
        if instant - self._last.get(message, -self._seconds) < self._seconds:
            return False
        self._last[message] = instant
        return True


def calm(prefix: str = "aiokafka", storm: StormFilter | None = None) -> None:
    """Put one filter on every logger of the client; calling it again changes nothing."""
    shared = storm or StormFilter()
    for name in [prefix, *logging.root.manager.loggerDict]:
        if name == prefix or name.startswith(f"{prefix}."):
            logger = logging.getLogger(name)
            if not any(isinstance(each, StormFilter) for each in logger.filters):
                logger.addFilter(shared)
