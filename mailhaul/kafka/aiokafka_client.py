"""What every aiokafka client of ours needs around it: patience at the start, an end that ends (joint 18)."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from mailhaul.errors import MailhaulError, Side
from mailhaul.kafka.connection import Cluster, aiokafka_options

log = structlog.get_logger(__name__)

T = TypeVar("T")
RETRY_SECONDS = 0.5
STOP_SECONDS = 5.0


async def until_reachable(make: Callable[[], T]) -> T:
    """Make a client and start it, again and again while no broker answers."""
    warned = False
    while True:
        client = make()
        try:
            await client.start()  # type: ignore[attr-defined]  # every client of aiokafka has it
        except KafkaConnectionError as error:
            await within(_close(client), STOP_SECONDS)
            if not warned:
                log.warning("broker_unreachable", reason=str(error))
                warned = True
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return client


async def _close(client: Any) -> None:
    await (client.close() if hasattr(client, "close") else client.stop())


async def within(work: Awaitable[Any], seconds: float) -> bool:
    """Wait so long for a client to end; what it raises by then, a stray cancellation too, ends with it.

    False when it did not end.
    """
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=seconds)
    ended = task.done() and not task.cancelled()
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)
    if task.done() and not task.cancelled() and (error := task.exception()) is not None:
        log.debug("client_ended_badly", reason=repr(error))
    return ended


async def require_topics(where: Cluster, names: Collection[str]) -> None:
    """A consumer's start() waits for ever on a topic that does not exist, so look first; raises MailhaulError."""
    admin = await until_reachable(lambda: AIOKafkaAdminClient(**aiokafka_options(where)))
    try:
        known = set(await admin.list_topics())
    finally:
        await within(admin.close(), STOP_SECONDS)
    missing = sorted(set(names) - known)
    if missing:
        raise MailhaulError(
            "topics_missing",
            f"create them first (`mailhaul topics create`): {', '.join(missing)}",
            side=Side.PLATFORM,
        )
