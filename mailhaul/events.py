"""Every event on the wire: facts in the past tense; what people ask for ends in Requested.

Each class equals its `schemas/<Name>.avsc`. `event_id` is derived (joint 3) and travels as `ce_id`; `at` is the instant
the fact was decided and travels as `ce_time`. Counts are absolute, sizes are octets, instants are UTC.
"""

from dataclasses import dataclass
from datetime import datetime

from mailhaul.ids import CustomerId, FolderId, MailboxId, MigrationId, RowId, RunId, SecretRef
from mailhaul.states import Advice, Change, CheckState, Grade, MigrationState, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a source is reached: `tls` is implicit | starttls | none; `address` is the pinned one, else empty."""

    host: str
    port: int
    tls: str
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is left out and renamed; `translations` holds `old:new` pairs one a string."""

    max_octets: int = 52_428_800
    include_trash: bool = False
    include_junk: bool = False
    skip_folders: tuple[str, ...] = ()
    translations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTime:
    """When a run shall start: `mode` is none | asap | at | offset; `wall` is `YYYY-MM-DDTHH:MM` in `zone` (IANA)."""

    mode: str = "none"
    wall: str = ""
    zone: str = "UTC"
    offset_minutes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    event_id: str
    at: datetime


# --- requests: what people ask (panel -> scheduler), key migration_id -------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Event):
    migration_id: MigrationId
    customer_id: CustomerId
    requested_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSubmitted(Request):
    code: str
    name: str
    kind: str  # the file's dialect: standard | master-user
    source_type: str  # standard-ssl | standard-starttls | standard-no-ssl
    row_count: int
    first: RunTime
    second: RunTime
    rules: Rules
    surplus: str  # auto | repair | report
    language: str
    zone: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequested(Request):
    """Start the next run now: run 1 of a valid migration, its second run, or a further delta."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RescheduleRequested(Request):
    first: RunTime | None  # None: leave as it is
    second: RunTime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRequested(Request):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequested(Request):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested(Request):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequested(Request):
    mailbox_id: MailboxId | None  # None: every failed mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectRowRequested(Request):
    """A corrected row, whole: what did not change is repeated, `secret_ref` is new when the password is."""

    row_id: RowId
    line: int
    destination: str
    source: Endpoint
    source_user: str
    master_user: str
    secret_ref: SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveOutRowRequested(Request):
    row_id: RowId


@dataclass(frozen=True, slots=True, kw_only=True)
class RecheckRequested(Request):
    row_id: RowId | None  # None: every row that did not pass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRequested(Request):
    pass


# --- rows: one row of a file, all that the validator needs, key mailbox_id --------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Event):
    migration_id: MigrationId
    customer_id: CustomerId
    row_id: RowId
    row_version: int  # allotted by the scheduler, 1 at submission
    line: int  # physical line number in the file
    mailbox_id: MailboxId
    destination: str
    source: Endpoint
    source_user: str
    master_user: str  # empty unless the kind is master-user
    secret_ref: SecretRef  # empty: the owner has yet to give it
    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSubmitted(Row):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCorrected(Row):
    """The scheduler's: a corrected row, or an unchanged one to be checked again, under a higher row_version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLeftOut(Event):
    migration_id: MigrationId
    customer_id: CustomerId
    row_id: RowId
    row_version: int
    mailbox_id: MailboxId


# --- row-checks (analytics), key migration_id -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChecked(Event):
    migration_id: MigrationId
    customer_id: CustomerId
    row_id: RowId
    row_version: int
    line: int
    mailbox_id: MailboxId
    state: CheckState  # passed | failed | not_tested | waiting_for_owner
    side: str  # empty when passed
    code: str
    detail: str  # the server's own words, without user names and secrets
    source_server: str
    pinned_address: str
    folders: int
    messages: int
    octets: int
    left_out_messages: int
    left_out_octets: int
    oversize_messages: int


