"""Any order and any number of deliveries ends in the same tables (joints 7 and 15)."""

import asyncio
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mailhaul import events as e
from mailhaul.states import Change, CheckState, Grade
from tests.scheduler_world import World

VERDICTS = (CheckState.PASSED, CheckState.FAILED, CheckState.WAITING_FOR_OWNER, CheckState.PASSED)


def deliver(world: World, events: list[e.Event]) -> list[str]:
    """As the run loop does: batches, each event decided once, whatever is delivered again."""

    async def run() -> list[str]:
        told = []
        for begin in range(0, len(events), 3):
            batch = [(event, "") for event in events[begin : begin + 3]]
            for decided in await world.outbox.decide_all(world.scheduler.decide, batch):
                assert decided.refused is None
                told += [message.event_id for message in decided.messages]
        return told

    return asyncio.run(run())


def partitions(draw: st.DrawFn, streams: list[list[e.Event]]) -> list[e.Event]:
    """One order of delivery that keeps each partition's, with any run of a partition delivered again."""
    waiting = [list(stream) for stream in streams]
    for stream in waiting:
        begin = draw(st.integers(0, len(stream)))
        stream[begin:begin] = stream[draw(st.integers(0, begin)) : begin]
    order: list[e.Event] = []
    while any(waiting):
        stream = draw(st.sampled_from([each for each in waiting if each]))
        order.append(stream.pop(0))
    return order


@st.composite
def validations(draw: st.DrawFn) -> list[e.Event]:
    """`requests` and `row-checks` are keyed by the migration, `rows` by the mailbox."""
    world = World()
    submission = world.submission(len(VERDICTS))
    checks: list[e.Event] = [world.verdict(line, state) for line, state in enumerate(VERDICTS, 1)]
    # A late verdict of the same version replaces the earlier one.
    checks.append(world.verdict(2, CheckState.PASSED) if draw(st.booleans()) else checks[0])
    world.database.engine.dispose()
    return partitions(draw, [submission[:1], checks, *([row] for row in submission[1:])])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_joint_07_rows_and_verdicts_in_any_order(data: st.DataObject) -> None:
    order = data.draw(validations())
    passed_late = sum(isinstance(event, e.RowChecked) and event.line == 2 for event in order) > 1
    world, plain = World(), World()
    told = deliver(world, order)
    straight = sorted(set(order), key=order.index)
    straight.sort(key=lambda event: (isinstance(event, e.RowChecked), isinstance(event, e.RowSubmitted)))
    deliver(plain, straight)
    assert settled(world) == settled(plain)
    assert told
    assert world.state() in ("valid", "invalid")
    if passed_late and last_verdict(order, 2) is CheckState.PASSED:
        assert world.state() == "valid"
    for each in (world, plain):
        each.database.engine.dispose()


def last_verdict(order: list[e.Event], line: int) -> CheckState:
    return [event.state for event in order if isinstance(event, e.RowChecked) and event.line == line][-1]


def settled(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Every table but the count of facts, which says how often the migration was rejected on the way."""
    tables = world.dump()
    (migration,) = tables["scheduler_migration"]
    tables["scheduler_migration"] = [migration[:3] + migration[4:]]
    return tables


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_joint_15_answers_delivered_again_change_nothing(data: st.DataObject) -> None:
    """Two mailboxes' answers, in one partition, with any stretch of it delivered again."""
    once, again = World(), World()
    for world in (once, again):
        world.accepted(2)
    script = data.draw(st.lists(st.sampled_from(["park", "slice", "fail", "finish", "settle", "review"]), max_size=8))
    log: list[e.Event] = []
    for step in script:
        for world in (once, again):
            world.now += timedelta(hours=1)
        triggers = once.triggers()
        assert [trigger.event_id for trigger in again.triggers()] == [trigger.event_id for trigger in triggers]
        fresh = [reply(once, trigger, step) for trigger in triggers]
        log += fresh
        deliver(once, list(fresh))
        begin = data.draw(st.integers(0, len(log)))
        deliver(again, [*fresh, *log[begin:]])
        assert again.dump() == once.dump()
    for world in (once, again):
        world.database.engine.dispose()


def reply(world: World, trigger: e.RunTriggered, step: str) -> e.MailboxRunChanged:
    match step:
        case "park":
            return world.reply(trigger, Change.PARKED, reason="throttled", until=world.now + timedelta(minutes=5))
        case "slice":
            return world.reply(trigger, Change.PARKED, reason="continue", progressed=True)
        case "fail":
            return world.reply(trigger, Change.FINISHED, code="timeout", retryable=True, grade=Grade.PROBLEM)
        case "settle":
            later = world.now + timedelta(minutes=10)
            return world.reply(trigger, Change.FINISHED, grade=Grade.EXACT, settled=False, settle_at=later)
        case "review":
            return world.reply(trigger, Change.FINISHED, grade=Grade.REVIEW, settled=True, found=3, failed=1, copied=2)
        case _:
            return world.reply(trigger, Change.FINISHED, grade=Grade.EXACT, settled=True, found=3, copied=3)
