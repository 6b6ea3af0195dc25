"""The only place that knows a topic: its events, its key, its partitions and how long it keeps what it holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from mailhaul import events
from mailhaul.events import Event

PREFIX = "mailhaul."
DEAD_LETTERS = "dlq.mailhaul."

FACTS = timedelta(days=90)  # longer than any migration can live (joint 17)
PROGRESS = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """`name` without its prefix; `key` is the field of the event whose text is the record's key."""

    name: str
    key: str
    carries: tuple[type[Event], ...]
    public: bool = False  # read by analytics: one flat record type, FULL_TRANSITIVE
    high_rate: bool = False  # not flushed record by record on a single broker
    retention: timedelta = FACTS

    def partitions(self, embedded: bool) -> int:
        """48 where the mailbox is the key and 12 elsewhere; 12 and 3 on the embedded broker."""
        if self.key == "mailbox_id":
            return 12 if embedded else 48
        return 3 if embedded else 12


REQUESTS = Topic(
    name="requests",
    key="migration_id",
    carries=(
        events.MigrationSubmitted,
        events.RunRequested,
        events.RescheduleRequested,
        events.PauseRequested,
        events.ResumeRequested,
        events.CancelRequested,
        events.RetryRequested,
        events.CorrectRowRequested,
        events.LeaveOutRowRequested,
        events.RecheckRequested,
        events.DeleteRequested,
    ),
)
ROWS = Topic(name="rows", key="mailbox_id", carries=(events.RowSubmitted, events.RowCorrected, events.RowLeftOut))
ROW_CHECKS = Topic(name="row-checks", key="migration_id", carries=(events.RowChecked,), public=True)
MIGRATIONS = Topic(
    name="migrations",
    key="migration_id",
    carries=(
        events.MigrationAccepted,
        events.MigrationRejected,
        events.MigrationReopened,
        events.MigrationRescheduled,
        events.MigrationPaused,
        events.MigrationResumed,
        events.MigrationCancelled,
        events.MigrationFinished,
        events.MigrationDeleted,
        events.RunStarted,
        events.RunEnded,
        events.RequestRefused,
    ),
)
RUN_TRIGGERS = Topic(name="run-triggers", key="mailbox_id", carries=(events.RunTriggered, events.MailboxStopRequested))
PLANS = Topic(name="plans", key="mailbox_id", carries=(events.FolderPlanned,))
FOLDER_PROGRESS = Topic(
    name="folder-progress", key="mailbox_id", carries=(events.FolderProgressed,), public=True, high_rate=True
)
MESSAGE_OUTCOMES = Topic(
    name="message-outcomes", key="mailbox_id", carries=(events.MessageOutcome,), public=True, high_rate=True
)
MAILBOX_RUNS = Topic(name="mailbox-runs", key="migration_id", carries=(events.MailboxRunChanged,), public=True)
RUN_COMPLETIONS = Topic(name="run-completions", key="migration_id", carries=(events.RunFinished,))
NOTICES = Topic(name="notices", key="customer_id", carries=(events.NoticeRequested,))
NOTIFICATIONS = Topic(name="notifications", key="migration_id", carries=(events.NotificationChanged,))
MIGRATION_THROUGHPUT = Topic(
    name="migration-throughput", key="subject", carries=(events.ThroughputWindow,), public=True, high_rate=True
)
SERVER_THROUGHPUT = Topic(
    name="server-throughput", key="subject", carries=(events.ThroughputWindow,), public=True, high_rate=True
)

TOPICS: tuple[Topic, ...] = (
    REQUESTS,
    ROWS,
    ROW_CHECKS,
    MIGRATIONS,
    RUN_TRIGGERS,
    PLANS,
    FOLDER_PROGRESS,
    MESSAGE_OUTCOMES,
    MAILBOX_RUNS,
    RUN_COMPLETIONS,
    NOTICES,
    NOTIFICATIONS,
    MIGRATION_THROUGHPUT,
    SERVER_THROUGHPUT,
)

# The consumer groups, one a service; the meter (a Faust app) names its own.
READERS: dict[str, tuple[Topic, ...]] = {
    "panel": (MIGRATIONS,),
    "validator": (ROWS, MIGRATIONS),
    "scheduler": (REQUESTS, ROWS, ROW_CHECKS, MAILBOX_RUNS),
    "copier": (RUN_TRIGGERS, MIGRATIONS),
    "notifier": (RUN_COMPLETIONS, NOTICES, MIGRATIONS),
    "projector": tuple(TOPICS),
    "meter": (FOLDER_PROGRESS,),
}


def events_carried() -> Iterator[type[Event]]:
    """Every event type that some topic carries, once."""
    yield from dict.fromkeys(kind for topic in TOPICS for kind in topic.carries)


def topics_of(kind: type[Event]) -> tuple[Topic, ...]:
    """The topics that carry an event type: one, but for the throughput windows."""
    return tuple(topic for topic in TOPICS if kind in topic.carries)
