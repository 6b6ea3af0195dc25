"""The scheduler's own words for what it keeps to itself."""

from enum import StrEnum

from mailhaul.states import CheckState, MigrationState, Scope


class Phase(StrEnum):
    """Where a mailbox stands within a run."""

    BLOCKED = "blocked"  # waits for the same mailbox's earlier run (joint 21)
    QUEUED = "queued"  # will be triggered at `due_at`, when there is room
    FLYING = "flying"  # triggered, and no final answer yet: takes a slot
    HELD = "held"  # the migration is paused
    OVER = "over"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """What a run brought to a mailbox; empty while it is open."""

    OPEN = ""
    DONE = "done"
    REVIEW = "review"
    FAILED = "failed"


class TimerKind(StrEnum):
    RUN = "run"
    NOT_TESTED = "not_tested"
    WAITING = "waiting"  # a parked mailbox no longer holds the run open
    SETTLED = "settled"  # the mails wait no longer for settling
    PURGE = "purge"
    FORGET = "forget"  # the last payloads of a deleted migration
    ORPHANS = "orphans"  # secrets without a submission


# What counts towards the limit of open migrations.
OPEN = frozenset(
    {
        MigrationState.VALIDATING,
        MigrationState.VALID,
        MigrationState.RUNNING,
        MigrationState.READY_FOR_CUTOVER,
        MigrationState.PAUSED,
    }
)
# A run is behind it and none is under way.
RESTING = frozenset(
    {
        MigrationState.READY_FOR_CUTOVER,
        MigrationState.NEEDS_ATTENTION,
        MigrationState.DONE,
        MigrationState.DONE_REVIEW,
        MigrationState.FAILED,
    }
)
CHECKED = frozenset({CheckState.PASSED, CheckState.FAILED, CheckState.NOT_TESTED, CheckState.WAITING_FOR_OWNER})


def turn_of(scope: Scope) -> int:
    """The newest mail of every mailbox goes before the bulk of any."""
    return 0 if scope is Scope.FIRST else 1
