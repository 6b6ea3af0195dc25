"""Tables of validator."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "validator_outbox",
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
        sa.PrimaryKeyConstraint("event_id", name=op.f("validator_outbox_pk")),
    )
    op.create_index(op.f("validator_outbox_cause_ix"), "validator_outbox", ["cause"], unique=False)
    op.create_index(op.f("validator_outbox_migration_id_ix"), "validator_outbox", ["migration_id"], unique=False)
    op.create_index(
        "validator_outbox_unflagged_ix",
        "validator_outbox",
        ["created_at", "n"],
        unique=False,
        sqlite_where=sa.text("flagged_at IS NULL"),
        postgresql_where=sa.text("flagged_at IS NULL"),
    )
