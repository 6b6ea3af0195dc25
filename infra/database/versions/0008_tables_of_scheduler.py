"""Tables of scheduler."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scheduler_customer",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("scheduler_customer_pk")),
    )
    op.create_table(
        "scheduler_mailbox_run",
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("run_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mailbox_id", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("source_server", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("trigger_no", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("parked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("grade", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("side", sa.Text(), server_default="", nullable=False),
        sa.Column("settled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("settle_at", sa.BigInteger(), nullable=True),
        sa.Column("found", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("copied", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("already_there", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("skipped", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("vanished", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("left", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("octets_copied", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("removed_by_owner", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("migration_id", "run_no", "mailbox_id", name=op.f("scheduler_mailbox_run_pk")),
    )
    op.create_index(
        "scheduler_mailbox_run_flying_ix",
        "scheduler_mailbox_run",
        ["customer_id", "source_server"],
        unique=False,
        sqlite_where=sa.text("phase = 'flying'"),
        postgresql_where=sa.text("phase = 'flying'"),
    )
    op.create_index(
        "scheduler_mailbox_run_queued_ix",
        "scheduler_mailbox_run",
        ["source_server", "customer_id", "turn", "due_at", "mailbox_id"],
        unique=False,
        sqlite_where=sa.text("phase = 'queued'"),
        postgresql_where=sa.text("phase = 'queued'"),
    )
    op.create_table(
        "scheduler_migration",
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("state_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), server_default="-1", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("zone", sa.Text(), server_default="", nullable=False),
        sa.Column("surplus", sa.Text(), server_default="", nullable=False),
        sa.Column("recipients", sa.Text(), server_default="", nullable=False),
        sa.Column("first_plan", sa.Text(), server_default="", nullable=False),
        sa.Column("second_plan", sa.Text(), server_default="", nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=True),
        sa.Column("first_at", sa.BigInteger(), nullable=True),
        sa.Column("second_at", sa.BigInteger(), nullable=True),
        sa.Column("fault", sa.Text(), server_default="", nullable=False),
        sa.Column("reject_code", sa.Text(), server_default="", nullable=False),
        sa.Column("reject_rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("paused_from", sa.Text(), server_default="", nullable=False),
        sa.Column("run_no", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("switch_advised", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("migration_id", name=op.f("scheduler_migration_pk")),
    )
    op.create_index(
        op.f("scheduler_migration_customer_id_state_ix"), "scheduler_migration", ["customer_id", "state"], unique=False
    )
    op.create_table(
        "scheduler_outbox",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("flagged_at", sa.BigInteger(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("scheduler_outbox_pk")),
    )
    op.create_index(op.f("scheduler_outbox_cause_ix"), "scheduler_outbox", ["cause"], unique=False)
    op.create_index(op.f("scheduler_outbox_migration_id_ix"), "scheduler_outbox", ["migration_id"], unique=False)
    op.create_index(
        "scheduler_outbox_unflagged_ix",
        "scheduler_outbox",
        ["created_at", "n"],
        unique=False,
        sqlite_where=sa.text("flagged_at IS NULL"),
        postgresql_where=sa.text("flagged_at IS NULL"),
    )
    op.create_table(
        "scheduler_row",
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), server_default="", nullable=False),
        sa.Column("mailbox_id", sa.Text(), server_default="", nullable=False),
        sa.Column("row_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("left_out", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("line", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("destination", sa.Text(), server_default="", nullable=False),
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.Column("port", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tls", sa.Text(), server_default="", nullable=False),
        sa.Column("source_user", sa.Text(), server_default="", nullable=False),
        sa.Column("master_user", sa.Text(), server_default="", nullable=False),
        sa.Column("secret_ref", sa.Text(), server_default="", nullable=False),
        sa.Column("rules", sa.Text(), server_default="", nullable=False),
        sa.Column("check_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("check_state", sa.Text(), server_default="", nullable=False),
        sa.Column("check_code", sa.Text(), server_default="", nullable=False),
        sa.Column("check_side", sa.Text(), server_default="", nullable=False),
        sa.Column("pinned_address", sa.Text(), server_default="", nullable=False),
        sa.Column("check_began_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("row_id", name=op.f("scheduler_row_pk")),
    )
    op.create_index(op.f("scheduler_row_migration_id_line_ix"), "scheduler_row", ["migration_id", "line"], unique=False)
    op.create_table(
        "scheduler_run",
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("run_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="-1", nullable=False),
        sa.Column("told", sa.Text(), server_default="", nullable=False),
        sa.Column("advice", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("migration_id", "run_no", name=op.f("scheduler_run_pk")),
    )
    op.create_table(
        "scheduler_timer",
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("run_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("wall", sa.Text(), server_default="", nullable=False),
        sa.Column("zone", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("migration_id", "kind", "run_no", name=op.f("scheduler_timer_pk")),
    )
    op.create_index(op.f("scheduler_timer_due_at_ix"), "scheduler_timer", ["due_at"], unique=False)
