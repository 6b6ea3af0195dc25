"""Tables of copier."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "copier_ambiguous",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("mailbox_id", sa.Text(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("target_name", sa.LargeBinary(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.Column("flags", sa.LargeBinary(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("single", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("copier_ambiguous_pk")),
    )
    op.create_index(op.f("copier_ambiguous_mailbox_id_ix"), "copier_ambiguous", ["mailbox_id"], unique=False)
    op.create_table(
        "copier_batch",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("mailbox_id", sa.Text(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("target_name", sa.LargeBinary(), nullable=False),
        sa.Column("source_validity", sa.BigInteger(), nullable=False),
        sa.Column("target_validity", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.Column("flags", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("copier_batch_pk")),
    )
    op.create_index(op.f("copier_batch_folder_id_ix"), "copier_batch", ["folder_id"], unique=False)
    op.create_index(
        op.f("copier_batch_mailbox_id_target_name_ix"), "copier_batch", ["mailbox_id", "target_name"], unique=False
    )
    op.create_table(
        "copier_claim",
        sa.Column("pair_id", sa.Text(), nullable=False),
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("pair_id", "migration_id", name=op.f("copier_claim_pk")),
    )
    op.create_index(op.f("copier_claim_migration_id_ix"), "copier_claim", ["migration_id"], unique=False)
    op.create_table(
        "copier_folder",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("pair_id", sa.Text(), nullable=False),
        sa.Column("mailbox_id", sa.Text(), nullable=False),
        sa.Column("source_name", sa.LargeBinary(), nullable=False),
        sa.Column("target_name", sa.LargeBinary(), nullable=False),
        sa.Column("source_validity", sa.BigInteger(), nullable=False),
        sa.Column("source_uidnext", sa.BigInteger(), nullable=False),
        sa.Column("source_modseq", sa.BigInteger(), nullable=False),
        sa.Column("source_messages", sa.BigInteger(), nullable=False),
        sa.Column("target_validity", sa.BigInteger(), nullable=False),
        sa.Column("target_uidnext", sa.BigInteger(), nullable=False),
        sa.Column("target_modseq", sa.BigInteger(), nullable=False),
        sa.Column("target_messages", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("copier_folder_pk")),
        sa.UniqueConstraint("pair_id", "source_name", name=op.f("copier_folder_pair_id_source_name_uq")),
    )
    op.create_table(
        "copier_intent",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("mailbox_id", sa.Text(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("target_name", sa.LargeBinary(), nullable=False),
        sa.Column("source_validity", sa.BigInteger(), nullable=False),
        sa.Column("uids", sa.LargeBinary(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("single", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("copier_intent_pk")),
    )
    op.create_index(op.f("copier_intent_mailbox_id_ix"), "copier_intent", ["mailbox_id"], unique=False)
    op.create_table(
        "copier_lease",
        sa.Column("mailbox_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("mailbox_id", name=op.f("copier_lease_pk")),
    )
    op.create_table(
        "copier_outcome",
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("source_validity", sa.BigInteger(), nullable=False),
        sa.Column("source_uid", sa.BigInteger(), nullable=False),
        sa.Column("mailbox_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("run_no", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("folder_id", "source_validity", "source_uid", name=op.f("copier_outcome_pk")),
    )
    op.create_index(op.f("copier_outcome_mailbox_id_ix"), "copier_outcome", ["mailbox_id"], unique=False)
    op.create_table(
        "copier_pair",
        sa.Column("pair_id", sa.Text(), nullable=False),
        sa.Column("mailbox_id", sa.Text(), nullable=False),
        sa.Column("careful", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("pair_id", name=op.f("copier_pair_pk")),
    )
    op.create_index(op.f("copier_pair_mailbox_id_ix"), "copier_pair", ["mailbox_id"], unique=False)
    op.create_table(
        "copier_run",
        sa.Column("mailbox_id", sa.Text(), nullable=False),
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("run_no", sa.Integer(), nullable=False),
        sa.Column("trigger_no", sa.Integer(), nullable=False),
        sa.Column("stopped_run_no", sa.Integer(), nullable=False),
        sa.Column("stopped_no", sa.Integer(), nullable=False),
        sa.Column("stop_reason", sa.Text(), nullable=False),
        sa.Column("parked_until", sa.BigInteger(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("mailbox_id", "migration_id", name=op.f("copier_run_pk")),
    )
    op.create_index(op.f("copier_run_migration_id_ix"), "copier_run", ["migration_id"], unique=False)
    op.create_table(
        "copier_surplus",
        sa.Column("mailbox_id", sa.Text(), nullable=False),
        sa.Column("target_name", sa.LargeBinary(), nullable=False),
        sa.Column("target_validity", sa.BigInteger(), nullable=False),
        sa.Column("target_uid", sa.BigInteger(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("run_no", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "mailbox_id", "target_name", "target_validity", "target_uid", name=op.f("copier_surplus_pk")
        ),
    )
    op.create_table(
        "copier_suspect",
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("source_validity", sa.BigInteger(), nullable=False),
        sa.Column("source_uid", sa.BigInteger(), nullable=False),
        sa.Column("strikes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("folder_id", "source_validity", "source_uid", name=op.f("copier_suspect_pk")),
    )
    op.create_table(
        "copier_worker",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("lock_file", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("copier_worker_pk")),
    )
