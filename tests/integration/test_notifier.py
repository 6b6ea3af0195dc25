"""The notifier against a real SMTP server: every mail accepted, whatever dies; a repeat has the same octets."""

import asyncio
import email
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.policy import default
from random import Random
from typing import Any, cast

import pytest
from sqlalchemy import Connection, func, select, update

from mailhaul import events
from mailhaul.clock import SystemClock
from mailhaul.db import Database, open_database
from mailhaul.events import Event, NotificationChanged
from mailhaul.failpoints import FailpointError, configure
from mailhaul.ids import CustomerId, MigrationId
from mailhaul.kafka.bus import Bus
from mailhaul.kafka.codec import decode
from mailhaul.kafka.memory_bus import MemoryBroker, MemoryBus
from mailhaul.kafka.outbox import Outbox
from mailhaul.kafka.run_loop import Edge, run
from mailhaul.retry import Policy
from mailhaul.stack.smtp import Mode, SMTPSink
from mailhaul.states import Advice, Grade, MigrationState
from services.notifier.delivery import Delivery
from services.notifier.heart import Notifier
from services.notifier.page import Pages
from services.notifier.relay import Relay, RelaySettings
from services.notifier.tables import mail
from services.notifier.tables import run as told_run
from tests.notifier_samples import AT, PLATFORM, SENDER, finished, hindered

SECONDS = 15.0
HASTY = Policy(failures=480, base=0.05, cap=0.1)


