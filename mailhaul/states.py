"""The words of the one state machine: every screen, command, mail and event uses these."""

from enum import StrEnum


class MigrationState(StrEnum):
    VALIDATING = "validating"
    VALID = "valid"
    INVALID = "invalid"
    RUNNING = "running"
    READY_FOR_CUTOVER = "ready_for_cutover"
    NEEDS_ATTENTION = "needs_attention"
    PAUSED = "paused"
    DONE = "done"
    DONE_REVIEW = "done_review"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CheckState(StrEnum):
    WAITING = "waiting"
    WAITING_FOR_OWNER = "waiting_for_owner"
    CHECKING = "checking"
    PASSED = "passed"
    FAILED = "failed"
    NOT_TESTED = "not_tested"
    LEFT_OUT = "left_out"


class MailboxRunState(StrEnum):
    """The state of a mailbox in a run, as every screen shows it; derived from MailboxRunChanged by the read model."""

    WAITING = "waiting"
    SCANNING = "scanning"
    COPYING = "copying"
    LIMITED = "limited"
    RETRYING = "retrying"
    DONE = "done"
    REVIEW = "review"
    FAILED = "failed"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class Change(StrEnum):
    STARTED = "started"
    PARKED = "parked"
    STOPPED = "stopped"
    FINISHED = "finished"
    SETTLED = "settled"


class Grade(StrEnum):
    EXACT = "exact"
    GOOD = "good"
    REVIEW = "review"
    PROBLEM = "problem"


class Scope(StrEnum):
    FIRST = "first"
    BULK = "bulk"
    FOLDER = "folder"
    FAILED_MESSAGES = "failed_messages"
    SETTLE = "settle"


class Advice(StrEnum):
    """What the mail after a run tells the owner to do."""

    SWITCH_MX = "switch_mx"
    DO_NOT_SWITCH = "do_not_switch"
    FINISHED = "finished"
