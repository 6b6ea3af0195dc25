"""Whether a loop still turns and the broker acknowledges: a health signal, since a send itself never times out."""

import asyncio
from dataclasses import dataclass, field

import structlog

from mailhaul.clock import Clock
from mailhaul.kafka.bus import Bus
from mailhaul.kafka.process import wait_until

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Liveness:
    """`beat` at every turn of the loop; `fault` says in a word what is wrong, if anything."""

    bus: Bus
    clock: Clock
    silent_seconds: float = 30.0  # without an acknowledgement
    still_seconds: float = 960.0  # without a turn; longer than the longest step that the group allows
    _beaten: float = field(init=False)
    _told: str = ""

    def __post_init__(self) -> None:
        self._beaten = self.clock.monotonic()

    def beat(self) -> None:
        """The loop turned."""
        self._beaten = self.clock.monotonic()

    def fault(self) -> str:
        """`no_acknowledgement`, `no_turn`, or nothing."""
        if self.bus.unacknowledged_for() > self.silent_seconds:
            return "no_acknowledgement"
        return "no_turn" if self.clock.monotonic() - self._beaten > self.still_seconds else ""

    def tell(self) -> None:
        """Log a fault when it begins and when it is over."""
        fault = self.fault()
        if fault and fault != self._told:
            log.warning("service_unwell", fault=fault, unacknowledged_for=round(self.bus.unacknowledged_for()))
        elif self._told and not fault:
            log.info("service_well")
        self._told = fault

    async def watch(self, stop: asyncio.Event) -> None:
        """Look every few seconds, beside the loops."""
        while not stop.is_set():
            self.tell()
            await wait_until(stop, 2.0)
