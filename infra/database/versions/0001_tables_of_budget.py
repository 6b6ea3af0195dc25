"""Tables of budget."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budget_lease",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("connections", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("server", "worker", name=op.f("budget_lease_pk")),
    )
    op.create_index(op.f("budget_lease_worker_ix"), "budget_lease", ["worker"], unique=False)
    op.create_table(
        "budget_server",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("parked_until", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("allowed", sa.Integer(), nullable=True),
        sa.Column("throttled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("server", name=op.f("budget_server_pk")),
    )
    op.create_table(
        "budget_stop",
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("level", "subject", name=op.f("budget_stop_pk")),
    )
