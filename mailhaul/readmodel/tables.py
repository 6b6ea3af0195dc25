"""The tables of the read model, as a set that can stand twice: the live one and the one that a rebuild fills.

Columns come in groups. A group with a version column (`state_seq`, `row_version` ...) is written only by a version at
least as high, so that the order of topics does not matter (joint 15); -1 means that nothing was said yet. Columns
marked *derived* are computed from the others in the same transaction. Instants are microseconds, lists are JSON.
"""

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, false

from mailhaul.db import metadata

# The account of messages, at every level: found = copied + already_there + skipped + vanished + failed + left.
SUMS: tuple[str, ...] = ("found", "copied", "already_there", "skipped", "vanished", "failed", "left")
SUMS += ("octets_found", "octets_copied", "removed_by_owner")


def _key(name: str) -> Column[Any]:
    return Column(name, Text, primary_key=True)


def _key_number(name: str) -> Column[Any]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _text(name: str, default: str = "") -> Column[Any]:
    return Column(name, Text, nullable=False, server_default=default)


def _number(name: str, default: int = 0) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=str(default))


def _small(name: str, default: int = 0) -> Column[Any]:
    return Column(name, Integer, nullable=False, server_default=str(default))


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False, server_default=false())


def _instant(name: str) -> Column[Any]:
    return Column(name, BigInteger)


def _sums(prefix: str = "") -> list[Column[Any]]:
    return [_number(prefix + name) for name in SUMS]


@dataclass(frozen=True, slots=True)
class ReadModel:
    """One set of the tables."""

    migration: Table
    run: Table
    row: Table
    mailbox_run: Table
    folder: Table
    folder_run: Table
    outcome: Table
    event: Table
    request: Table
    notification: Table
    throughput: Table
    tombstone: Table


def model_tables(model: ReadModel) -> tuple[Table, ...]:
    """Every table of a set."""
    return tuple(getattr(model, field.name) for field in fields(model))


def build(catalogue: MetaData, suffix: str = "") -> ReadModel:
    """Describe a set of the tables; the names of keys and indexes follow the suffixed names of the tables."""

    def table(name: str, *columns: Column[Any] | Index) -> Table:
        return Table(f"read_{name}{suffix}", catalogue, *columns)

    return ReadModel(
        migration=table("migration", *_migration_columns()),
        run=table("run", *_run_columns()),
        row=table("row", *_row_columns()),
        mailbox_run=table("mailbox_run", *_mailbox_run_columns()),
        folder=table("folder", *_folder_columns()),
        folder_run=table("folder_run", *_folder_run_columns()),
        outcome=table("outcome", *_outcome_columns()),
        event=table("event", *_event_columns()),
        request=table("request", *_request_columns()),
        notification=table("notification", *_notification_columns()),
        throughput=table("throughput", *_throughput_columns()),
        # What was deleted stays deleted, however late its events come (joint 10).
        tombstone=table(
            "tombstone", _key("migration_id"), _text("customer_id"), _text("reason"), _number("deleted_at")
        ),
    )


def _migration_columns() -> list[Column[Any] | Index]:
    return [
        _key("migration_id"),
        _text("customer_id"),
        # as submitted; submitted_at is 0 while only other events have arrived
        _number("submitted_at"),
        _text("requested_by"),
        _text("code"),
        _text("name"),
        _text("kind"),
        _text("source_type"),
        _small("row_count"),
        _text("language"),
        _text("zone"),
        _text("surplus"),
        _text("recipients", "[]"),
        _text("rules", "{}"),
        _text("first_plan", "{}"),
        _text("second_plan", "{}"),
        # the scheduler's facts
        _number("state_seq", -1),
        _text("state", "validating"),
        _number("state_at"),
        _number("schedule_seq", -1),
        _instant("first_at"),
        _instant("second_at"),
        _number("reject_seq", -1),
        _text("reject_code"),
        _small("reject_rows"),
        _number("finish_seq", -1),
        _text("grade"),
        _instant("purge_at"),
        # derived: rows by check state, mailboxes of the latest run by state, its account, what the checks counted
        _text("check_states", "{}"),
        _small("run_no"),
        _text("mailbox_states", "{}"),
        *_sums(),
        _number("expected_messages"),
        _number("expected_octets"),
        Index(None, "customer_id", "state", "submitted_at", "migration_id"),
    ]


def _run_columns() -> list[Column[Any] | Index]:
    return [
        _key("migration_id"),
        _key_number("run_no"),
        _number("started_seq", -1),
        _instant("started_at"),
        _small("mailboxes"),
        _number("ended_seq", -1),
        _instant("ended_at"),
        # as RunFinished told it
        _number("revision", -1),
        _instant("finished_at"),
        _text("advice"),
        _text("grade"),
        _flag("last"),
        _text("failed_mailboxes", "[]"),
        _text("waiting_mailboxes", "[]"),
        _text("review_mailboxes", "[]"),
        # derived
        _text("mailbox_states", "{}"),
        *_sums(),
    ]


