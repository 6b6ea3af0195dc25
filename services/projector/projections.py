"""One event to the columns it writes: a table of small functions, no SQL."""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from mailhaul import events
from mailhaul.db import to_microseconds
from mailhaul.events import Event
from mailhaul.readmodel import SUMS
from mailhaul.states import Change, Scope
from services.projector.registers import Register, Values, Write
from services.projector.stored import plain

Names: TypeAlias = tuple[str, ...]
Project: TypeAlias = Callable[[Any], Iterator[Write]]

SUBMITTED = Register("submitted", "migration", ("migration_id",), ())
STATE = Register("state", "migration", ("migration_id",), ("state_seq",))
SCHEDULE = Register("schedule", "migration", ("migration_id",), ("schedule_seq",))
REJECTED = Register("rejected", "migration", ("migration_id",), ("reject_seq",))
FINISHED = Register("finished", "migration", ("migration_id",), ("finish_seq",))
RUN_STARTED = Register("run started", "run", ("migration_id", "run_no"), ("started_seq",))
RUN_ENDED = Register("run ended", "run", ("migration_id", "run_no"), ("ended_seq",))
RUN_FINISHED = Register("run finished", "run", ("migration_id", "run_no"), ("revision",))
ROW = Register("row", "row", ("row_id",), ("row_version",))
LEFT_OUT = Register("left out", "row", ("row_id",), ("left_out_version",))
VERDICT = Register("verdict", "row", ("row_id",), ("check_version",))
_MAILBOX_RUN = ("migration_id", "run_no", "mailbox_id")
TRIGGER = Register("trigger", "mailbox_run", _MAILBOX_RUN, ("trigger_no",))
CHANGE = Register("change", "mailbox_run", _MAILBOX_RUN, ("change_trigger", "change_epoch", "change_rank"))
ACCOUNT = Register("account", "mailbox_run", _MAILBOX_RUN, ("account_trigger", "account_epoch", "account_rank"))
PLAN = Register("plan", "folder", ("migration_id", "mailbox_id", "folder_id"), ("plan_run",))
PROGRESS = Register("progress", "folder_run", ("migration_id", "mailbox_id", "run_no", "folder_id"), ("epoch", "seq"))
OUTCOME = Register("outcome", "outcome", ("event_id",), None)
ASKED = Register("asked", "request", ("request_id",), ())
REFUSED = Register("refused", "request", ("request_id",), ())
NOTIFIED = Register("notified", "notification", ("notification_id",), ("at",))
THROUGHPUT = Register("throughput", "throughput", ("subject", "window_start", "part"), ("at",))

# What came first of one trigger and epoch; settling comes after everything else.
RANK = {Change.STARTED: 0, Change.PARKED: 1, Change.STOPPED: 1, Change.FINISHED: 1, Change.SETTLED: 2}
BESIDE_THE_RUN = frozenset({Scope.SETTLE, Scope.FOLDER})  # these triggers leave the state of the mailbox run alone


def project(event: Event) -> Iterator[Write]:
    """What an event writes; nothing for those that only the log keeps."""
    for kind, function in PROJECTIONS:
        if isinstance(event, kind):
            yield from function(event)


def _submitted(event: events.MigrationSubmitted) -> Iterator[Write]:
    own = {name: getattr(event, name) for name in ("requested_by", "code", "name", "kind", "source_type", "row_count")}
    own |= {name: getattr(event, name) for name in ("language", "zone", "surplus", "customer_id")}
    yield Write(
        SUBMITTED,
        own
        | {
            "migration_id": event.migration_id,
            "submitted_at": to_microseconds(event.at),
            "recipients": _json(event.recipients),
            "rules": _json(event.rules),
            "first_plan": _json(event.first),
            "second_plan": _json(event.second),
        },
    )


def _asked(event: events.Request) -> Iterator[Write]:
    if not isinstance(event, events.MigrationSubmitted):
        yield Write(
            ASKED,
            {
                "request_id": event.event_id,
                "migration_id": event.migration_id,
                "kind": type(event).__name__,
                "requested_by": event.requested_by,
                "asked_at": to_microseconds(event.at),
            },
        )


def _refused(event: events.RequestRefused) -> Iterator[Write]:
    yield Write(
        REFUSED,
        {
            "request_id": event.request_id,
            "migration_id": event.migration_id,
            "kind": event.request,
            "refusal": event.code,
            "refused_at": to_microseconds(event.at),
        },
    )