class House:
    """A notifier and what stands around it; `open` starts it, and it may die and be opened again."""

    def __init__(self, db: Database, sink: SMTPSink) -> None:
        self.db = db
        self.sink = sink
        self.broker = MemoryBroker(partitions=3)

    def bus(self, service: str = "notifier") -> Bus:
        return MemoryBus(self.broker, service)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Until the block ends, or the notifier dies of a failpoint."""
        bus, outbox = self.bus(), Outbox(self.db, "notifier")
        relay = RelaySettings(host=self.sink.host, port=self.sink.port)
        delivery = Delivery(
            self.db, bus, outbox, lambda: Relay(relay), Random(7), claim_seconds=0.3, look_seconds=0.05, policy=HASTY
        )
        heart = Notifier(self.db, outbox, platform=PLATFORM, sender=SENDER, pages=Pages(), mails_due=delivery.due.set)
        stop = asyncio.Event()
        loops = [
            asyncio.ensure_future(run(Edge(bus, SystemClock(), outbox), heart.handle, stop)),
            asyncio.ensure_future(delivery.run(stop)),
        ]
        try:
            yield
        finally:
            stop.set()
            for loop in loops:
                loop.cancel() if any(
                    each.done() and each.exception() for each in loops if not each.cancelled()
                ) else None
            await asyncio.gather(*loops, return_exceptions=True)

    async def tell(self, *told: Event) -> None:
        await self.bus("scheduler").publish(told)

    async def told(self, count: int) -> list[NotificationChanged]:
        """Wait until so many outcomes stand on `notifications`."""
        async with asyncio.timeout(SECONDS):
            while len(found := await self.notifications()) < count:
                await asyncio.sleep(0.05)
        return found

    async def notifications(self) -> list[NotificationChanged]:
        records = [record async for record in self.bus().scan(["mailhaul.notifications"])]
        return [cast("NotificationChanged", decode(record)) for record in records]

    async def count(self, table: Any) -> int:
        return await self.db.read(lambda tx: tx.execute(select(func.count()).select_from(table)).scalar_one())

    def subjects(self) -> list[str]:
        return [email.message_from_bytes(kept.content, policy=default)["Subject"] for kept in self.sink.mails()]


@pytest.fixture
async def house(sqlite_schema_url: str, smtp_sink: SMTPSink) -> AsyncIterator[House]:
    db = open_database(sqlite_schema_url)
    yield House(db, smtp_sink)
    await db.close()


@pytest.fixture
def either_house(database: Database, smtp_sink: SMTPSink) -> House:
    """On SQLite and on PostgreSQL: for what the tables decide."""
    return House(database, smtp_sink)


@pytest.fixture
def failing() -> Any:
    yield configure
    configure("")


async def test_joint_26_mails_leave_for_runs_and_notices_each_with_its_recipients(house: House) -> None:
    notice = events.NoticeRequested(
        event_id="notice-1",
        at=AT,
        customer_id=CustomerId("customer-1"),
        migration_id=MigrationId("migration-2"),
        notice="rejected",
        recipients=("anna@example.com",),
        language="it",
        zone="Europe/Rome",
        subject_code="M-7K2QY",
        name="",
        words=("failed_rows=2",),
    )
    async with house.open():
        await house.tell(finished(recipients=("admin@example.com", "Second <second@example.com>")), notice)
        told = await house.told(3)
    assert {(each.notice, each.state, each.recipients) for each in told} == {
        ("switch_mx", "sent", 1),
        ("rejected", "sent", 1),
    }
    assert sorted(kept.recipients[0] for kept in house.sink.mails()) == [
        "admin@example.com",
        "anna@example.com",
        "second@example.com",
    ]
    assert {kept.sender for kept in house.sink.mails()} == {"mailhaul@platform.test"}
    assert "M-7K2QY: righe da correggere" in house.subjects()
    assert len({each.notification_id for each in told}) == 3


async def test_joint_22_mail_goes_again_only_when_the_advice_changes(either_house: House) -> None:
    async with either_house.open():
        await either_house.tell(hindered())
        await either_house.told(1)
        await either_house.tell(hindered(event_id="r2", revision=2, waiting_mailboxes=()))  # the same advice
        await either_house.tell(finished(event_id="r3", revision=3))
        await either_house.told(2)
        await either_house.tell(hindered(), finished(event_id="r3", revision=3), finished(event_id="r4", revision=4))
        await either_house.tell(
            finished(event_id="f1", run_id="run-2", run_no=2, last=True, advice=Advice.FINISHED, grade=Grade.EXACT)
        )
        told = await either_house.told(3)
        await asyncio.sleep(0.3)
    assert len(await either_house.notifications()) == 3
    assert [each.notice for each in told] == ["do_not_switch", "switch_mx", "final"]
    assert either_house.subjects() == [
        "M-7K2QX: do not change your MX records yet",
        "M-7K2QX: change your MX records now",
        "M-7K2QX: migration finished, everything accounted for",
    ]


async def test_late_revision_says_nothing_anew(house: House) -> None:
    async with house.open():
        await house.tell(finished(event_id="r3", revision=3))
        await house.told(1)
        await house.tell(hindered(event_id="r2", revision=2))
        await asyncio.sleep(0.4)
    assert house.subjects() == ["M-7K2QX: change your MX records now"]


async def test_joint_05_repeated_events_send_nothing_twice(either_house: House) -> None:
    async with either_house.open():
        for _ in range(3):
            await either_house.tell(finished())
        await either_house.told(1)
        await asyncio.sleep(0.3)
    async with either_house.open():
        await either_house.tell(finished())
        await asyncio.sleep(0.3)
    assert len(either_house.sink.mails()) == 1
    assert len(await either_house.notifications()) == 1


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.DROP])
async def test_mail_that_was_not_taken_is_sent_again(house: House, mode: Mode) -> None:
    house.sink.behave(mode)
    async with house.open():
        await house.tell(finished())
        async with asyncio.timeout(SECONDS):
            while not await house.db.read(lambda tx: tx.execute(select(func.max(mail.c.failures))).scalar_one()):
                await asyncio.sleep(0.05)
        assert await house.notifications() == []
        house.sink.behave(Mode.ACCEPT)
        (told,) = await house.told(1)
    assert told.state == "sent"
    assert len(house.sink.mails()) == 1


async def test_answer_that_was_lost_makes_a_repeat_of_the_same_octets(house: House) -> None:
    house.sink.behave(Mode.DROP_ACCEPTED)
    async with house.open():
        await house.tell(finished())
        async with asyncio.timeout(SECONDS):
            while not house.sink.mails():
                await asyncio.sleep(0.02)
        house.sink.behave(Mode.ACCEPT)
        await house.told(1)
    contents = [kept.content for kept in house.sink.mails()]
    assert len(contents) >= 2
    assert len(set(contents)) == 1


@pytest.mark.parametrize("place", ["notifier.decided", "notifier.accepted"])
async def test_notifier_that_dies_on_the_way_repeats_the_same_octets(
    house: House, failing: Callable[[str], None], place: str
) -> None:
    failing(f"{place}=error@1")
    async with house.open():
        await house.tell(finished())
        await asyncio.sleep(1.0)
    assert await house.notifications() == []
    failing("")
    async with house.open():
        (told,) = await house.told(1)
    assert told.state == "sent"
    contents = {kept.content for kept in house.sink.mails()}
    assert len(contents) == 1
    assert len(house.sink.mails()) == (2 if place == "notifier.accepted" else 1)
    assert isinstance(FailpointError(place), Exception)


async def test_refused_recipient_is_told_and_hinders_nobody(house: House) -> None:
    house.sink.behave(Mode.REJECT)
    async with house.open():
        await house.tell(finished(recipients=("nobody@example.com", "not an address")))
        told = await house.told(2)
        house.sink.behave(Mode.ACCEPT)
        await house.tell(finished(event_id="other", migration_id="migration-2", run_id="other"))
        await house.told(3)
    assert {(each.state, each.code) for each in told} == {("failed", "smtp_refused"), ("failed", "bad_recipient")}
    assert len(house.sink.mails()) == 1


async def test_relay_that_is_away_is_waited_out(house: House) -> None:
    house.sink.stop()
    async with house.open():
        await house.tell(finished(), finished(event_id="other", migration_id="migration-2", run_id="other"))
        async with asyncio.timeout(SECONDS):
            while not await house.db.read(lambda tx: tx.execute(select(func.max(mail.c.failures))).scalar_one()):
                await asyncio.sleep(0.05)
        house.sink.start()
        told = await house.told(2)
    assert {each.state for each in told} == {"sent"}


async def test_mails_to_one_person_about_one_migration_keep_their_order(either_house: House) -> None:
    async with either_house.open():
        await either_house.tell(hindered(recipients=("admin@example.com",)))
        await either_house.told(1)
    either_house.sink.behave(Mode.REFUSE)
    async with either_house.open():
        await either_house.tell(finished(event_id="r2", revision=2))
        async with asyncio.timeout(SECONDS):
            while await either_house.count(mail) < 2:
                await asyncio.sleep(0.05)
    await either_house.db.write(_postpone, 1.0)
    either_house.sink.behave(Mode.ACCEPT)
    async with either_house.open():
        await either_house.tell(hindered(event_id="f1", run_id="run-2", run_no=2, advice=Advice.FINISHED, last=True))
        await either_house.told(3)
    assert [subject.partition(": ")[2].split(",")[0] for subject in either_house.subjects()] == [
        "do not change your MX records yet",
        "change your MX records now",
        "migration finished",
    ]


def _postpone(tx: Connection, seconds: float) -> None:
    pending = mail.c.state == "pending"
    tx.execute(update(mail).where(pending).values(due_at=mail.c.due_at + int(seconds * 1_000_000)))


async def test_joint_10_deleted_migration_is_forgotten_and_late_events_write_to_nobody(either_house: House) -> None:
    gone = events.MigrationDeleted(
        event_id="deleted-1",
        at=datetime(2026, 12, 24, tzinfo=UTC),
        migration_id=MigrationId("migration-1"),
        customer_id=CustomerId("customer-1"),
        state=MigrationState.DONE,
        state_seq=9,
        reason="requested",
    )
    async with either_house.open():
        await either_house.tell(finished())
        await either_house.told(1)
        await either_house.tell(gone)
        async with asyncio.timeout(SECONDS):
            while await either_house.count(mail) or await either_house.count(told_run):
                await asyncio.sleep(0.05)
        await either_house.tell(
            finished(event_id="late", revision=2, last=True), hindered(event_id="later", revision=3)
        )
        await asyncio.sleep(0.4)
        assert await either_house.count(mail) == await either_house.count(told_run) == 0
    assert len(either_house.sink.mails()) == 1
