"""Tables of vault."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vault_key",
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("orphan_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("migration_id", name=op.f("vault_key_pk")),
    )
    op.create_table(
        "vault_secret",
        sa.Column("secret_ref", sa.Text(), nullable=False),
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("orphan_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("secret_ref", name=op.f("vault_secret_pk")),
    )
    op.create_index(op.f("vault_secret_migration_id_ix"), "vault_secret", ["migration_id"], unique=False)