def _row_columns() -> list[Column[Any] | Index]:
    return [
        _key("row_id"),
        _text("migration_id"),
        # what the row says
        _number("row_version", -1),
        _small("line"),
        _text("mailbox_id"),
        _text("destination"),
        _text("host"),
        _small("port"),
        _text("tls"),
        _text("source_user"),
        _text("master_user"),
        _flag("has_secret"),
        _number("left_out_version", -1),
        # the verdict
        _number("check_version", -1),
        _text("check_state"),
        _instant("checked_at"),
        _text("side"),
        _text("code"),
        _text("detail"),
        _text("source_server"),
        _text("pinned_address"),
        _small("folders"),
        _number("messages"),
        _number("octets"),
        _number("left_out_messages"),
        _number("left_out_octets"),
        _number("oversize_messages"),
        # derived
        _text("state", "waiting"),
        Index(None, "migration_id", "line"),
    ]


def _mailbox_run_columns() -> list[Column[Any] | Index]:
    return [
        _key("migration_id"),
        _key_number("run_no"),
        _key("mailbox_id"),
        # the latest trigger of the run's own scopes (first, bulk, failed_messages)
        _number("trigger_no", -1),
        _text("row_id"),
        _text("trigger_scope"),
        _small("trigger_failures"),
        _instant("triggered_at"),
        # what became of it
        _number("change_trigger", -1),
        _number("change_epoch", -1),
        _small("change_rank", -1),
        _text("change"),
        _text("change_scope"),
        _instant("changed_at"),
        _text("reason"),
        _instant("until"),
        _flag("progressed"),
        _flag("retryable"),
        _text("side"),
        _text("code"),
        _text("detail"),
        _text("source_server"),
        # the latest account, settling included
        _number("account_trigger", -1),
        _number("account_epoch", -1),
        _small("account_rank", -1),
        _text("account_grade"),
        _flag("settled"),
        _instant("settle_at"),
        *_sums("account_"),
        # derived
        _text("state", "waiting"),
        _small("retry_no"),
        _text("grade"),
        *_sums(),
    ]


def _folder_columns() -> list[Column[Any] | Index]:
    return [
        _key("migration_id"),
        _key("mailbox_id"),
        _key("folder_id"),
        _number("plan_run", -1),
        _text("source_name"),
        _text("destination_name"),
        _text("role"),
        _text("action"),
        _text("reason"),
        _number("messages"),
        _number("octets"),
    ]


def _folder_run_columns() -> list[Column[Any] | Index]:
    return [
        _key("migration_id"),
        _key("mailbox_id"),
        _key_number("run_no"),
        _key("folder_id"),
        _number("epoch", -1),
        _number("seq", -1),
        _number("trigger_no", -1),
        _text("role"),
        _instant("at"),
        *_sums(),
        _number("flags_changed"),
        _flag("final"),
        _text("digest"),
    ]


def _outcome_columns() -> list[Column[Any] | Index]:
    return [
        _key("event_id"),
        _text("migration_id"),
        _text("mailbox_id"),
        _small("run_no"),
        _text("folder_id"),
        _number("source_uidvalidity"),
        _number("source_uid"),
        _text("outcome"),
        _text("code"),
        _number("octets"),
        _number("at"),
        Index(None, "migration_id", "mailbox_id", "run_no"),
    ]


def _event_columns() -> list[Column[Any] | Index]:
    # mailbox_id, row_id and run_no are empty where the event has none; data holds the other fields, never a secret_ref
    return [
        _key("event_id"),
        _text("migration_id"),
        _text("mailbox_id"),
        _text("row_id"),
        _small("run_no"),
        _text("kind"),
        _number("at"),
        _text("data", "{}"),
        Index(None, "migration_id", "at", "event_id"),
    ]


def _request_columns() -> list[Column[Any] | Index]:
    return [
        _key("request_id"),
        _text("migration_id"),
        _text("kind"),
        _text("requested_by"),
        _instant("asked_at"),
        _text("refusal"),  # a code of the error catalogue
        _instant("refused_at"),
        Index(None, "migration_id"),
    ]


def _notification_columns() -> list[Column[Any] | Index]:
    return [
        _key("notification_id"),
        _text("migration_id"),
        _number("at", -1),
        _text("notice"),
        _text("cause_id"),
        _small("recipients"),
        _text("state"),
        _text("code"),
        Index(None, "migration_id"),
    ]


def _throughput_columns() -> list[Column[Any] | Index]:
    return [
        _key("subject"),
        _key_number("window_start"),
        _key_number("part"),
        _number("at", -1),
        _small("window_seconds"),
        _number("messages"),
        _number("octets"),
    ]


LIVE = build(metadata)

# What changed, in the order of the commits, for the live pages (joint 35); trimmed, and no part of a rebuild.
read_change = Table(
    "read_change",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("migration_id", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
# One row. It grows a generation with each rebuild, and whoever writes the read model locks it first: writers take
# turns, so that `seq` grows in the order of the commits and derived columns never miss another writer's rows.
read_generation = Table(
    "read_generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
)
