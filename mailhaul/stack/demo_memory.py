"""Watches how much memory the stack's Python processes take together while the demo runs."""

import threading

from mailhaul.stack.control import status
from mailhaul.stack.installation import Installation

EVERY = 1.0  # seconds


class MemoryWatch:
    """Samples from `start` to `stop`; `peak` is the largest sum of proportional shares (PSS), in octets."""

    def __init__(self, installation: Installation) -> None:
        self.peak = 0
        self.largest: dict[str, int] = {}
        self._installation = installation
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY):
            shares = {member.name: member.memory for member in status(self._installation).members}
            shares.pop("kafka", None)  # not Python
            for name, share in shares.items():
                self.largest[name] = max(share, self.largest.get(name, 0))
            self.peak = max(self.peak, sum(shares.values()))
