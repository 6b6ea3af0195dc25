"""The Faust app around the arithmetic: one agent, one table, totals published once a second (joint 20)."""

import asyncio
import os
import traceback
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faust
from faust.types import TP
from faust.types.auth import SASLMechanism

from mailhaul.errors import InvalidEvent
from mailhaul.events import FolderProgressed
from mailhaul.failpoints import failpoint
from mailhaul.kafka.bus import Message, Record
from mailhaul.kafka.codec import decode, encode
from mailhaul.kafka.connection import Cluster, aiokafka_options
from mailhaul.kafka.dead_letters import dead_letter
from mailhaul.topics import FOLDER_PROGRESS, PREFIX
from services.meter.totals import Place, Totals

SERVICE = "meter"
BUG = 70  # sysexits.h: EX_SOFTWARE
SWEEP_EVERY = 5_000  # records of a partition between two looks for what is outdated
PUBLISH_SECONDS = 1.0
STILL_SECONDS = 3.0  # a partition that holds more and does not move for so long has lost something
COUNTED = failpoint("meter.counted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the app is made from."""

    where: Cluster
    partitions: int  # of folder-progress; the changelog has as many
    replication: int
    window_seconds: int
    data_directory: Path


def make_app(plan: Plan) -> Any:
    """The Faust app, not started."""
    app = faust.App(f"{plan.where.prefix}{PREFIX}{SERVICE}", **_settings(plan))
    Meter(app, plan).attach()
    return app


def _settings(plan: Plan) -> dict[str, Any]:
    session = plan.where.session_timeout
    return {
        "broker": [f"kafka://{address}" for address in plan.where.bootstrap.split(",")],
        "broker_credentials": _credentials(plan.where),
        "store": "memory://",
        "datadir": plan.data_directory,
        "processing_guarantee": "at_least_once",
        "consumer_auto_offset_reset": "earliest",
        "topic_replication_factor": plan.replication,
        "topic_partitions": plan.partitions,
        "topic_disable_leader": True,
        "table_standby_replicas": 0,  # the state is small: a new owner reads it from the changelog
        "key_serializer": "raw",
        "value_serializer": "raw",
        "broker_commit_interval": 1.0,
        "broker_session_timeout": session,
        "broker_rebalance_timeout": session,
        "broker_heartbeat_interval": session / 6,
        # A service without anything to show must not listen: the command line's default listened on every address.
        "web_enabled": False,
        "web_bind": "127.0.0.1",
        "worker_redirect_stdouts": False,
        "stream_buffer_maxsize": 256,
    }


def _credentials(where: Cluster) -> Any:
    if not where.secured:
        return None
    return faust.SASLCredentials(
        username=where.sasl_username,
        password=where.sasl_password,
        mechanism=SASLMechanism(where.sasl_mechanism),
        ssl_context=aiokafka_options(where)["ssl_context"],
    )


class Meter:
    """The state of one worker: its table, and which windows changed since they were published."""

    def __init__(self, app: Any, plan: Plan) -> None:
        self._app = app
        self._plan = plan
        self._prefix = plan.where.prefix
        self._source = f"{self._prefix}{PREFIX}{FOLDER_PROGRESS.name}"
        # No value_type: a plain `list` breaks the restore.
        self._table = app.Table("totals", partitions=plan.partitions)
        self._totals = Totals(self._table, plan.window_seconds)
        self._changed: set[str] = set()
        self._newest: dict[int, int] = {}
        self._since_sweep: dict[int, int] = {}
        self._gone_back: dict[int, int] = {}
        self._seen: dict[int, int] = {}

    def attach(self) -> None:
        """Tie agent, timer and recovery to the app."""
        progress = self._app.topic(self._source, key_type=bytes, value_type=bytes)
        self._app.agent(progress, concurrency=1, name="measure")(self._measure)
        self._app.timer(interval=PUBLISH_SECONDS)(self._publish)
        self._app.timer(interval=STILL_SECONDS)(self._look)
        self._table.on_recover(self._recovered)

    async def _measure(self, stream: Any) -> None:
        # An exception that leaves an agent commits the event as done, so it never leaves: the process ends first.
        try:
            async for event in stream.events():
                await self._take(event.message)
        except Exception:  # noqa: BLE001  # one of the two places for it
            traceback.print_exc()
            os._exit(BUG)

    async def _take(self, message: Any) -> None:
        record = _record(message, self._prefix)
        part = record.partition
        if record.offset != self._totals.counted(part) + 1 and not await self._next(part, record.offset):
            return
        place = Place(part, record.offset, self._newest_of(part))
        try:
            progress = decode(record)
            if not isinstance(progress, FolderProgressed):
                raise InvalidEvent("wrong_topic", f"{type(progress).__name__} does not belong on {record.topic}")
        except InvalidEvent as error:
            await self._send(dead_letter(record, error, service=SERVICE))
        else:
            self._changed |= set(self._totals.add(progress, place))
            COUNTED()
            self._newest[part] = max(place.newest, self._totals.start_of(progress.at))
        self._totals.passed(place)
        self._sweep(part)
        # Faust's own flush before a commit gives up after a tenth of a second: leave nothing behind for it.
        while self._app.producer.buffer.size:
            await asyncio.sleep(0.001)

    async def _next(self, part: int, offset: int) -> bool:
        """Whether a record that does not follow the last one is to be counted all the same.

        Faust 0.15.3 drops records that it fetched during a rebalance and commits past them (measured: up to five of
        twelve partitions, when a worker joined or was killed). How far we counted stands in the table, so a gap shows
        and the partition goes back; what retention took away is a gap that stays.
        """
        wanted = self._totals.counted(part) + 1
        if offset < wanted:
            return False
        place = TP(self._source, part)
        if self._gone_back.get(part) == wanted:
            return False  # fetched before it went back
        found = await _within(self._app.consumer.earliest_offsets(place))
        if found is not None and offset <= found[place]:
            return True
        self._gone_back[part] = wanted
        await _within(self._app.consumer.seek_wait({place: wanted}))
        return False

    async def _look(self) -> None:
        """Send back every partition that holds more than is counted and did not move since the last look."""
        if self._app.rebalancing or self._app.in_recovery:
            return
        for place in self._app.consumer.assignment():
            if place.topic != self._source:
                continue
            counted, end = self._totals.counted(place.partition), self._app.consumer.highwater(place)
            still = self._seen.get(place.partition) == counted
            self._seen[place.partition] = counted
            if still and end is not None and counted + 1 < end:
                await _within(self._app.consumer.seek_wait({place: counted + 1}))

    def _newest_of(self, part: int) -> int:
        known = self._newest.get(part)
        return self._totals.newest(part) if known is None else known

    def _sweep(self, part: int) -> None:
        self._since_sweep[part] = self._since_sweep.get(part, 0) + 1
        if self._since_sweep[part] >= SWEEP_EVERY:
            self._since_sweep[part] = 0
            for key in self._totals.outdated(part, self._newest_of(part)):
                del self._table[key]

    async def _publish(self) -> None:
        # Between two assignments nothing is ours, and what another worker has by now it has counted further.
        mine = {place.partition for place in self._app.consumer.assignment() if place.topic == self._source}
        due = {window for window in self._changed if Totals.part_of(window) in mine}
        self._changed -= due
        for window in due:
            found = self._totals.event(window)
            if found is not None:
                topic, event = found
                await self._send(encode(event, source=SERVICE, topic=topic))

    async def _send(self, message: Message) -> None:
        topic = self._app.topic(f"{self._prefix}{message.topic}", key_type=bytes, value_type=bytes)
        await (await topic.send(key=message.key, value=message.value, headers=list(message.headers)))

    async def _recovered(self) -> None:
        # What the process before us counted last it may not have published; windows are upserts.
        for memory in (self._newest, self._gone_back, self._seen):
            memory.clear()
        self._changed |= set(self._totals.windows())


async def _within(asking: Awaitable[Any]) -> Any:
    """What the consumer answers; None when a rebalance comes in between, and then the next look asks again."""
    task = asyncio.ensure_future(asking)
    await asyncio.wait({task}, timeout=STILL_SECONDS)
    if not task.done():
        task.cancel()
        return None
    return None if task.cancelled() or task.exception() is not None else task.result()


def _record(message: Any, prefix: str) -> Record:
    headers = message.headers or ()
    pairs = headers.items() if hasattr(headers, "items") else headers
    return Record(
        topic=message.topic.removeprefix(prefix),
        partition=message.partition,
        offset=message.offset,
        key=message.key or b"",
        value=message.value,
        headers=tuple((name, value or b"") for name, value in pairs),
        appended_at=datetime.fromtimestamp(message.timestamp, UTC),
    )