# --- migrations: the scheduler's facts, key migration_id --------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFact(Event):
    migration_id: MigrationId
    customer_id: CustomerId
    state: MigrationState
    state_seq: int  # grows with every fact about this migration; only the scheduler sets it


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationAccepted(MigrationFact):
    first_at: datetime | None
    second_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRejected(MigrationFact):
    """Invalid: rows failed their check, or a limit is reached; both can be corrected."""

    code: str
    failed_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReopened(MigrationFact):
    """Validating again: rows were corrected, left out or are checked anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRescheduled(MigrationFact):
    first_at: datetime | None
    second_at: datetime | None
    reason: str  # requested | after_run_1


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPaused(MigrationFact):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationResumed(MigrationFact):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationCancelled(MigrationFact):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFinished(MigrationFact):
    """The last run is over and settled, with its grade; a further run makes it Running again."""

    grade: Grade
    purge_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationDeleted(MigrationFact):
    reason: str  # requested | purged


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(MigrationFact):
    run_id: RunId
    run_no: int
    mailboxes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(MigrationFact):
    """Every mailbox of the run has its outcome and another run is planned: ready_for_cutover or needs_attention."""

    run_id: RunId
    run_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(MigrationFact):
    """Nothing changed; `request_id` is the event_id of what was asked."""

    request_id: str
    request: str  # the event type that was refused
    code: str


# --- run-triggers, key mailbox_id -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTriggered(Event):
    """Self-contained order to the copier (joint 2); (run_no, trigger_no) orders the triggers of a mailbox."""

    migration_id: MigrationId
    customer_id: CustomerId
    run_id: RunId
    run_no: int
    trigger_no: int
    failures: int  # consecutive, reset by progress
    mailbox_id: MailboxId
    row_id: RowId
    row_version: int
    scope: Scope
    folder_id: FolderId | None  # for scope folder
    source: Endpoint
    source_user: str
    master_user: str
    secret_ref: SecretRef
    destination: str
    rules: Rules
    surplus: str  # repair | report: `auto` was resolved by the scheduler


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxStopRequested(Event):
    migration_id: MigrationId
    customer_id: CustomerId
    mailbox_id: MailboxId
    up_to_run_no: int
    up_to_trigger_no: int
    reason: str  # paused | cancelled


# --- plans: the only topic with folder names, key mailbox_id ----------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPlanned(Event):
    migration_id: MigrationId
    mailbox_id: MailboxId
    run_no: int  # 0: planned by the validator
    folder_id: FolderId
    source_name: str
    destination_name: str
    role: str  # inbox | sent | drafts | archive | trash | junk | flagged | all | custom
    action: str  # copy | skip
    reason: str  # the rule that left it out or renamed it; empty when neither
    messages: int
    octets: int


# --- folder-progress (analytics), key mailbox_id ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderProgressed(Event):
    """Absolute counts of one folder in one run; found = copied + already_there + skipped + vanished + failed + left."""

    migration_id: MigrationId
    customer_id: CustomerId
    mailbox_id: MailboxId
    run_no: int
    trigger_no: int
    epoch: int
    seq: int  # grows within an epoch; (epoch, seq) orders the snapshots of a folder
    folder_id: FolderId
    role: str
    source_server: str
    found: int
    copied: int
    already_there: int
    skipped: int
    vanished: int
    failed: int
    left: int
    octets_found: int
    octets_copied: int
    removed_by_owner: int
    flags_changed: int
    final: bool
    digest: str  # SHA-256 over the folder's sorted message digests, in the final one


# --- message-outcomes (analytics), key mailbox_id ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageOutcome(Event):
    """A message that was not simply copied."""

    migration_id: MigrationId
    customer_id: CustomerId
    mailbox_id: MailboxId
    run_no: int
    folder_id: FolderId
    source_server: str
    source_uidvalidity: int
    source_uid: int  # 0 for a surplus copy at the destination
    outcome: str  # skipped | failed | vanished | surplus
    code: str  # too_large, append_refused, surplus_removed, surplus_reported ...
    octets: int


# --- mailbox-runs (analytics), key migration_id -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxRunChanged(Event):
    """What became of a trigger; sums over the mailbox's folders stand in finished and settled."""

    migration_id: MigrationId
    customer_id: CustomerId
    run_id: RunId
    run_no: int
    trigger_no: int
    mailbox_id: MailboxId
    source_server: str
    scope: Scope
    change: Change
    epoch: int
    reason: str  # parked: continue | throttled | over_quota | server_down | leased | retry; stopped: paused | cancelled
    until: datetime | None  # parked: when to trigger again
    progressed: bool  # something was copied since the trigger: resets `failures`
    retryable: bool  # finished with a code: worth a retry
    side: str  # empty when nothing failed
    code: str
    detail: str
    grade: Grade | None  # finished
    settled: bool
    settle_at: datetime | None  # finished(settled=false): when to trigger scope settle
    folders: int
    found: int
    copied: int
    already_there: int
    skipped: int
    vanished: int
    failed: int
    left: int
    octets_found: int
    octets_copied: int
    removed_by_owner: int


# --- run-completions, key migration_id --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The outcome of a run as the notifier tells it; a later change raises `revision` (joint 22)."""

    migration_id: MigrationId
    customer_id: CustomerId
    run_id: RunId
    run_no: int
    revision: int
    last: bool  # no further run is planned
    advice: Advice
    grade: Grade
    code: str
    name: str
    domains: tuple[str, ...]
    recipients: tuple[str, ...]
    language: str
    zone: str
    started_at: datetime
    finished_at: datetime
    second_at: datetime | None
    mailboxes: int
    failed_mailboxes: tuple[str, ...]  # "address code side", the code a key of the error catalogue
    waiting_mailboxes: tuple[str, ...]
    review_mailboxes: tuple[str, ...]
    found: int
    copied: int
    already_there: int
    skipped: int
    vanished: int
    failed: int
    left: int
    octets_copied: int
    removed_by_owner: int


# --- notices, notifications -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRequested(Event):
    """A single mail asked for by panel or scheduler; key customer_id."""

    customer_id: CustomerId
    migration_id: MigrationId
    notice: str  # the template's name: rescheduled | rejected | invitation ...
    recipients: tuple[str, ...]
    language: str
    zone: str
    subject_code: str  # the migration's code
    name: str
    words: tuple[str, ...]  # "key=value" for the template; never a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationChanged(Event):
    migration_id: MigrationId
    customer_id: CustomerId
    notification_id: str
    cause_id: str  # event_id of the RunFinished or NoticeRequested
    notice: str
    recipients: int
    state: str  # sent | failed
    code: str


# --- throughput (analytics), the meter's ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughputWindow(Event):
    """A running total of one window and one part (source partition): an upsert; readers add the parts (joint 20)."""

    subject: str  # a migration id or a source server
    part: int
    window_start: datetime
    window_seconds: int
    messages: int
    octets: int