def _fact(event: events.MigrationFact) -> Iterator[Write]:
    yield Write(
        STATE,
        {
            "migration_id": event.migration_id,
            "customer_id": event.customer_id,
            "state_seq": event.state_seq,
            "state": event.state.value,
            "state_at": to_microseconds(event.at),
        },
    )


def _scheduled(event: events.MigrationAccepted | events.MigrationRescheduled) -> Iterator[Write]:
    yield Write(
        SCHEDULE,
        {
            "migration_id": event.migration_id,
            "schedule_seq": event.state_seq,
            "first_at": _instant(event.first_at),
            "second_at": _instant(event.second_at),
        },
    )


def _rejected(event: events.MigrationRejected) -> Iterator[Write]:
    yield Write(
        REJECTED,
        {
            "migration_id": event.migration_id,
            "reject_seq": event.state_seq,
            "reject_code": event.code,
            "reject_rows": event.failed_rows,
        },
    )


def _finished(event: events.MigrationFinished) -> Iterator[Write]:
    yield Write(
        FINISHED,
        {
            "migration_id": event.migration_id,
            "finish_seq": event.state_seq,
            "grade": event.grade.value,
            "purge_at": _instant(event.purge_at),
        },
    )


def _run_started(event: events.RunStarted) -> Iterator[Write]:
    yield Write(
        RUN_STARTED,
        {
            "migration_id": event.migration_id,
            "run_no": event.run_no,
            "started_seq": event.state_seq,
            "started_at": to_microseconds(event.at),
            "mailboxes": event.mailboxes,
        },
    )


def _run_ended(event: events.RunEnded) -> Iterator[Write]:
    yield Write(
        RUN_ENDED,
        {
            "migration_id": event.migration_id,
            "run_no": event.run_no,
            "ended_seq": event.state_seq,
            "ended_at": to_microseconds(event.at),
        },
    )


def _run_finished(event: events.RunFinished) -> Iterator[Write]:
    yield Write(
        RUN_FINISHED,
        {
            "migration_id": event.migration_id,
            "run_no": event.run_no,
            "revision": event.revision,
            "finished_at": to_microseconds(event.finished_at),
            "advice": event.advice.value,
            "grade": event.grade.value,
            "last": event.last,
            "failed_mailboxes": _json(event.failed_mailboxes),
            "waiting_mailboxes": _json(event.waiting_mailboxes),
            "review_mailboxes": _json(event.review_mailboxes),
        },
    )


def _row(event: events.Row) -> Iterator[Write]:
    own = {name: getattr(event, name) for name in ("row_id", "migration_id", "row_version", "line", "mailbox_id")}
    own |= {name: getattr(event, name) for name in ("destination", "source_user", "master_user")}
    source = event.source
    yield Write(
        ROW, own | {"host": source.host, "port": source.port, "tls": source.tls, "has_secret": bool(event.secret_ref)}
    )


def _left_out(event: events.RowLeftOut) -> Iterator[Write]:
    yield Write(
        LEFT_OUT,
        {"row_id": event.row_id, "migration_id": event.migration_id, "left_out_version": event.row_version},
    )


def _verdict(event: events.RowChecked) -> Iterator[Write]:
    names: Names = ("row_id", "migration_id", "side", "code", "detail", "source_server", "pinned_address", "folders")
    names += ("messages", "octets", "left_out_messages", "left_out_octets", "oversize_messages")
    yield Write(
        VERDICT,
        {name: getattr(event, name) for name in names}
        | {
            "check_version": event.row_version,
            "check_state": event.state.value,
            "checked_at": to_microseconds(event.at),
        },
    )


def _triggered(event: events.RunTriggered) -> Iterator[Write]:
    if event.scope not in BESIDE_THE_RUN:
        yield Write(
            TRIGGER,
            _mailbox_run(event)
            | {
                "trigger_no": event.trigger_no,
                "row_id": event.row_id,
                "trigger_scope": event.scope.value,
                "trigger_failures": event.failures,
                "triggered_at": to_microseconds(event.at),
            },
        )


