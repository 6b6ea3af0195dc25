"""Tells a dead server from a slow one: octets per window, not answers."""

import asyncio
from collections.abc import Callable

_TICKS = 4


class StallWatch:
    """Calls `stalled` when `progress` does not change for a window while `busy`; time that is `held` does not count."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        window: Callable[[], float],
        progress: Callable[[], object],
        busy: Callable[[], bool],
        held: Callable[[], bool],
        stalled: Callable[[], None],
    ) -> None:
        self._loop, self._window, self._stalled = loop, window, stalled
        self._progress, self._busy, self._held = progress, busy, held
        self._timer: asyncio.TimerHandle | None = None
        self._seen: object = None
        self._idle = 0

    def start(self) -> None:
        """Begin, unless it runs already."""
        if self._timer is None:
            self._idle, self._seen = 0, self._progress()
            self._wait()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = self._loop.call_later(self._window() / _TICKS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._busy():
            return
        now = self._progress()
        self._idle = 0 if now != self._seen or self._held() else self._idle + 1
        self._seen = now
        if self._idle >= _TICKS:
            self._stalled()
        else:
            self._wait()
