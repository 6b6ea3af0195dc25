"""Tables of notifier."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notifier_deleted",
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("migration_id", name=op.f("notifier_deleted_pk")),
    )
    op.create_table(
        "notifier_mail",
        sa.Column("mail_id", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Text(), nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mail_id", name=op.f("notifier_mail_pk")),
    )
    op.create_index("notifier_mail_due_ix", "notifier_mail", ["state", "due_at"], unique=False)
    op.create_index(op.f("notifier_mail_migration_id_ix"), "notifier_mail", ["migration_id"], unique=False)
    op.create_table(
        "notifier_outbox",
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
        sa.PrimaryKeyConstraint("event_id", name=op.f("notifier_outbox_pk")),
    )
    op.create_index(op.f("notifier_outbox_cause_ix"), "notifier_outbox", ["cause"], unique=False)
    op.create_index(op.f("notifier_outbox_migration_id_ix"), "notifier_outbox", ["migration_id"], unique=False)
    op.create_index(
        "notifier_outbox_unflagged_ix",
        "notifier_outbox",
        ["created_at", "n"],
        unique=False,
        sqlite_where=sa.text("flagged_at IS NULL"),
        postgresql_where=sa.text("flagged_at IS NULL"),
    )
    op.create_table(
        "notifier_run",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("outlook", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("notifier_run_pk")),
    )
    op.create_index(op.f("notifier_run_migration_id_ix"), "notifier_run", ["migration_id"], unique=False)
