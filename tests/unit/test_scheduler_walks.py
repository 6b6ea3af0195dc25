"""Random walks through everything that can be asked and answered: nothing gets stuck, nothing is decided twice."""

from collections import Counter
from datetime import timedelta
from random import Random

import pytest

from mailhaul import events as e
from mailhaul.states import Change, CheckState, Grade, MigrationState
from services.scheduler import tables
from services.scheduler.words import RESTING, Phase
from tests.scheduler_world import ASAP, MIGRATION, NONE, World, after

ROWS = 3
REQUESTS = (
    e.RunRequested,
    e.PauseRequested,
    e.ResumeRequested,
    e.ResumeRequested,
    e.CancelRequested,
    e.DeleteRequested,
)


class Walk:
    """One migration, one source of chance, and a copier whose answers come late, twice, or for an older trigger."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.world = World(rng=Random(seed), newest_first=self.rng.random() < 0.3)
        self.waiting: list[e.RunTriggered] = []
        self.answers: list[e.Event] = []
        second = self.rng.choice([NONE, after(60), after(23 * 60)])
        self.submission = self.world.submission(ROWS, first=self.rng.choice([ASAP, ASAP, NONE]), second=second)

    def begin(self) -> None:
        events = [*self.submission, *(self.verdict(line) for line in range(1, ROWS + 1))]
        self.rng.shuffle(events)
        self.world.deliver(*events)

    def verdict(self, line: int, version: int = 1) -> e.RowChecked:
        state = self.rng.choices([CheckState.PASSED, CheckState.FAILED, CheckState.WAITING_FOR_OWNER], [0.8, 0.1, 0.1])[
            0
        ]
        return self.world.verdict(line, state, version=version)

    def step(self) -> None:
        match self.rng.choices(["ask", "row", "answer", "again", "time"], [0.15, 0.1, 0.4, 0.1, 0.25])[0]:
            case "ask":
                self.ask()
            case "row":
                self.change_row()
            case "answer" if self.waiting:
                trigger = self.waiting.pop(self.rng.randrange(len(self.waiting)))
                self.answers.append(self.reply(trigger))
                self.world.deliver(self.answers[-1])
            case "again" if self.answers:
                self.world.deliver(self.rng.choice(self.answers))
            case _:
                self.pass_time(self.rng.choice([1, 20, 300, 1500]))

    def pass_time(self, minutes: int) -> None:
        self.waiting += [event for event in self.world.tick(minutes=minutes) if isinstance(event, e.RunTriggered)]

    def ask(self) -> None:
        match self.rng.randrange(4):
            case 0:
                self.world.ask(e.RetryRequested, mailbox_id=None)
            case 1:
                second = self.rng.choice([NONE, after(120), None])
                self.world.ask(e.RescheduleRequested, first=self.rng.choice([None, ASAP]), second=second)
            case 2:
                self.world.ask(e.RecheckRequested, row_id=None)
            case _:
                kinds = REQUESTS if self.rng.random() < 0.2 else REQUESTS[:4]
                self.world.ask(self.rng.choice(kinds))

    def change_row(self) -> None:
        row = self.rng.choice([event for event in self.submission if isinstance(event, e.RowSubmitted)])
        if self.rng.random() < 0.2:
            told = self.world.ask(e.LeaveOutRowRequested, row_id=row.row_id)
        else:
            told = self.world.ask(
                e.CorrectRowRequested,
                row_id=row.row_id,
                line=row.line,
                destination=self.rng.choice([row.destination, f"other{row.line}@example.com"]),
                source=row.source,
                source_user=row.source_user,
                master_user="",
                secret_ref=f"secret-{self.rng.random()}",
            )
        self.check(told)

    def check(self, told: list[e.Event]) -> None:
        for event in self.world.only(e.RowCorrected, told):
            self.world.deliver(self.verdict(event.line, event.row_version))

    def reply(self, trigger: e.RunTriggered) -> e.MailboxRunChanged:
        world = self.world
        match self.rng.randrange(8):
            case 0:
                return world.reply(trigger, Change.PARKED, reason="continue", progressed=True)
            case 1:
                until = world.now + timedelta(hours=self.rng.choice([1, 13]))
                return world.reply(trigger, Change.PARKED, reason="throttled", until=until)
            case 2:
                return world.reply(trigger, Change.FINISHED, code="timeout", retryable=True, grade=Grade.PROBLEM)
            case 3:
                return world.reply(trigger, Change.FINISHED, code="bad_login", grade=Grade.PROBLEM)
            case 4 if world.state() in (MigrationState.PAUSED, MigrationState.CANCELLED):
                return world.reply(trigger, Change.STOPPED, reason="paused")
            case 5:
                later = world.now + timedelta(minutes=10)
                return self.finish(trigger, settled=False, settle_at=later)
            case _:
                return self.finish(trigger, grade=self.rng.choice([Grade.EXACT, Grade.GOOD, Grade.REVIEW]))

    def finish(self, trigger: e.RunTriggered, **more: object) -> e.MailboxRunChanged:
        done: dict[str, object] = {"grade": Grade.EXACT, "settled": True, "found": 3, "copied": 3, **more}
        change = Change.SETTLED if trigger.scope == "settle" and done["settled"] else Change.FINISHED
        return self.world.reply(trigger, change, **done)

    def come_to_rest(self) -> None:
        """Everybody behaves from now on."""
        if self.world.state() is MigrationState.PAUSED:
            self.world.ask(e.ResumeRequested)
        for _ in range(60):
            self.check(self.world.ask(e.RecheckRequested, row_id=None))
            versions = dict.fromkeys(range(1, ROWS + 1), 1)
            versions |= {event.line: event.row_version for event in self.world.only(e.RowCorrected)}
            for line, version in versions.items():
                self.world.check(line, version=version)
            for trigger in self.waiting:
                self.world.deliver(self.finish(trigger))
            self.waiting = []
            self.pass_time(30)
            if not self.waiting and not self.open():
                return

    def open(self) -> list[tuple[object, ...]]:
        phases = {Phase.QUEUED, Phase.FLYING, Phase.BLOCKED, Phase.HELD}
        rows = self.world.dump(tables.mailbox_run)["scheduler_mailbox_run"]
        place = [column.name for column in tables.mailbox_run.columns].index("phase")
        return [row for row in rows if row[place] in phases]


@pytest.mark.parametrize("seed", range(30))
def test_nothing_gets_stuck(seed: int) -> None:
    walk = Walk(seed)
    world = walk.world
    walk.begin()
    for _ in range(40):
        walk.step()
    walk.come_to_rest()
    gone = world.only(e.MigrationDeleted)
    if gone:
        assert world.dump(tables.mailbox_run, tables.row, tables.run) == {
            "scheduler_mailbox_run": [],
            "scheduler_row": [],
            "scheduler_run": [],
        }
    else:
        assert walk.open() == []
        assert world.state() in {*RESTING, MigrationState.CANCELLED, MigrationState.VALID, MigrationState.INVALID}
        assert world.state() is not MigrationState.INVALID or everything_left_out(world)
    facts = world.only(e.MigrationFact)
    assert [fact.state_seq for fact in facts] == list(range(1, len(facts) + 1))
    assert max(Counter(event.event_id for event in world.said).values()) == 1
    told = [(event.run_no, event.revision) for event in world.only(e.RunFinished)]
    for run_no in {run_no for run_no, _ in told}:
        mine = [revision for number, revision in told if number == run_no]
        assert mine == list(range(len(mine)))
    if world.state() in RESTING:
        started = {event.run_no for event in world.only(e.RunStarted)}
        assert {run_no for run_no, _ in told} == started
    assert all(fact.migration_id == MIGRATION for fact in facts)
    world.database.engine.dispose()


def everything_left_out(world: World) -> bool:
    code = [event.code for event in world.only(e.MigrationRejected)][-1]
    return code == "no_rows"
