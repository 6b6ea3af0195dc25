"""What people ask, granted or refused with a reason."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from mailhaul import budget
from mailhaul import events as e
from mailhaul.ids import CustomerId, MigrationId
from mailhaul.states import Change, CheckState, MigrationState
from mailhaul.topics import REQUESTS
from mailhaul.vault import vault_key, vault_secret
from services.scheduler import tables
from services.scheduler.rules import ALLOWED, refusal
from tests.scheduler_world import ASAP, CUSTOMER, MIGRATION, NONE, World, after, at, names

S = MigrationState


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.database.engine.dispose()


def refused(world: World, told: list[e.Event]) -> str:
    (event,) = world.only(e.RequestRefused, told)
    assert len(told) == 1
    assert event.state is world.state()
    return event.code


@pytest.mark.parametrize(
    ("request_kind", "state", "code"),
    [
        (e.RunRequested, S.VALIDATING, "not_valid"),
        (e.RunRequested, S.INVALID, "not_valid"),
        (e.RunRequested, S.VALID, None),
        (e.RunRequested, S.RUNNING, "running"),
        (e.RunRequested, S.READY_FOR_CUTOVER, None),
        (e.RunRequested, S.DONE, None),
        (e.RunRequested, S.PAUSED, "paused"),
        (e.RunRequested, S.CANCELLED, "cancelled"),
        (e.PauseRequested, S.DONE, "finished"),
        (e.PauseRequested, S.VALIDATING, "not_valid"),
        (e.ResumeRequested, S.RUNNING, "not_paused"),
        (e.ResumeRequested, S.PAUSED, None),
        (e.CancelRequested, S.DONE, "finished"),
        (e.CancelRequested, S.PAUSED, None),
        (e.RetryRequested, S.VALID, "not_running"),
        (e.RetryRequested, S.RUNNING, None),
        (e.DeleteRequested, S.RUNNING, "running"),
        (e.DeleteRequested, S.CANCELLED, None),
        (e.CorrectRowRequested, S.CANCELLED, "cancelled"),
        (e.RescheduleRequested, S.PAUSED, "paused"),
    ],
)
def test_what_may_be_asked_when(request_kind: type[e.Request], state: MigrationState, code: str | None) -> None:
    assert refusal(request_kind, state) == code


def test_every_request_has_a_rule_for_every_state() -> None:
    assert set(ALLOWED) == set(REQUESTS.carries) - {e.MigrationSubmitted}
    assert all(refusal(kind, state) != "" for kind in ALLOWED for state in S)


def test_joint_04_too_many_rows_are_refused_at_submission() -> None:
    world = World(rows_per_file=2)
    told = world.deliver(*world.submission(3))
    assert [(names([event]), getattr(event, "code", "")) for event in told] == [
        (["MigrationRejected"], "too_many_rows")
    ]
    for line in (1, 2, 3):
        world.check(line)
    row = world.submission(3)[3]
    told = world.ask(e.LeaveOutRowRequested, row_id=row.row_id)  # type: ignore[attr-defined]
    assert names(told) == ["RowLeftOut", "MigrationAccepted"]


def test_joint_04_five_migrations_at_once() -> None:
    world = World(open_migrations=2)
    for number in (1, 2, 3):
        world.accepted(1, migration=MigrationId(f"m{number}"), first=NONE)
    assert [world.state(MigrationId(f"m{n}")) for n in (1, 2, 3)] == [S.VALID, S.VALID, S.INVALID]
    assert world.only(e.MigrationRejected)[0].code == "too_many_migrations"
    world.accepted(1, migration=MigrationId("other"), customer=CustomerId("customer-2"), first=NONE)
    assert world.state(MigrationId("other")) is S.VALID
    told = world.ask(e.RecheckRequested, MigrationId("m3"), row_id=None)
    assert told == []  # still too many
    world.ask(e.CancelRequested, MigrationId("m1"))
    told = world.ask(e.RecheckRequested, MigrationId("m3"), row_id=None)
    assert names(told) == ["MigrationAccepted"]


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (at("2026-03-29T02:30", "Europe/Rome"), NONE, "no_such_hour"),
        (at("2026-03-01T02:30"), NONE, "in_the_past"),
        (ASAP, after(24 * 60), "second_too_late"),
        (ASAP, at("2026-03-03T08:00"), "second_too_late"),
    ],
)
def test_joint_04_a_time_that_cannot_be_is_refused_and_correctable(
    world: World, first: e.RunTime, second: e.RunTime, code: str
) -> None:
    told = world.accepted(1, first=first, second=second)
    assert [event.code for event in world.only(e.MigrationRejected, told)] == [code]
    told = world.ask(e.RescheduleRequested, first=ASAP, second=NONE)
    assert names(told) == ["MigrationRescheduled", "MigrationAccepted"]
    assert names(world.tick()) == ["RunStarted", "RunTriggered"]


def test_the_second_run_is_moved_and_dropped_until_it_starts(world: World) -> None:
    world.accepted(1, second=after(240))
    (trigger,) = world.triggers()
    told = world.ask(e.RescheduleRequested, first=None, second=after(300))
    assert world.only(e.MigrationRescheduled, told)[0].second_at == world.now + timedelta(hours=5)
    assert refused(world, world.ask(e.RescheduleRequested, first=ASAP, second=None)) == "run_started"
    assert refused(world, world.ask(e.RescheduleRequested, first=None, second=after(24 * 60))) == "second_too_late"
    world.finish(trigger)
    assert world.state() is S.READY_FOR_CUTOVER
    assert world.tick(hours=4) == []
    assert names(world.ask(e.RescheduleRequested, first=None, second=NONE)) == [
        "MigrationRescheduled",
        "MigrationFinished",
    ]
    assert world.tick(hours=4) == []
    told = world.ask(e.RescheduleRequested, first=None, second=after(10 * 60))
    assert names(told) == ["MigrationRescheduled", "RunEnded"]
    assert world.state() is S.READY_FOR_CUTOVER
    assert names(world.tick(hours=2)) == ["RunStarted", "RunTriggered"]
    assert refused(world, world.ask(e.RescheduleRequested, first=None, second=NONE)) == "run_started"


def test_the_first_run_is_moved_and_takes_the_second_along(world: World) -> None:
    world.accepted(1, first=at("2026-03-02T20:00"), second=after(60))
    told = world.ask(e.RescheduleRequested, first=at("2026-03-02T21:00"), second=None)
    moved = world.only(e.MigrationRescheduled, told)[0]
    assert moved.second_at == world.now + timedelta(hours=14)
    assert world.tick(hours=12) == []
    assert names(world.tick(hours=1)) == ["RunStarted", "RunTriggered"]


def test_joint_09_pause_stands_in_sql_and_follows_on_the_topic(world: World) -> None:
    world.accepted(3)
    one, two, three = world.triggers()
    world.answer(one, Change.PARKED, reason="throttled", until=world.now + timedelta(minutes=1))
    told = world.ask(e.PauseRequested)
    assert names(told) == ["MigrationPaused", "MailboxStopRequested", "MailboxStopRequested"]
    stop = world.only(e.MailboxStopRequested, told)[0]
    assert (stop.up_to_run_no, stop.up_to_trigger_no, stop.reason) == (1, 1, "paused")
    with world.database.engine.connect() as tx:
        assert budget.stops(tx).reasons == {("migration", MIGRATION): "paused"}
    assert refused(world, world.ask(e.PauseRequested)) == "paused"
    world.answer(two, Change.STOPPED, reason="paused")
    world.finish(three)  # was done before the stop reached it
    assert world.tick(hours=1) == []
    assert names(world.ask(e.ResumeRequested)) == ["MigrationResumed"]
    assert world.state() is S.RUNNING
    with world.database.engine.connect() as tx:
        assert budget.stops(tx).reasons == {}
    again = world.triggers()
    assert {trigger.mailbox_id for trigger in again} == {one.mailbox_id, two.mailbox_id}
    assert {trigger.trigger_no for trigger in again} == {2}
    assert names(world.finish(*again)) == ["RunFinished", "MigrationFinished"]


def test_joint_09_a_stop_that_is_answered_after_the_resume_costs_nothing(world: World) -> None:
    world.accepted(1)
    (trigger,) = world.triggers()
    world.ask(e.PauseRequested)
    world.ask(e.ResumeRequested)
    assert world.triggers() == []
    world.answer(trigger, Change.STOPPED, reason="paused")
    (again,) = world.triggers()
    assert again.trigger_no == 2


def test_a_run_whose_time_comes_during_a_pause_starts_at_the_resume(world: World) -> None:
    world.accepted(1, first=at("2026-03-02T09:00"))
    world.ask(e.PauseRequested)
    assert world.tick(hours=2) == []
    world.ask(e.ResumeRequested)
    assert names(world.tick()) == ["RunStarted", "RunTriggered"]


def test_cancel_ends_it(world: World) -> None:
    world.accepted(2, second=after(60))
    one, two = world.triggers()
    world.finish(one)
    told = world.ask(e.CancelRequested)
    assert names(told) == ["MigrationCancelled", "MailboxStopRequested"]
    assert refused(world, world.ask(e.DeleteRequested)) == "running"
    assert world.answer(two, Change.STOPPED, reason="cancelled") == []
    assert world.tick(hours=12) == []
    assert refused(world, world.ask(e.RunRequested)) == "cancelled"
    assert names(world.tick(days=30)) == ["MigrationDeleted"]


def test_joint_10_deletion_shreds_first_and_leaves_a_tombstone(world: World) -> None:
    submission = world.submission(2)
    world.deliver(*submission)
    with world.database.engine.begin() as tx:
        key = {"migration_id": MIGRATION, "customer_id": CUSTOMER, "public_key": b"", "sealed_private_key": b""}
        tx.execute(vault_key.insert().values(**key, created_at=0))
        tx.execute(
            vault_secret.insert().values(
                secret_ref="secret-1", migration_id=MIGRATION, row_id="r", ciphertext=b"", created_at=0
            )
        )
    world.check(1)
    world.check(2)
    (one, two) = world.triggers()
    assert refused(world, world.ask(e.DeleteRequested)) == "running"
    world.finish(one, two)
    assert names(world.ask(e.DeleteRequested)) == ["MigrationDeleted"]
    left = world.dump(tables.row, tables.run, tables.mailbox_run, vault_key, vault_secret)
    assert all(rows == [] for rows in left.values())
    assert world.deliver(*submission, world.verdict(1), world.reply(one, Change.STARTED)) == []
    assert world.ask(e.RunRequested) == []
    assert world.dump(tables.row, tables.run, tables.mailbox_run, vault_key, vault_secret) == left
    with world.database.engine.connect() as tx:
        text = repr(tx.execute(select(tables.migration)).all())
    assert "example" not in text


def test_joint_10_the_purge_waits_for_a_run(world: World) -> None:
    world.accepted(1)
    assert len(world.triggers()) == 1
    told = world.tick(days=75)
    assert names(told) == ["RunTriggered"]  # the copier was silent: it is asked again
    world.finish(*world.only(e.RunTriggered, told))
    assert names(world.tick(hours=1)) == ["MigrationDeleted"]


def test_joint_08_the_old_secret_goes_with_the_correction_and_a_refused_one_goes_too(world: World) -> None:
    world.deliver(*world.submission(2))
    with world.database.engine.begin() as tx:
        for ref in ("secret-1", "secret-2", "secret-new", "secret-refused"):
            values = {"secret_ref": ref, "migration_id": MIGRATION, "row_id": "r", "ciphertext": b"", "created_at": 0}
            tx.execute(vault_secret.insert().values(**values))
    world.check(1)
    world.check(2, CheckState.FAILED)
    second: Any = world.submission(2)[2]
    correction = {name: getattr(second, name) for name in ("row_id", "line", "destination", "source", "source_user")}
    world.ask(e.CorrectRowRequested, **correction, master_user="", secret_ref="secret-new")
    world.ask(e.CorrectRowRequested, **{**correction, "row_id": "none"}, master_user="", secret_ref="secret-refused")
    with world.database.engine.connect() as tx:
        refs = set(tx.execute(select(vault_secret.c.secret_ref)).scalars())
    assert refs == {"secret-1", "secret-new"}


def test_a_corrected_destination_is_another_mailbox(world: World) -> None:
    world.accepted(2)
    one, two = world.triggers()
    world.finish(two)
    world.fail(one, "no_such_destination")
    line = next(row.line for row in world.submission(2)[1:] if row.row_id == one.row_id)  # type: ignore[attr-defined]
    told = world.ask(
        e.CorrectRowRequested,
        row_id=one.row_id,
        line=line,
        destination="other@migration-1.example.com",
        source=one.source,
        source_user=one.source_user,
        master_user="",
        secret_ref=one.secret_ref,
    )
    assert world.only(e.RowCorrected, told)[0].mailbox_id != one.mailbox_id
    world.check(line, version=2, destination="other@migration-1.example.com")
    (trigger,) = world.triggers()
    assert (trigger.destination, trigger.run_no, trigger.trigger_no) == ("other@migration-1.example.com", 1, 1)
    told = world.finish(trigger)
    assert world.only(e.RunFinished, told)[0].mailboxes == 2
    assert world.state() is S.DONE


def test_recheck_of_what_did_not_pass(world: World) -> None:
    world.deliver(*world.submission(3))
    world.check(1)
    world.check(2, CheckState.FAILED)
    world.check(3, CheckState.NOT_TESTED)
    told = world.ask(e.RecheckRequested, row_id=None)
    assert names(told) == ["RowCorrected", "RowCorrected", "MigrationReopened"]
    assert [row.secret_ref for row in world.only(e.RowCorrected, told)] == ["secret-2", "secret-3"]
    world.check(2, version=2)
    assert names(world.check(3, version=2)) == ["MigrationAccepted"]
    assert refused(world, world.ask(e.RecheckRequested, row_id=None)) == "nothing_to_check"


def test_joint_13_customers_take_turns_within_the_caps() -> None:
    world = World(mailboxes_per_customer=4, mailboxes_per_server=6, releases_per_tick=5)
    big, small = CustomerId("big"), CustomerId("small")
    world.accepted(8, migration=MigrationId("m-big"), customer=big)
    world.accepted(2, migration=MigrationId("m-small"), customer=small)
    world.accepted(2, migration=MigrationId("m-else"), customer=CustomerId("else"), host="imap.example.net")
    with world.database.engine.begin() as tx:
        first = world.only(e.RunTriggered, list(world.scheduler.tick(tx)))
    assert sorted(trigger.customer_id for trigger in first) == ["big", "big", "else", "else", "small"] or sorted(
        trigger.customer_id for trigger in first
    ) == ["big", "big", "else", "small", "small"]
    rest = world.triggers()
    flying = [trigger.customer_id for trigger in [*first, *rest]]
    assert (flying.count(big), flying.count(small), flying.count(CustomerId("else"))) == (4, 2, 2)
    world.finish(first[0])
    assert [trigger.customer_id for trigger in world.triggers()] == ["big"]


def test_joint_14_parked_and_stopped_servers_get_no_triggers(world: World) -> None:
    with world.database.engine.begin() as tx:
        at_once = budget.park(tx, "imap.example.org", 60_000_000, "throttled", world.scheduler.policy.rng, 0)
        assert at_once
    with world.database.engine.begin() as tx:
        now = int(world.now.timestamp() * 1_000_000)
        until = budget.park(tx, "imap.example.org", 60_000_000, "throttled", world.scheduler.policy.rng, now)
    world.accepted(1)
    assert world.triggers() == []
    assert world.triggers(seconds=59) == []
    assert len(world.triggers(seconds=(until - now) / 1_000_000)) == 1


def test_joint_13_the_newest_mail_of_every_mailbox_first() -> None:
    world = World(newest_first=True, mailboxes_per_customer=1)
    world.accepted(2)
    seen = []
    for _ in range(4):
        (trigger,) = world.triggers()
        seen.append((trigger.scope, trigger.trigger_no))
        world.finish(trigger)
    assert seen == [("first", 1), ("first", 1), ("bulk", 2), ("bulk", 2)]
    assert world.state() is S.DONE


def test_one_trigger_for_a_mailbox_at_a_time(world: World) -> None:
    world.accepted(2)
    one, two = world.triggers()
    assert world.tick(hours=1) == []
    with world.database.engine.connect() as tx:
        flying = select(func.count()).where(tables.mailbox_run.c.phase == "flying")
        assert tx.execute(flying).scalar_one() == 2
    assert replace(one, at=two.at).trigger_no == two.trigger_no == 1
