"""Made-up histories of migrations, topic by topic, as a random source tells them: for tests of whatever reads events.

Every list is one partition: its order is the order of the wire, and nothing orders two of them.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeAlias

from mailhaul import events as e
from mailhaul import topics
from mailhaul.events import Endpoint, Event, Rules, RunTime
from mailhaul.ids import CustomerId, FolderId, MailboxId, MigrationId, SecretRef, derive, mailbox_id, row_id, run_id
from mailhaul.states import Advice, Change, CheckState, Grade, MigrationState, Scope
from mailhaul.topics import Topic

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CUSTOMER = CustomerId("customer-1")
Partition: TypeAlias = tuple[str, str]  # topic and key: the finest partition there can be
SOURCE = Endpoint(host="imap.example.org", port=993, tls="implicit")
SERVER = "imap.example.org:993"


@dataclass(slots=True)
class Story:
    """The histories of a few migrations."""

    rng: Random
    partitions: defaultdict[Partition, list[Event]] = field(default_factory=lambda: defaultdict(list))
    ticks: int = 0
    seq: int = 0

    def tell(self, event: Event, topic: Topic | None = None) -> None:
        place = topic or topics.topics_of(type(event))[0]
        self.partitions[place.name, str(getattr(event, place.key))].append(event)

    def at(self) -> datetime:
        self.ticks += 1
        return START + timedelta(seconds=self.ticks)

    def migration(self, number: int, *, rows: int, runs: int, deleted: bool) -> None:
        """One migration from its upload to its end."""
        migration = MigrationId(derive("migration", "story", number))
        boxes = [mailbox_id(f"user{number}-{line}@example.com") for line in range(1, rows + 1)]
        self.tell(submitted(migration, rows, self.at()))
        for line, box in enumerate(boxes, start=1):
            self._row(migration, line, box)
        self._fact(migration, e.MigrationAccepted, MigrationState.VALID, first_at=self.at(), second_at=None)
        self._refusal(migration)
        for run_no in range(1, runs + 1):
            self._run(migration, run_no, boxes)
        if deleted:
            self._fact(migration, e.MigrationDeleted, MigrationState.DONE, reason="requested")

    def _fact(self, migration: MigrationId, kind: type[e.MigrationFact], state: MigrationState, **more: object) -> None:
        self.seq += 1
        common = {"migration_id": migration, "customer_id": CUSTOMER, "state": state, "state_seq": self.seq}
        self.tell(kind(event_id=derive("fact", migration, self.seq), at=self.at(), **common, **more))  # type: ignore[arg-type]

    def _refusal(self, migration: MigrationId) -> None:
        asked = derive("request", migration, self.ticks)
        at = self.at()
        self.tell(
            e.PauseRequested(event_id=asked, at=at, migration_id=migration, customer_id=CUSTOMER, requested_by="admin")
        )
        more = {"request_id": asked, "request": "PauseRequested", "code": "not_running"}
        self._fact(migration, e.RequestRefused, MigrationState.VALID, **more)

    def _row(self, migration: MigrationId, line: int, box: MailboxId) -> None:
        versions = self.rng.choice([1, 1, 2, 3])
        for version in range(1, versions + 1):
            self.tell(row(migration, line, box, version, self.at()))
            for _ in range(self.rng.choice([0, 1, 2])):
                self.tell(verdict(migration, line, box, version, self.rng, self.at()))
        if self.rng.random() < 0.2:
            self.tell(
                e.RowLeftOut(
                    event_id=derive("left-out", migration, line),
                    at=self.at(),
                    migration_id=migration,
                    customer_id=CUSTOMER,
                    row_id=row_id(migration, line),
                    row_version=versions + 1,
                    mailbox_id=box,
                )
            )

    def _run(self, migration: MigrationId, run_no: int, boxes: list[MailboxId]) -> None:
        more = {"run_id": run_id(migration, run_no), "run_no": run_no, "mailboxes": len(boxes)}
        self._fact(migration, e.RunStarted, MigrationState.RUNNING, **more)
        for box in boxes:
            self._mailbox(migration, run_no, box)
        for revision in range(self.rng.choice([1, 2])):
            self.tell(run_finished(migration, run_no, revision, len(boxes), self.at()))
        self._notified(migration, run_no)
        grade = self.rng.choice(list(Grade))
        purge = {"grade": grade, "purge_at": START + timedelta(days=30)}
        self._fact(migration, e.MigrationFinished, MigrationState.DONE, **purge)
        for part in range(2):
            self._window(migration, part)

    def _mailbox(self, migration: MigrationId, run_no: int, box: MailboxId) -> None:
        folders = [FolderId(derive("folder", box, name)) for name in ("INBOX", "Sent", "Projects")]
        for folder in folders:
            self.tell(planned(migration, run_no, box, folder, self.at()))
        seq = 0
        for trigger in range(self.rng.choice([1, 2, 3])):
            scope = self.rng.choice([Scope.FIRST, Scope.BULK, Scope.BULK, Scope.SETTLE])
            self.tell(triggered(migration, run_no, trigger, box, scope, self.rng.choice([0, 0, 1]), self.at()))
            epoch = trigger + 1
            self.tell(changed(migration, run_no, trigger, epoch, box, scope, Change.STARTED, self.rng, self.at()))
            for _ in range(self.rng.choice([0, 2, 4])):
                seq += 1
                folder = self.rng.choice(folders)
                self.tell(progressed(migration, run_no, trigger, epoch, seq, box, folder, self.rng, self.at()))
            if self.rng.random() < 0.5:
                self.tell(outcome(migration, run_no, box, folders[0], self.rng.randrange(1000), self.at()))
            change = self.rng.choice([Change.FINISHED, Change.FINISHED, Change.PARKED, Change.STOPPED, Change.SETTLED])
            self.tell(changed(migration, run_no, trigger, epoch, box, scope, change, self.rng, self.at()))

    def _notified(self, migration: MigrationId, run_no: int) -> None:
        number = derive("notification", migration, run_no)
        for state in ("failed", "sent"):
            self.tell(
                e.NotificationChanged(
                    event_id=derive("notified", number, state),
                    at=self.at(),
                    migration_id=migration,
                    customer_id=CUSTOMER,
                    notification_id=number,
                    cause_id=derive("finished", migration, run_no, 0),
                    notice="run_finished",
                    recipients=1,
                    state=state,
                    code="",
                )
            )

    def _window(self, migration: MigrationId, part: int) -> None:
        for messages in (3, 9):
            window = e.ThroughputWindow(
                event_id=derive("window", migration, part, messages),
                at=self.at(),
                subject=migration,
                part=part,
                window_start=START,
                window_seconds=60,
                messages=messages,
                octets=messages * 1000,
            )
            self.tell(window, topics.MIGRATION_THROUGHPUT)


def story(rng: Random, *, migrations: int = 2, rows: int = 3, runs: int = 2) -> dict[Partition, list[Event]]:
    """The partitions of a whole history."""
    told = Story(rng)
    for number in range(migrations):
        told.migration(number, rows=rows, runs=runs, deleted=rng.random() < 0.3)
    return dict(told.partitions)


def interleave(partitions: dict[Partition, list[Event]], rng: Random) -> Iterator[Event]:
    """The events in any order that keeps the order of each partition."""
    waiting = {place: list(reversed(told)) for place, told in partitions.items() if told}
    while waiting:
        place = rng.choice(sorted(waiting))
        yield waiting[place].pop()
        if not waiting[place]:
            del waiting[place]


def submitted(migration: MigrationId, rows: int, at: datetime, customer: CustomerId = CUSTOMER) -> e.MigrationSubmitted:
    return e.MigrationSubmitted(
        event_id=derive("submitted", migration),
        at=at,
        migration_id=migration,
        customer_id=customer,
        requested_by="admin",
        code="M-" + migration[:5].upper(),
        name=f"job {migration[:4]}",
        kind="standard",
        source_type="standard-ssl",
        row_count=rows,
        first=RunTime(mode="asap"),
        second=RunTime(),
        rules=Rules(),
        surplus="auto",
        language="en",
        zone="Europe/Rome",
        recipients=("admin@example.com",),
    )


def row(migration: MigrationId, line: int, box: MailboxId, version: int, at: datetime) -> e.Row:
    kind = e.RowSubmitted if version == 1 else e.RowCorrected
    return kind(
        event_id=derive("row-event", migration, line, version),
        at=at,
        migration_id=migration,
        customer_id=CUSTOMER,
        row_id=row_id(migration, line),
        row_version=version,
        line=line,
        mailbox_id=box,
        destination=f"user{line}@example.com",
        source=SOURCE,
        source_user=f"user{line}@example.org",
        master_user="",
        secret_ref=SecretRef("secret" if version % 2 else ""),
        rules=Rules(),
    )


def verdict(migration: MigrationId, line: int, box: MailboxId, version: int, rng: Random, at: datetime) -> e.RowChecked:
    state = rng.choice([CheckState.PASSED, CheckState.PASSED, CheckState.FAILED, CheckState.NOT_TESTED])
    passed = state is CheckState.PASSED
    return e.RowChecked(
        event_id=derive("verdict", migration, line, version, at.isoformat()),
        at=at,
        migration_id=migration,
        customer_id=CUSTOMER,
        row_id=row_id(migration, line),
        row_version=version,
        line=line,
        mailbox_id=box,
        state=state,
        side="" if passed else "source",
        code="" if passed else "login_failed",
        detail="",
        source_server=SERVER,
        pinned_address="192.0.2.7",
        folders=3,
        messages=rng.randrange(1, 100),
        octets=rng.randrange(1, 100_000),
        left_out_messages=1,
        left_out_octets=100,
        oversize_messages=0,
    )


def triggered(
    migration: MigrationId, run_no: int, trigger: int, box: MailboxId, scope: Scope, failures: int, at: datetime
) -> e.RunTriggered:
    return e.RunTriggered(
        event_id=derive("trigger", migration, run_no, box, trigger),
        at=at,
        migration_id=migration,
        customer_id=CUSTOMER,
        run_id=run_id(migration, run_no),
        run_no=run_no,
        trigger_no=trigger,
        failures=failures,
        mailbox_id=box,
        row_id=row_id(migration, 1),
        row_version=1,
        scope=scope,
        folder_id=None,
        source=SOURCE,
        source_user="user@example.org",
        master_user="",
        secret_ref=SecretRef("secret"),
        destination="user@example.com",
        rules=Rules(),
        surplus="repair",
    )


def planned(migration: MigrationId, run_no: int, box: MailboxId, folder: FolderId, at: datetime) -> e.FolderPlanned:
    return e.FolderPlanned(
        event_id=derive("plan", migration, run_no, folder),
        at=at,
        migration_id=migration,
        mailbox_id=box,
        run_no=run_no,
        folder_id=folder,
        source_name=f"Posta {run_no}",
        destination_name=f"Posta {run_no}",
        role="custom",
        action="copy",
        reason="",
        messages=10,
        octets=1000,
    )


def progressed(
    migration: MigrationId,
    run_no: int,
    trigger: int,
    epoch: int,
    seq: int,
    box: MailboxId,
    folder: FolderId,
    rng: Random,
    at: datetime,
) -> e.FolderProgressed:
    copied, failed, left = rng.randrange(50), rng.randrange(3), rng.randrange(10)
    return e.FolderProgressed(
        event_id=derive("progress", migration, run_no, folder, epoch, seq),
        at=at,
        migration_id=migration,
        customer_id=CUSTOMER,
        mailbox_id=box,
        run_no=run_no,
        trigger_no=trigger,
        epoch=epoch,
        seq=seq,
        folder_id=folder,
        role="inbox",
        source_server=SERVER,
        found=copied + failed + left + 6,
        copied=copied,
        already_there=1,
        skipped=2,
        vanished=3,
        failed=failed,
        left=left,
        octets_found=copied * 1000 + 500,
        octets_copied=copied * 1000,
        removed_by_owner=0,
        flags_changed=0,
        final=rng.random() < 0.5,
        digest="",
    )


def outcome(
    migration: MigrationId, run_no: int, box: MailboxId, folder: FolderId, uid: int, at: datetime
) -> e.MessageOutcome:
    return e.MessageOutcome(
        event_id=derive("outcome", migration, run_no, folder, uid, at.isoformat()),
        at=at,
        migration_id=migration,
        customer_id=CUSTOMER,
        mailbox_id=box,
        run_no=run_no,
        folder_id=folder,
        source_server=SERVER,
        source_uidvalidity=7,
        source_uid=uid,
        outcome="skipped",
        code="too_large",
        octets=60_000_000,
    )


def changed(
    migration: MigrationId,
    run_no: int,
    trigger: int,
    epoch: int,
    box: MailboxId,
    scope: Scope,
    change: Change,
    rng: Random,
    at: datetime,
) -> e.MailboxRunChanged:
    over = change in (Change.FINISHED, Change.SETTLED)
    copied, failed = rng.randrange(200), rng.randrange(2)
    return e.MailboxRunChanged(
        event_id=derive("changed", migration, run_no, box, trigger, epoch, change),
        at=at,
        migration_id=migration,
        customer_id=CUSTOMER,
        run_id=run_id(migration, run_no),
        run_no=run_no,
        trigger_no=trigger,
        mailbox_id=box,
        source_server=SERVER,
        scope=scope,
        change=change,
        epoch=epoch,
        reason={
            Change.PARKED: rng.choice(["continue", "throttled", "retry"]),
            Change.STOPPED: rng.choice(["paused", "cancelled"]),
        }.get(change, ""),
        until=at + timedelta(minutes=5) if change is Change.PARKED else None,
        progressed=rng.random() < 0.5,
        retryable=rng.random() < 0.5,
        side="",
        code=rng.choice(["", "", "source_down"]) if over else "",
        detail="",
        grade=rng.choice(list(Grade)) if over else None,
        settled=change is Change.SETTLED,
        settle_at=None,
        folders=3,
        found=copied + failed,
        copied=copied if over else 0,
        already_there=0,
        skipped=0,
        vanished=0,
        failed=failed,
        left=0 if over else copied,
        octets_found=copied * 1000,
        octets_copied=copied * 1000,
        removed_by_owner=0,
    )


def run_finished(migration: MigrationId, run_no: int, revision: int, mailboxes: int, at: datetime) -> e.RunFinished:
    return e.RunFinished(
        event_id=derive("finished", migration, run_no, revision),
        at=at,
        migration_id=migration,
        customer_id=CUSTOMER,
        run_id=run_id(migration, run_no),
        run_no=run_no,
        revision=revision,
        last=False,
        advice=Advice.SWITCH_MX if revision else Advice.DO_NOT_SWITCH,
        grade=Grade.GOOD,
        code="M-2B3CD",
        name="job",
        domains=("example.com",),
        recipients=("admin@example.com",),
        language="en",
        zone="Europe/Rome",
        started_at=START,
        finished_at=at,
        second_at=None,
        mailboxes=mailboxes,
        failed_mailboxes=(),
        waiting_mailboxes=(),
        review_mailboxes=(),
        found=10,
        copied=10,
        already_there=0,
        skipped=0,
        vanished=0,
        failed=0,
        left=0,
        octets_copied=1000,
        removed_by_owner=0,
    )
