"""Tables of panel."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "panel_outbox",
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
        sa.PrimaryKeyConstraint("event_id", name=op.f("panel_outbox_pk")),
    )
    op.create_index(op.f("panel_outbox_cause_ix"), "panel_outbox", ["cause"], unique=False)
    op.create_index(op.f("panel_outbox_migration_id_ix"), "panel_outbox", ["migration_id"], unique=False)
    op.create_index(
        "panel_outbox_unflagged_ix",
        "panel_outbox",
        ["created_at", "n"],
        unique=False,
        sqlite_where=sa.text("flagged_at IS NULL"),
        postgresql_where=sa.text("flagged_at IS NULL"),
    )
    op.create_table(
        "panel_repeat",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("forget_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "key", name=op.f("panel_repeat_pk")),
    )
    op.create_table(
        "panel_row",
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("mailbox_id", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("tls", sa.Text(), nullable=False),
        sa.Column("source_user", sa.Text(), nullable=False),
        sa.Column("master_user", sa.Text(), nullable=False),
        sa.Column("secret_ref", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), server_default="", nullable=False),
        sa.Column("before", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("panel_row_pk")),
        sa.UniqueConstraint("migration_id", "line", name=op.f("panel_row_migration_id_line_uq")),
    )
    op.create_table(
        "panel_submission",
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("first_plan", sa.Text(), nullable=False),
        sa.Column("second_plan", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("migration_id", name=op.f("panel_submission_pk")),
        sa.UniqueConstraint("code", name=op.f("panel_submission_code_uq")),
        sa.UniqueConstraint("customer_id", "name", name=op.f("panel_submission_customer_id_name_uq")),
    )
    op.create_index(
        op.f("panel_submission_customer_id_submitted_at_migration_id_ix"),
        "panel_submission",
        ["customer_id", "submitted_at", "migration_id"],
        unique=False,
    )
    op.create_table(
        "panel_token",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("operator", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("panel_token_pk")),
    )
