"""The copier's heart: triggers in, events out, with real mail servers, a real vault and a real ledger."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from pydantic import SecretStr

from mailhaul import budget, directory, vault
from mailhaul.budget import StopLevel
from mailhaul.clock import SystemClock
from mailhaul.db import Database, now
from mailhaul.events import (
    Event,
    FolderPlanned,
    FolderProgressed,
    MailboxRunChanged,
    MailboxStopRequested,
    MessageOutcome,
    MigrationDeleted,
    Rules,
    RunTriggered,
)
from mailhaul.ids import CustomerId, MigrationId, RowId, mailbox_id, run_id
from mailhaul.kafka.bus import Message
from mailhaul.kafka.codec import decode
from mailhaul.kafka.keyed_consumer import Occupied
from mailhaul.settings import PlatformSettings, Settings
from mailhaul.stack.dovecot import Dovecot, DovecotSettings
from mailhaul.states import Change, Grade, MigrationState, Scope
from mailhaul.vault import Binding
from mailhaul.vault_keys import load_opener, load_sealer, make_vault_keys
from services.copier.control import Control
from services.copier.heart import Ends, Heart
from services.copier.lease import Worker
from services.copier.ledger import saved_folders
from tests.fixtures_copier import MASTER, MASTER_PASSWORD, PASSWORD, Rig, Servers, letter

CUSTOMER, MIGRATION = CustomerId("customer-1"), MigrationId("migration-1")
ON_SQLITE = pytest.mark.parametrize("schema_url", ["sqlite"], indirect=True)


@dataclass
class Bench:
    """A heart and the trigger that fits its rig."""

    rig: Rig
    heart: Heart
    control: Control
    trigger: RunTriggered
    database: Database

    async def tell(self, event: Event) -> list[Event]:
        """Everything that the heart says to an event."""
        return [decode(item) if isinstance(item, Message) else item async for item in self.heart.handle(event)]

    async def raw(self, event: Event) -> list[Event | Message]:
        return [item async for item in self.heart.handle(event)]

    async def answer(self, event: Event) -> MailboxRunChanged:
        """Its last word."""
        last = (await self.tell(event))[-1]
        assert isinstance(last, MailboxRunChanged)
        return last

    def next(self, **changes: object) -> RunTriggered:
        number = self.trigger.trigger_no + 1
        self.trigger = replace(self.trigger, trigger_no=number, event_id=f"trigger-{number}", **changes)  # type: ignore[arg-type]
        return self.trigger


@pytest.fixture
async def make_bench(
    mail_servers: Servers, worker: Worker, database: Database, tmp_path: Path, make_rig: Callable[..., Rig]
) -> AsyncIterator[Callable[..., object]]:
    private, public = tmp_path / "vault.key", tmp_path / "vault.pub"
    make_vault_keys(private, public)
    sealer, opener = load_sealer(public), load_opener(private)
    over = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def make(target: Dovecot | None = None, *, slice_seconds: float = 600.0, password: str = PASSWORD) -> Bench:
        rig = make_rig(target)
        server = target or mail_servers.new
        access = rig.job.source
        destination = rig.user.replace(".org", ".com")
        platform = PlatformSettings(
            host="127.0.0.1",
            port=server.imaps_port,
            master_user=MASTER,
            master_password=SecretStr(MASTER_PASSWORD),
            ca_file=server.ca_file,
        )
        settings = Settings(platform=platform)
        settings.copier.settle_after = 0.0
        binding = Binding.of_row(
            customer_id=CUSTOMER,
            migration_id=MIGRATION,
            row_id=RowId("row-1"),
            source=access.endpoint,
            source_user=rig.user,
        )

        def prepare(tx: object) -> str:
            at = now(tx)  # type: ignore[arg-type]
            directory.grant(tx, CUSTOMER, "example.com", "operator", at)  # type: ignore[arg-type]
            sealer.make_key(tx, CUSTOMER, MIGRATION, at)  # type: ignore[arg-type]
            return sealer.seal(tx, binding, SecretStr(password), at)  # type: ignore[arg-type]

        secret_ref = await database.write(prepare)
        control = Control(worker, SystemClock(), slice_seconds=slice_seconds)
        tasks.append(asyncio.create_task(control.run(asyncio.Event(), over)))
        ends = Ends(source=access.policy, target=access.policy, platform=platform)
        heart = Heart(database, worker, control, opener, ends, settings, SystemClock(), Random(1))
        trigger = RunTriggered(
            event_id="trigger-1",
            at=datetime(2026, 3, 1, tzinfo=UTC),
            migration_id=MIGRATION,
            customer_id=CUSTOMER,
            run_id=run_id(MIGRATION, 1),
            run_no=1,
            trigger_no=1,
            failures=0,
            mailbox_id=mailbox_id(destination),
            row_id=RowId("row-1"),
            row_version=1,
            scope=Scope.BULK,
            folder_id=None,
            source=access.endpoint,
            source_user=rig.user,
            master_user="",
            secret_ref=secret_ref,  # type: ignore[arg-type]
            destination=destination,
            rules=Rules(),
            surplus="repair",
        )
        return Bench(rig, heart, control, trigger, database)

    yield make
    over.set()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def bench(make_bench: Callable[..., object]) -> Bench:
    made = await make_bench()  # type: ignore[misc]
    assert isinstance(made, Bench)
    return made


async def test_a_trigger_is_answered_with_everything_that_happened(bench: Bench) -> None:
    bench.rig.source.create("Sent", "Trash")
    bench.rig.source.append("INBOX", *(letter(f"m{n}") for n in range(25)), flags="\\Seen")
    bench.rig.source.append("Trash", letter("gone"))
    said = await bench.tell(bench.trigger)
    assert isinstance(said[0], MailboxRunChanged)
    assert said[0].change is Change.STARTED
    planned = {each.source_name: each.action for each in said if isinstance(each, FolderPlanned)}
    assert planned == {"INBOX": "copy", "Sent": "copy", "Trash": "skip"}
    finals = [each for each in said if isinstance(each, FolderProgressed) and each.final]
    assert sorted((each.role, each.found, each.copied, each.skipped) for each in finals) == [
        ("inbox", 25, 25, 0),
        ("sent", 0, 0, 0),
        ("trash", 1, 0, 1),
    ]
    answer = said[-1]
    assert isinstance(answer, MailboxRunChanged)
    assert (answer.change, answer.grade, answer.settled, answer.code) == (Change.FINISHED, Grade.GOOD, True, "")
    assert (answer.found, answer.copied, answer.skipped, answer.left, answer.folders) == (26, 25, 1, 0, 2)
    assert len({each.event_id for each in said}) == len(said)
    assert bench.rig.same()


@ON_SQLITE
@pytest.mark.joint(2)
async def test_joint_02_finished_work_is_answered_with_the_same_bytes_and_older_triggers_are_ignored(
    bench: Bench,
) -> None:
    bench.rig.source.append("INBOX", letter("a"))
    first = [item for item in await bench.raw(bench.trigger) if isinstance(item, Message)]
    bench.rig.source.append("INBOX", letter("b"))
    again = [item for item in await bench.raw(bench.trigger) if isinstance(item, Message)]
    assert again == first
    assert len(bench.rig.target.messages()) == 1
    bench.next()
    await bench.tell(bench.trigger)
    assert bench.rig.same()
    assert await bench.tell(replace(bench.trigger, trigger_no=1)) == []


@ON_SQLITE
async def test_messages_that_were_not_simply_copied_are_listed(bench: Bench) -> None:
    bench.rig.source.append("INBOX", letter("a"), letter("big", 3000))
    said = await bench.tell(replace(bench.trigger, rules=Rules(max_octets=2000)))
    outcomes = [each for each in said if isinstance(each, MessageOutcome)]
    assert [(each.outcome, each.code, each.octets, each.source_uid) for each in outcomes] == [
        ("skipped", "too_large", 3000, 2)
    ]


@ON_SQLITE
@pytest.mark.joint(9)
async def test_joint_09_a_stop_holds_for_what_has_not_begun_and_for_no_later_trigger(bench: Bench) -> None:
    bench.rig.source.append("INBOX", letter("a"))
    stop = MailboxStopRequested(
        event_id="stop-1",
        at=bench.trigger.at,
        migration_id=MIGRATION,
        customer_id=CUSTOMER,
        mailbox_id=bench.trigger.mailbox_id,
        up_to_run_no=1,
        up_to_trigger_no=1,
        reason="paused",
    )
    assert await bench.tell(stop) == []
    answer = await bench.answer(bench.trigger)
    assert (answer.change, answer.reason) == (Change.STOPPED, "paused")
    assert not bench.rig.target.messages()
    assert (await bench.answer(bench.next())).change is Change.FINISHED


@ON_SQLITE
@pytest.mark.joint(9)
async def test_joint_09_a_running_copy_stops_within_seconds(bench: Bench) -> None:
    for n in range(40):
        bench.rig.source.append("INBOX", letter(f"m{n}", 200_000))
    running = asyncio.create_task(bench.tell(bench.trigger))
    await asyncio.sleep(0.1)
    await bench.database.write(lambda tx: budget.stop(tx, StopLevel.MIGRATION, MIGRATION, "cancelled", now(tx)))
    async with asyncio.timeout(10):
        said = await running
    answer = said[-1]
    assert isinstance(answer, MailboxRunChanged)
    assert answer.reason == "cancelled" or answer.change is Change.FINISHED
    assert (await bench.answer(bench.next())).change is Change.STOPPED


@ON_SQLITE
@pytest.mark.joint(12)
async def test_joint_12_a_slice_yields_and_the_next_trigger_goes_on(make_bench: Callable[..., object]) -> None:
    bench = await make_bench(slice_seconds=0.0)  # type: ignore[misc]
    bench.rig.source.append("INBOX", *(letter(f"m{n}") for n in range(5)))
    answer = await bench.answer(bench.trigger)
    assert (answer.change, answer.reason, answer.left) == (Change.PARKED, "continue", 5)
    bench.control._slice = 600.0
    done = await bench.answer(bench.next())
    assert (done.change, done.copied) == (Change.FINISHED, 5)


@ON_SQLITE
@pytest.mark.joint(14)
async def test_joint_14_a_mailbox_without_room_is_parked_and_a_redelivery_is_answered(
    make_bench: Callable[..., object], make_dovecot: Callable[..., Dovecot]
) -> None:
    server = make_dovecot("full", DovecotSettings(quota=True, master_users={MASTER: MASTER_PASSWORD}))
    bench = await make_bench(server)  # type: ignore[misc]
    server.set_quota(bench.trigger.destination, "20K")
    bench.rig.source.append("INBOX", *(letter(f"m{n}", 6000) for n in range(9)))
    answer = await bench.answer(bench.trigger)
    assert (answer.change, answer.reason, answer.code) == (Change.PARKED, "over_quota", "over_quota")
    assert answer.until is not None
    again = await bench.answer(bench.trigger)
    assert again == answer
    server.set_quota(bench.trigger.destination, "2000K")
    done = await bench.answer(bench.next())
    assert (done.change, done.copied, done.left) == (Change.FINISHED, 9, 0)
    assert bench.rig.same()


@ON_SQLITE
@pytest.mark.joint(29)
async def test_joint_29_a_domain_that_is_no_longer_granted_gets_no_mail(bench: Bench) -> None:
    bench.rig.source.append("INBOX", letter("a"))
    await bench.database.write(lambda tx: directory.revoke(tx, CUSTOMER, "example.com"))
    answer = await bench.answer(bench.trigger)
    assert (answer.change, answer.code, answer.retryable) == (Change.FINISHED, "domain_not_granted", False)
    assert not bench.rig.target.messages()


@ON_SQLITE
@pytest.mark.joint(10)
async def test_joint_10_a_shredded_secret_ends_the_trigger_and_deletion_drops_the_ledger(bench: Bench) -> None:
    bench.rig.source.append("INBOX", letter("a"))
    await bench.tell(bench.trigger)
    deleted = MigrationDeleted(
        event_id="deleted-1",
        at=bench.trigger.at,
        migration_id=MIGRATION,
        customer_id=CUSTOMER,
        state=MigrationState.DONE,
        state_seq=9,
        reason="requested",
    )
    await bench.database.write(lambda tx: vault.shred(tx, MIGRATION))
    assert (await bench.answer(bench.next())).code == "credentials_expired"
    from services.copier.heart import pair_of

    pair = pair_of(bench.trigger)
    assert await bench.database.read(saved_folders, pair)
    assert await bench.tell(deleted) == []
    assert not await bench.database.read(saved_folders, pair)


@ON_SQLITE
async def test_a_wrong_password_is_the_source_s_trouble(make_bench: Callable[..., object]) -> None:
    bench = await make_bench(password="not the password")  # type: ignore[misc]
    answer = await bench.answer(bench.trigger)
    assert (answer.change, answer.side, answer.retryable) == (Change.FINISHED, "source", False)
    assert answer.code == "sign_in_refused"
    assert "not the password" not in repr(answer)


@ON_SQLITE
@pytest.mark.joint(11)
async def test_joint_11_a_mailbox_that_another_worker_holds_uses_no_slot(bench: Bench, database: Database) -> None:
    other = Worker(database, "worker-other", None, 15.0)
    await other.start()
    await other.acquire(bench.trigger.mailbox_id)
    with pytest.raises(Occupied):
        await bench.tell(bench.trigger)
    await other.close()
    assert (await bench.answer(bench.trigger)).change is Change.FINISHED


@ON_SQLITE
@pytest.mark.joint(33)
async def test_joint_33_only_plans_hold_names_and_nothing_holds_a_secret(bench: Bench) -> None:
    bench.rig.source.create("Geheim")
    bench.rig.source.append("Geheim", letter("subject of no concern"))
    for event in await bench.tell(bench.trigger):
        text = repr(event)
        assert PASSWORD not in text
        assert MASTER_PASSWORD not in text
        assert "user" not in text or isinstance(event, FolderPlanned)
        assert "Geheim" not in text or isinstance(event, FolderPlanned)
        assert "subject" not in text


@ON_SQLITE
@pytest.mark.joint(23)
async def test_joint_23_a_settling_is_answered_as_such(bench: Bench) -> None:
    bench.rig.source.append("INBOX", letter("a"))
    first = await bench.answer(bench.trigger)
    answer = await bench.answer(bench.next(scope=Scope.SETTLE))
    assert (answer.change, answer.settled, answer.copied) == (Change.SETTLED, True, 1)
    assert (answer.found, answer.grade) == (first.found, first.grade)


@ON_SQLITE
@pytest.mark.joint(13)
async def test_joint_13_the_first_scope_brings_the_newest_mail_and_bulk_the_rest(bench: Bench) -> None:
    today = int(datetime.now(UTC).timestamp())
    bench.rig.source.create("Sent", "Other")
    bench.rig.source.append("INBOX", letter("old"), date=today - 90 * 86_400)
    bench.rig.source.append("INBOX", letter("new"), date=today - 86_400)
    bench.rig.source.append("Sent", letter("sent"))
    bench.rig.source.append("Other", letter("other"))
    first = await bench.answer(replace(bench.trigger, scope=Scope.FIRST))
    assert (first.change, first.copied) == (Change.FINISHED, 2)
    assert (len(bench.rig.target.messages()), len(bench.rig.target.messages("Sent"))) == (1, 1)
    assert not bench.rig.target.messages("Other")
    done = await bench.answer(bench.next(scope=Scope.BULK))
    assert (done.copied, done.left, done.found) == (4, 0, 4)
