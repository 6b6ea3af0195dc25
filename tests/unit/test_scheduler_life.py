"""The life of a migration, told in events."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from mailhaul import events as e
from mailhaul.ids import row_id, run_id
from mailhaul.states import Advice, Change, CheckState, Grade, MigrationState, Scope
from tests.scheduler_world import ASAP, MIGRATION, NONE, START, World, after, at, names


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.database.engine.dispose()


def test_two_runs_end_to_end(world: World) -> None:
    assert names(world.accepted(2, second=after(240))) == ["MigrationAccepted"]
    told = world.tick()
    assert names(told) == ["RunStarted", "RunTriggered", "RunTriggered"]
    first = world.only(e.RunTriggered, told)
    assert {(t.run_no, t.trigger_no, t.scope, t.surplus) for t in first} == {(1, 1, Scope.BULK, "repair")}
    assert {t.source.address for t in first} == {"192.0.2.1"}
    assert first[0].rules == e.Rules(skip_folders=("Old",))
    assert {t.run_id for t in first} == {run_id(MIGRATION, 1)}
    world.now += timedelta(minutes=30)
    assert world.finish(first[0]) == []
    told = world.finish(first[1], grade=Grade.GOOD, skipped=2)
    assert names(told) == ["RunFinished", "RunEnded"]
    finished = world.only(e.RunFinished, told)[0]
    assert (finished.advice, finished.grade, finished.last) == (Advice.SWITCH_MX, Grade.GOOD, False)
    assert (finished.found, finished.copied, finished.skipped, finished.mailboxes) == (20, 20, 2, 2)
    assert finished.second_at == START + timedelta(hours=4)
    assert finished.domains == ("migration-1.example.com",)
    assert world.state() is MigrationState.READY_FOR_CUTOVER

    assert world.tick(hours=3) == []
    told = world.tick(minutes=30)
    assert names(told) == ["RunStarted", "RunTriggered", "RunTriggered"]
    second = world.only(e.RunTriggered, told)
    assert {(t.run_no, t.trigger_no, t.surplus) for t in second} == {(2, 1, "report")}
    told = world.finish(*second)
    assert names(told) == ["RunFinished", "MigrationFinished"]
    last = world.only(e.RunFinished, told)[0]
    assert (last.advice, last.last, last.run_no) == (Advice.FINISHED, True, 2)
    done = world.only(e.MigrationFinished, told)[0]
    assert (done.state, done.grade) == (MigrationState.DONE, Grade.EXACT)
    assert done.purge_at == world.now + timedelta(days=30)
    assert names(world.tick(days=30)) == ["MigrationDeleted"]
    assert world.tick(days=1) == []
    assert [f.state_seq for f in world.only(e.MigrationFact)] == list(range(1, 7))


def test_a_run_at_a_wall_time(world: World) -> None:
    told = world.accepted(1, first=at("2026-03-29T21:00", "Europe/Rome"))
    assert world.only(e.MigrationAccepted, told)[0].first_at == datetime.fromisoformat("2026-03-29T19:00+00:00")
    assert world.tick(days=27, hours=10, minutes=59) == []
    assert names(world.tick(minutes=1)) == ["RunStarted", "RunTriggered"]


def test_the_owner_is_told_of_a_passed_check_whose_run_is_still_to_come(world: World) -> None:
    told = world.accepted(1, first=at("2026-03-03T21:00"))
    assert names(told) == ["MigrationAccepted", "NoticeRequested"]
    assert world.only(e.NoticeRequested, told)[0].notice == "valid"


def test_a_time_that_went_by_while_nothing_ran_counts_at_once(world: World) -> None:
    world.accepted(1, first=at("2026-03-02T09:00"))
    assert names(world.tick(days=3)) == ["RunStarted", "RunTriggered"]


def test_valid_without_a_date_waits_for_one(world: World) -> None:
    assert names(world.accepted(1, first=NONE)) == ["MigrationAccepted"]
    assert world.tick(days=1) == []
    assert names(world.ask(e.RescheduleRequested, first=ASAP, second=after(60))) == ["MigrationRescheduled"]
    assert names(world.tick()) == ["RunStarted", "RunTriggered"]


def test_run_asked_for_starts_at_once(world: World) -> None:
    world.accepted(1, first=NONE)
    assert names(world.ask(e.RunRequested)) == ["RunStarted"]
    (trigger,) = world.triggers()
    told = world.finish(trigger)
    assert names(told) == ["RunFinished", "MigrationFinished"]
    assert world.only(e.RunFinished, told)[0].last
    assert world.state() is MigrationState.DONE
    assert names(world.ask(e.RunRequested)) == ["RunStarted"]
    (trigger,) = world.triggers()
    assert trigger.run_no == 2
    assert world.only(e.RunFinished, world.finish(trigger))[0].advice is Advice.FINISHED


def test_joint_07_not_tested_after_a_quarter_of_an_hour(world: World) -> None:
    world.deliver(*world.submission(2))
    world.check(1)
    assert world.tick(minutes=14) == []
    told = world.tick(minutes=1)
    assert names(told) == ["RowChecked", "MigrationRejected", "NoticeRequested"]
    assert world.only(e.RowChecked, told)[0].state is CheckState.NOT_TESTED
    rejected = world.only(e.MigrationRejected, told)[0]
    assert (rejected.code, rejected.failed_rows) == ("rows_failed", 1)
    # Our own word comes back and changes nothing; a late verdict does.
    assert world.deliver(world.only(e.RowChecked, told)[0]) == []
    assert names(world.check(2)) == ["MigrationAccepted"]


def test_joint_07_a_failed_row_is_corrected(world: World) -> None:
    world.deliver(*world.submission(2))
    world.check(1)
    told = world.check(2, CheckState.FAILED)
    assert names(told) == ["MigrationRejected", "NoticeRequested"]
    notice = world.only(e.NoticeRequested, told)[0]
    assert (notice.notice, notice.words, notice.recipients) == ("rejected", ("failed_rows=1",), ("admin@example.com",))
    assert world.state() is MigrationState.INVALID
    source = e.Endpoint(host="imap2.example.org", port=993, tls="implicit")
    told = world.ask(
        e.CorrectRowRequested,
        row_id=world.submission(2)[2].row_id,  # type: ignore[attr-defined]
        line=2,
        destination="user2@migration-1.example.com",
        source=source,
        source_user="new@example.org",
        master_user="",
        secret_ref="secret-new",
    )
    assert names(told) == ["RowCorrected", "MigrationReopened"]
    corrected = world.only(e.RowCorrected, told)[0]
    assert (corrected.row_version, corrected.source, corrected.rules.skip_folders) == (2, source, ("Old",))
    assert world.state() is MigrationState.VALIDATING
    assert world.check(2, CheckState.PASSED, version=1) == []  # of the row as it was
    assert names(world.check(2, CheckState.PASSED, version=2)) == ["MigrationAccepted"]


def test_joint_07_a_row_left_out_is_subtracted(world: World) -> None:
    world.deliver(*world.submission(2))
    world.check(1)
    world.check(2, CheckState.FAILED)
    row = world.submission(2)[2].row_id  # type: ignore[attr-defined]
    told = world.ask(e.LeaveOutRowRequested, row_id=row)
    assert names(told) == ["RowLeftOut", "MigrationAccepted"]
    assert len(world.triggers()) == 1
    assert names(world.ask(e.LeaveOutRowRequested, row_id=row)) == ["RequestRefused"]


def test_joint_07_rows_waiting_for_their_owner_hold_nothing_up_and_join(world: World) -> None:
    world.deliver(*world.submission(2))
    world.check(1)
    assert names(world.check(2, CheckState.WAITING_FOR_OWNER)) == ["MigrationAccepted"]
    (trigger,) = world.triggers()
    told = world.finish(trigger)
    finished = world.only(e.RunFinished, told)[0]
    assert finished.waiting_mailboxes == ("user2@migration-1.example.com",)
    assert finished.advice is Advice.DO_NOT_SWITCH
    assert world.state() is MigrationState.NEEDS_ATTENTION
    row = world.submission(2)[2].row_id  # type: ignore[attr-defined]
    world.ask(
        e.CorrectRowRequested,
        row_id=row,
        line=2,
        destination="user2@migration-1.example.com",
        source=e.Endpoint(host="imap.example.org", port=993, tls="implicit"),
        source_user="user2@example.org",
        master_user="",
        secret_ref="given",
    )
    assert names(world.check(2, version=2)) == ["RunStarted"]
    (late,) = world.triggers()
    assert (late.run_no, late.secret_ref) == (1, "given")
    told = world.finish(late)
    again = world.only(e.RunFinished, told)[0]
    assert (again.revision, again.advice, again.waiting_mailboxes) == (1, Advice.SWITCH_MX, ())
    assert world.state() is MigrationState.DONE


def test_joint_08_a_password_changed_between_the_runs(world: World) -> None:
    world.accepted(2, second=after(240))
    first, other = world.triggers()
    world.finish(other)
    told = world.fail(first)
    finished = world.only(e.RunFinished, told)[0]
    assert len(finished.failed_mailboxes) == 1
    assert finished.failed_mailboxes[0].endswith(" bad_login source")
    assert world.state() is MigrationState.NEEDS_ATTENTION
    correction: dict[str, Any] = {
        "row_id": first.row_id,
        "line": 1,
        "destination": first.destination,
        "source": first.source,
        "source_user": first.source_user,
        "master_user": "",
        "secret_ref": "new",
    }
    assert names(world.ask(e.CorrectRowRequested, **correction)) == ["RowCorrected"]
    refused = world.ask(e.CorrectRowRequested, **{**correction, "row_id": other.row_id})
    assert world.only(e.RequestRefused, refused)[0].code == "row_passed"
    twin = world.ask(e.CorrectRowRequested, **{**correction, "destination": other.destination})
    assert world.only(e.RequestRefused, twin)[0].code == "duplicate_destination"
    version = world.only(e.RowCorrected)[0].row_version
    line = world.only(e.RowCorrected)[0].line
    assert names(world.check(line, version=version)) == ["RunStarted"]
    (again,) = world.triggers()
    assert (again.run_no, again.trigger_no, again.secret_ref) == (1, 2, "new")
    told = world.finish(again)
    assert (world.only(e.RunFinished, told)[0].advice, world.state()) == (
        Advice.SWITCH_MX,
        MigrationState.READY_FOR_CUTOVER,
    )
    assert names(world.tick(hours=4)) == ["RunStarted", "RunTriggered", "RunTriggered"]


def test_joint_02_failures_are_counted_and_reset_by_progress(world: World) -> None:
    world.accepted(1)
    seen = []
    (trigger,) = world.triggers()
    for progressed in (False, False, True, False):
        assert world.fail(trigger, "timeout", retryable=True, progressed=progressed) == []
        (trigger,) = world.triggers(hours=1)
        seen.append((trigger.trigger_no, trigger.failures))
    assert seen == [(2, 1), (3, 2), (4, 1), (5, 2)]
    world.answer(trigger, Change.PARKED, reason="continue")
    (trigger,) = world.triggers()
    assert (trigger.trigger_no, trigger.failures) == (6, 2)  # a slice raises the first, never the second
    for _ in range(2):
        world.fail(trigger, "timeout", retryable=True)
        (trigger,) = world.triggers(hours=1)
    told = world.fail(trigger, "timeout", retryable=True)  # the fifth in a row
    assert names(told) == ["RunFinished", "MigrationFinished"]
    assert world.state() is MigrationState.FAILED


def test_joint_02_answers_to_older_triggers_count_for_nothing(world: World) -> None:
    world.accepted(1)
    (trigger,) = world.triggers()
    world.answer(trigger, Change.STARTED)
    world.answer(trigger, Change.PARKED, reason="continue", progressed=True)
    (following,) = world.triggers()
    assert world.finish(trigger) == []
    assert world.fail(trigger) == []
    assert world.state() is MigrationState.RUNNING
    assert names(world.finish(following)) == ["RunFinished", "MigrationFinished"]
    assert world.finish(following) == []


def test_joint_14_a_parked_mailbox_waits_for_its_time(world: World) -> None:
    world.accepted(1)
    (trigger,) = world.triggers()
    world.answer(trigger, Change.PARKED, reason="throttled", until=world.now + timedelta(minutes=20))
    assert world.triggers(minutes=19) == []
    assert len(world.triggers(minutes=1)) == 1


def test_joint_21_run_2_of_a_mailbox_waits_for_its_run_1(world: World) -> None:
    world.accepted(2, second=after(13 * 60))
    quick, slow = world.triggers()
    world.finish(quick)
    world.answer(slow, Change.PARKED, reason="server_down", until=world.now + timedelta(hours=14))
    told = world.tick(hours=12)
    finished = world.only(e.RunFinished, told)[0]
    assert finished.waiting_mailboxes == (slow.destination,)
    assert finished.advice is Advice.DO_NOT_SWITCH
    told = world.tick(hours=1)
    assert names(told) == ["RunStarted", "RunTriggered"]
    (second,) = world.only(e.RunTriggered, told)
    assert (second.run_no, second.mailbox_id) == (2, quick.mailbox_id)
    world.finish(second)
    (late,) = world.triggers(hours=1)
    assert (late.run_no, late.mailbox_id) == (1, slow.mailbox_id)
    told = world.finish(late)
    revised = world.only(e.RunFinished, told)[0]
    assert (revised.run_no, revised.revision, revised.advice) == (1, 1, Advice.SWITCH_MX)
    (blocked,) = world.triggers()
    assert (blocked.run_no, blocked.mailbox_id) == (2, slow.mailbox_id)
    assert names(world.finish(blocked)) == ["RunFinished", "MigrationFinished"]


def test_joint_21_an_overtaken_second_run_moves_behind_the_mail(world: World) -> None:
    world.accepted(1, second=after(60))
    (trigger,) = world.triggers()
    assert world.tick(hours=2) == []
    told = world.finish(trigger)
    assert names(told) == ["MigrationRescheduled", "NoticeRequested", "RunFinished", "RunEnded"]
    moved = world.only(e.MigrationRescheduled, told)[0]
    assert (moved.reason, moved.second_at) == ("after_run_1", world.now + timedelta(hours=4))
    notice = world.only(e.NoticeRequested, told)[0]
    assert (notice.notice, notice.subject_code) == ("rescheduled", "M-7K2QX")
    assert notice.words == (f"second_at={(world.now + timedelta(hours=4)).isoformat()}",)
    assert world.only(e.RunFinished, told)[0].second_at == moved.second_at
    assert names(world.tick(hours=4)) == ["RunStarted", "RunTriggered"]


def test_a_mailbox_whose_correction_failed_is_not_forgotten_by_the_next_run(world: World) -> None:
    world.accepted(2, second=after(60))
    good, bad = world.triggers()
    world.finish(good)
    world.fail(bad, "sign_in_refused")
    line = 1 if bad.row_id == row_id(MIGRATION, 1) else 2
    endpoint = e.Endpoint(host="imap.example.org", port=993, tls="implicit")
    corrected = {"destination": bad.destination, "source": endpoint, "source_user": bad.source_user}
    asked: dict[str, Any] = {
        "row_id": bad.row_id,
        "line": line,
        "master_user": "",
        "secret_ref": "secret-new",
        **corrected,
    }
    world.ask(e.CorrectRowRequested, **asked)
    world.check(line, CheckState.FAILED, version=2)
    (again,) = world.triggers(minutes=60)
    assert (again.run_no, again.mailbox_id) == (2, good.mailbox_id)
    finished = world.only(e.RunFinished, world.finish(again))[0]
    assert finished.failed_mailboxes == (f"{bad.destination} bad_login source",)
    assert (finished.mailboxes, finished.grade) == (2, Grade.PROBLEM)
    world.ask(e.RecheckRequested, row_id=bad.row_id)
    world.check(line, CheckState.PASSED, version=3)  # its owner's server was away for a moment
    (late,) = world.triggers()
    assert (late.run_no, late.mailbox_id) == (2, bad.mailbox_id)
    told = world.finish(late)
    assert world.only(e.RunFinished, told)[0].failed_mailboxes == ()
    assert world.state() is MigrationState.DONE


def test_a_trigger_that_nobody_answers_is_given_again_after_a_day(world: World) -> None:
    world.accepted(1)
    (lost,) = world.triggers()
    assert world.triggers(hours=23) == []
    (again,) = world.triggers(hours=2)
    assert (again.mailbox_id, again.trigger_no) == (lost.mailbox_id, lost.trigger_no + 1)
    assert world.finish(lost) == []
    assert "RunFinished" in names(world.finish(again))


def test_a_cancelled_migration_can_be_deleted_although_an_answer_never_came(world: World) -> None:
    world.accepted(1)
    assert len(world.triggers()) == 1
    world.ask(e.CancelRequested)
    refused = world.ask(e.DeleteRequested)
    assert world.only(e.RequestRefused, refused)[0].code == "running"
    assert world.triggers(hours=25) == []
    assert names(world.ask(e.DeleteRequested)) == ["MigrationDeleted"]


def test_joint_23_a_late_mailbox_of_an_overtaken_run_is_not_settled_by_itself(world: World) -> None:
    """The copier ignores a trigger of run 1 once it has seen one of run 2: nothing may wait for its answer."""
    world.accepted(2, second=after(60))
    quick, slow = world.triggers()
    world.finish(quick)
    world.answer(slow, Change.PARKED, reason="throttled", until=START + timedelta(hours=13))
    world.tick(hours=12)
    world.tick(hours=4, minutes=30)
    late = next(t for t in reversed(world.only(e.RunTriggered)) if t.mailbox_id == slow.mailbox_id)
    assert late.run_no == 1
    world.finish(late, settled=False, settle_at=world.now + timedelta(minutes=10))
    (second,) = [t for t in world.triggers(minutes=30) if t.mailbox_id == slow.mailbox_id]
    assert (second.run_no, second.scope) == (2, Scope.BULK)
    other = next(t for t in reversed(world.only(e.RunTriggered)) if t.mailbox_id == quick.mailbox_id)
    assert other.run_no == 2
    world.finish(second, other)
    assert world.triggers(days=2) == []
    assert names(world.ask(e.DeleteRequested)) == ["MigrationDeleted"]


def test_joint_22_a_retry_turns_do_not_switch_into_now(world: World) -> None:
    world.accepted(2)
    first, other = world.triggers()
    world.finish(other)
    told = world.fail(first, "over_quota")
    assert world.only(e.RunFinished, told)[0].revision == 0
    assert names(world.ask(e.RetryRequested, mailbox_id=None)) == ["RunStarted"]
    assert world.state() is MigrationState.RUNNING
    (again,) = world.triggers()
    assert (again.mailbox_id, again.trigger_no, again.failures) == (first.mailbox_id, 2, 0)
    told = world.finish(again)
    revised = world.only(e.RunFinished, told)[0]
    assert (revised.revision, revised.advice, revised.failed_mailboxes) == (1, Advice.SWITCH_MX, ())
    refused = world.ask(e.RetryRequested, mailbox_id=None)
    assert world.only(e.RequestRefused, refused)[0].code == "nothing_failed"


def test_joint_22_the_same_failure_again_is_no_new_mail(world: World) -> None:
    world.accepted(2)
    first, other = world.triggers()
    world.finish(other)
    world.fail(first)
    world.ask(e.RetryRequested, mailbox_id=first.mailbox_id)
    (again,) = world.triggers()
    assert names(world.fail(again)) == ["MigrationFinished"]
    assert world.state() is MigrationState.NEEDS_ATTENTION


def test_joint_22_failed_messages_alone_are_retried(world: World) -> None:
    world.accepted(1)
    (trigger,) = world.triggers()
    world.finish(trigger, grade=Grade.REVIEW, copied=9, failed=1)
    assert world.state() is MigrationState.DONE_REVIEW
    world.ask(e.RetryRequested, mailbox_id=None)
    (again,) = world.triggers()
    assert again.scope is Scope.FAILED_MESSAGES
    world.finish(again)
    assert world.state() is MigrationState.DONE


def test_joint_23_the_mail_waits_for_the_settling(world: World) -> None:
    world.accepted(1)
    (trigger,) = world.triggers()
    settle_at = world.now + timedelta(minutes=10)
    assert world.finish(trigger, settled=False, settle_at=settle_at) == []
    assert world.triggers(minutes=9) == []
    (settle,) = world.triggers(minutes=1)
    assert (settle.scope, settle.trigger_no) == (Scope.SETTLE, 2)
    told = world.answer(settle, Change.SETTLED, grade=Grade.EXACT, settled=True, found=10, copied=10)
    assert names(told) == ["RunFinished", "MigrationFinished"]


def test_joint_23_but_not_for_ever(world: World) -> None:
    world.accepted(1)
    (trigger,) = world.triggers()
    world.finish(trigger, settled=False, settle_at=world.now + timedelta(minutes=10))
    (settle,) = world.triggers(minutes=10)
    assert world.tick(minutes=4, seconds=59) == []
    assert names(world.tick(seconds=1)) == ["RunFinished", "MigrationFinished"]
    told = world.answer(settle, Change.SETTLED, grade=Grade.REVIEW, settled=True, found=10, copied=10)
    assert names(told) == ["RunFinished", "MigrationFinished"]  # a surplus copy was found late
    assert world.only(e.RunFinished, told)[0].review_mailboxes == (trigger.destination,)
    assert world.state() is MigrationState.DONE_REVIEW


def test_joint_23_a_settling_that_run_2_overtakes_is_left_to_it(world: World) -> None:
    world.accepted(1, second=after(60))
    (trigger,) = world.triggers()
    world.now += timedelta(minutes=40)
    world.finish(trigger, settled=False, settle_at=world.now + timedelta(minutes=30))
    # The mail would wait until 35 minutes from now; the run that was asked for meanwhile does not.
    assert world.tick(minutes=20) == []
    told = world.tick(minutes=15)
    assert names(told) == [
        "RunTriggered",
        "MigrationRescheduled",
        "NoticeRequested",
        "RunFinished",
        "RunEnded",
    ] or names(told) == [
        "MigrationRescheduled",
        "NoticeRequested",
        "RunFinished",
        "RunEnded",
        "RunTriggered",
    ]
    assert names(world.ask(e.RunRequested)) == ["RunStarted"]
    second = world.triggers()
    assert [each.run_no for each in second] == [2]
    assert names(world.finish(*second)) == ["RunFinished", "MigrationFinished"]


def test_a_run_without_a_mailbox_is_over_at_once(world: World) -> None:
    world.deliver(*world.submission(1))
    world.check(1, CheckState.WAITING_FOR_OWNER)
    told = world.tick()
    assert names(told) == ["RunStarted", "RunFinished", "MigrationFinished"]
    assert world.state() is MigrationState.NEEDS_ATTENTION