def _changed(event: events.MailboxRunChanged) -> Iterator[Write]:
    version = {"trigger": event.trigger_no, "epoch": event.epoch, "rank": RANK[event.change]}
    if event.scope not in BESIDE_THE_RUN and event.change is not Change.SETTLED:
        names: Names = ("reason", "progressed", "retryable", "side", "code", "detail", "source_server")
        yield Write(
            CHANGE,
            _mailbox_run(event)
            | {f"change_{name}": value for name, value in version.items()}
            | {name: getattr(event, name) for name in names}
            | {
                "change": event.change.value,
                "change_scope": event.scope.value,
                "changed_at": to_microseconds(event.at),
                "until": _instant(event.until),
            },
        )
    settling_failed = event.code and (event.scope is Scope.SETTLE or event.change is Change.SETTLED)
    if event.scope is not Scope.FOLDER and event.change in (Change.FINISHED, Change.SETTLED) and not settling_failed:
        yield Write(
            ACCOUNT,
            _mailbox_run(event)
            | {f"account_{name}": value for name, value in version.items()}
            | {f"account_{name}": getattr(event, name) for name in SUMS}
            | {
                "account_grade": event.grade.value if event.grade else "",
                "settled": event.settled,
                "settle_at": _instant(event.settle_at),
            },
        )


def _planned(event: events.FolderPlanned) -> Iterator[Write]:
    names: Names = (
        "migration_id",
        "mailbox_id",
        "folder_id",
        "source_name",
        "destination_name",
        "role",
        "action",
        "reason",
    )
    names += ("messages", "octets")
    yield Write(PLAN, {name: getattr(event, name) for name in names} | {"plan_run": event.run_no})


def _progressed(event: events.FolderProgressed) -> Iterator[Write]:
    names: Names = ("migration_id", "mailbox_id", "run_no", "folder_id", "epoch", "seq", "trigger_no", "role", *SUMS)
    names += ("flags_changed", "final", "digest")
    yield Write(PROGRESS, {name: getattr(event, name) for name in names} | {"at": to_microseconds(event.at)})


def _outcome(event: events.MessageOutcome) -> Iterator[Write]:
    names: Names = ("event_id", "migration_id", "mailbox_id", "run_no", "folder_id", "source_uidvalidity", "source_uid")
    names += ("outcome", "code", "octets")
    yield Write(OUTCOME, {name: getattr(event, name) for name in names} | {"at": to_microseconds(event.at)})


def _notified(event: events.NotificationChanged) -> Iterator[Write]:
    names: Names = ("notification_id", "migration_id", "notice", "cause_id", "recipients", "state", "code")
    yield Write(NOTIFIED, {name: getattr(event, name) for name in names} | {"at": to_microseconds(event.at)})


def _window(event: events.ThroughputWindow) -> Iterator[Write]:
    names: Names = ("subject", "part", "window_seconds", "messages", "octets")
    yield Write(
        THROUGHPUT,
        {name: getattr(event, name) for name in names}
        | {"window_start": to_microseconds(event.window_start), "at": to_microseconds(event.at)},
    )


PROJECTIONS: tuple[tuple[type[Event] | tuple[type[Event], ...], Project], ...] = (
    (events.FolderProgressed, _progressed),
    (events.MessageOutcome, _outcome),
    (events.MailboxRunChanged, _changed),
    (events.FolderPlanned, _planned),
    (events.RunTriggered, _triggered),
    (events.MigrationSubmitted, _submitted),
    (events.Request, _asked),
    (events.MigrationFact, _fact),
    ((events.MigrationAccepted, events.MigrationRescheduled), _scheduled),
    (events.MigrationRejected, _rejected),
    (events.MigrationFinished, _finished),
    (events.RunStarted, _run_started),
    (events.RunEnded, _run_ended),
    (events.RequestRefused, _refused),
    (events.RunFinished, _run_finished),
    (events.Row, _row),
    (events.RowLeftOut, _left_out),
    (events.RowChecked, _verdict),
    (events.NotificationChanged, _notified),
    (events.ThroughputWindow, _window),
)


def _mailbox_run(event: events.RunTriggered | events.MailboxRunChanged) -> Values:
    return {"migration_id": event.migration_id, "run_no": event.run_no, "mailbox_id": event.mailbox_id}


def _instant(value: Any) -> int | None:
    return None if value is None else to_microseconds(value)


def _json(value: object) -> str:
    return json.dumps(plain(value), ensure_ascii=False, sort_keys=True)
