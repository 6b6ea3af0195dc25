"""Long work that does not block (promise 4): per-key queues, contiguous commits, pause at the high-water mark."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from mailhaul.kafka.run_loop import Edge, Handle
from mailhaul.topics import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How much a keyed consumer takes on."""

    at_once: int = 8  # events in the heart's hands
    high_water: int = 64  # unfinished records of a partition at which it is paused
    low_water: int = 32  # and resumed
    commit_seconds: float = 1.0
    drain_seconds: float = 20.0  # after a stop, until the work that goes on is cancelled


async def run_keyed(
    edge: Edge,
    handle: Handle,
    stop: asyncio.Event,
    *,
    flow: Flow | None = None,
    topics: Sequence[Topic] | None = None,
) -> None:
    """For a heart whose events take long (validator, copier): one after another within a key, side by side across keys.

    What the heart yields is published at once, not when it ends. After a rebalance work goes on; what was really lost
    is cancelled. A redelivered event joins the work that is in flight for its `event_id`.
    """
    raise NotImplementedError
