"""What the scheduler knows: migrations, their rows and runs, each mailbox in each run, and durable timers.

Instants are microseconds since 1970 UTC.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, false, text

from mailhaul.db import metadata
from mailhaul.kafka.outbox import outbox_table

outbox = outbox_table("scheduler")


def _words(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _number(name: str, default: int = 0) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=str(default))


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false())


customer = Table(
    "scheduler_customer",
    metadata,
    Column("customer_id", Text, primary_key=True),  # locked while the customer's open migrations are counted
)

migration = Table(
    "scheduler_migration",
    metadata,
    Column("migration_id", Text, primary_key=True),
    _words("customer_id"),
    _words("state"),
    _number("state_seq"),
    _flag("gone"),  # a tombstone: late events create nothing
    # As submitted; row_count is -1 while only rows or verdicts have arrived.
    _number("row_count", -1),
    _words("code"),
    _words("name"),
    _words("language"),
    _words("zone"),
    _words("surplus"),
    _words("recipients"),  # JSON
    _words("first_plan"),  # JSON: mode, wall time, zone, offset, beside the instants below
    _words("second_plan"),
    Column("submitted_at", BigInteger),
    Column("first_at", BigInteger),
    Column("second_at", BigInteger),
    # What became of it.
    _words("fault"),  # of the submission itself: too many rows, a time that cannot be
    _words("reject_code"),
    _number("reject_rows"),
    _words("paused_from"),
    _number("run_no"),  # the last one allotted
    _flag("switch_advised"),  # the MX mail was decided
    Column("ended_at", BigInteger),
    Index(None, "customer_id", "state"),
)

row = Table(
    "scheduler_row",
    metadata,
    Column("row_id", Text, primary_key=True),
    Column("migration_id", Text, nullable=False),
    _words("customer_id"),
    _words("mailbox_id"),
    _number("row_version"),  # 0 while only its verdict has arrived
    _flag("left_out"),
    _number("line"),
    _words("destination"),
    _words("host"),
    _number("port"),
    _words("tls"),
    _words("source_user"),
    _words("master_user"),
    _words("secret_ref"),
    _words("rules"),  # JSON
    # The verdict on `check_version`.
    _number("check_version"),
    _words("check_state"),
    _words("check_code"),
    _words("check_side"),
    _words("pinned_address"),
    Column("check_began_at", BigInteger),
    Index(None, "migration_id", "line"),
)

run = Table(
    "scheduler_run",
    metadata,
    Column("migration_id", Text, primary_key=True),
    Column("run_no", Integer, primary_key=True, autoincrement=False),
    _words("run_id"),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    _number("revision", -1),  # of the last RunFinished; -1: not told yet
    _words("told"),  # a digest of what that RunFinished said
    _words("advice"),
)

mailbox_run = Table(
    "scheduler_mailbox_run",
    metadata,
    Column("migration_id", Text, primary_key=True),
    Column("run_no", Integer, primary_key=True, autoincrement=False),
    Column("mailbox_id", Text, primary_key=True),
    Column("row_id", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("source_server", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("due_at", BigInteger),  # queued: not to be triggered before; flying: triggered then
    Column("scope", Text, nullable=False),
    _number("turn", 1),  # 0: scope `first`, which goes before everything else
    _number("trigger_no"),  # of the last trigger; 0: none yet
    _number("failures"),
    _flag("parked"),  # waits for a server, not for a slot
    _words("outcome"),
    _words("grade"),
    _words("code"),
    _words("side"),  # whose fault the code is
    _flag("settled"),
    Column("settle_at", BigInteger),
    _number("found"),
    _number("copied"),
    _number("already_there"),
    _number("skipped"),
    _number("vanished"),
    _number("failed"),
    _number("left"),
    _number("octets_copied"),
    _number("removed_by_owner"),
    # Only what waits or flies is looked for in every tick, and in this order.
    Index(
        "scheduler_mailbox_run_queued_ix",
        "source_server",
        "customer_id",
        "turn",
        "due_at",
        "mailbox_id",
        sqlite_where=text("phase = 'queued'"),
        postgresql_where=text("phase = 'queued'"),
    ),
    Index(
        "scheduler_mailbox_run_flying_ix",
        "customer_id",
        "source_server",
        sqlite_where=text("phase = 'flying'"),
        postgresql_where=text("phase = 'flying'"),
    ),
)

timer = Table(
    "scheduler_timer",
    metadata,
    Column("migration_id", Text, primary_key=True),  # empty: of the whole installation
    Column("kind", Text, primary_key=True),
    Column("run_no", Integer, primary_key=True, autoincrement=False),
    Column("due_at", BigInteger, nullable=False, index=True),
    _words("wall"),  # the wall time and zone as they were given, beside the instant
    _words("zone"),
)
