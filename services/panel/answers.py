"""The shapes of the API's answers; every state comes as its code and as its word in the reader's language."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel


class Word(BaseModel):
    """A state: `state` for programs, `text` and `mark` for people, `colour` never alone."""

    state: str
    text: str
    mark: str
    colour: str


class Cause(BaseModel):
    """Why something failed and the one thing to do."""

    code: str
    side: str
    text: str
    remedy: str
    detail: str = ""  # the server's own words


class Account(BaseModel):
    """found = copied + already_there + skipped + vanished + failed + left."""

    found: int = 0
    copied: int = 0
    already_there: int = 0
    skipped: int = 0
    vanished: int = 0
    failed: int = 0
    left: int = 0
    octets_found: int = 0
    octets_copied: int = 0
    removed_by_owner: int = 0


class RunPlan(BaseModel):
    """When a run shall start, as it was asked for."""

    mode: str
    wall: str
    zone: str
    offset_minutes: int


class Migration(BaseModel):
    """A line of the migration list, and the head of its page."""

    code: str
    name: str
    status: Word
    requested_by: str
    type: str
    kind: str
    resources: int
    first_at: datetime | None
    second_at: datetime | None
    first: RunPlan
    second: RunPlan
    zone: str
    language: str
    recipients: list[str]
    submitted_at: datetime
    state_seq: int  # -1 until the scheduler has said something
    checks: dict[str, int]  # rows by the state of their check
    run: int  # the latest run, 0 before the first
    mailboxes: dict[str, int]  # mailboxes of that run by state
    account: Account
    expected_messages: int  # what the checks counted
    expected_octets: int
    grade: Word | None
    invalid: Cause | None
    purge_at: datetime | None


class MigrationPage(BaseModel):
    migrations: list[Migration]
    next_cursor: str | None


class Rules(BaseModel):
    """What is left out and renamed."""

    max_octets: int
    include_trash: bool
    include_junk: bool
    skip_folders: list[str]
    translations: list[str]


class Run(BaseModel):
    """One pass over a migration."""

    run: int
    started_at: datetime | None
    ended_at: datetime | None
    finished_at: datetime | None
    advice: str
    grade: Word | None
    last: bool
    mailboxes: dict[str, int]
    account: Account
    failed: list[str]
    waiting: list[str]
    review: list[str]


class MigrationDetail(Migration):
    rules: Rules
    runs: list[Run]


class Check(BaseModel):
    """The validator's verdict on a row, with the inventory of the source."""

    status: Word
    cause: Cause | None
    text: str  # the seeds' sentence where the row failed
    checked_at: datetime | None
    source_server: str
    pinned_address: str
    folders: int
    messages: int
    octets: int
    left_out_messages: int
    left_out_octets: int
    oversize_messages: int


class MailboxRun(BaseModel):
    """A mailbox in a run."""

    run: int
    status: Word
    until: datetime | None
    retry: int
    retries: int
    scope: str
    changed_at: datetime | None
    cause: Cause | None
    grade: Word | None
    settled: bool
    account: Account


class Mailbox(BaseModel):
    """One row: an account that is being moved."""

    line: int
    row_version: int  # grows with each correction that the scheduler granted
    mailbox_id: str
    destination: str
    host: str
    port: int
    tls: str
    source_user: str
    master_user: str
    check: Check
    runs: list[MailboxRun]


class MailboxPage(BaseModel):
    mailboxes: list[Mailbox]
    next_cursor: str | None


class Folder(BaseModel):
    """A folder of a mailbox with its account in a run."""

    folder_id: str
    source_name: str
    destination_name: str
    role: str
    action: str
    reason: str
    final: bool
    account: Account


class Outcome(BaseModel):
    """A message that was not simply copied."""

    mailbox_id: str
    destination: str
    run: int
    folder: str
    uidvalidity: int
    uid: int
    outcome: str
    octets: int
    at: datetime
    cause: Cause


class OutcomePage(BaseModel):
    outcomes: list[Outcome]
    next_cursor: str | None


class FailureGroup(BaseModel):
    """Failures of one kind by cause, the most frequent first."""

    of: Literal["check", "mailbox", "message"]
    outcome: str
    cause: Cause
    count: int
    octets: int
    lines: list[int]  # of checks and mailboxes, at most 20


class Failures(BaseModel):
    groups: list[FailureGroup]


class RequestState(BaseModel):
    """What became of something that was asked; the answer is a change of the migration, or a refusal."""

    request_id: str
    request: str
    requested_by: str
    asked_at: datetime | None
    refused: Cause | None


class Asked(BaseModel):
    """The request was taken and is on its way to the scheduler."""

    request_id: str
    code: str


class Submitted(BaseModel):
    """The upload was taken; `repeated` where an earlier one was the same."""

    code: str
    name: str
    resources: int
    repeated: bool
    notices: list[str]


class LimitsAnswer(BaseModel):
    """The limits of this installation."""

    rows_per_file: int
    open_migrations: int
    message_octets: int
    second_run_hours: int
    schedule_days: int
    purge_days: int


class Domain(BaseModel):
    domain: str
    customer: str


class Notification(BaseModel):
    """A mail that was sent, or could not be."""

    notice: str
    state: str
    recipients: int
    at: datetime
    cause: Cause | None
