"""What the panel keeps of its own: submissions with their rows, tokens, and answers to repeated requests."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, UniqueConstraint

from mailhaul.db import metadata
from mailhaul.kafka.outbox import outbox_table

panel_outbox = outbox_table("panel")

panel_submission = Table(
    "panel_submission",
    metadata,
    Column("migration_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("source_type", Text, nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("first_plan", Text, nullable=False),  # RunTime as JSON
    Column("second_plan", Text, nullable=False),
    Column("rules", Text, nullable=False),  # Rules as JSON
    Column("language", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("recipients", Text, nullable=False),  # JSON
    Column("submitted_at", BigInteger, nullable=False),
    UniqueConstraint("customer_id", "name"),
    Index(None, "customer_id", "submitted_at", "migration_id"),
)

# A row as it was last asked for: what a correction starts from, and what is shown until the read model knows it.
panel_row = Table(
    "panel_row",
    metadata,
    Column("row_id", Text, primary_key=True),
    Column("migration_id", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("mailbox_id", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("tls", Text, nullable=False),
    Column("source_user", Text, nullable=False),
    Column("master_user", Text, nullable=False),
    Column("secret_ref", Text, nullable=False),
    Column("asked_by", Text, nullable=False, server_default=""),  # the correction that made it what it is
    Column("before", Text, nullable=False, server_default=""),  # JSON: the row without that correction
    UniqueConstraint("migration_id", "line"),
)

panel_token = Table(
    "panel_token",
    metadata,
    Column("digest", Text, primary_key=True),  # SHA-256 of a token of 256 random bits
    Column("customer_id", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("operator", Integer, nullable=False),  # 1: may grant domains
    Column("created_at", BigInteger, nullable=False),
)

# Joint 3: a repeat finds the first. The fingerprint is keyed, because the file it covers holds passwords.
panel_repeat = Table(
    "panel_repeat",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("migration_id", Text, nullable=False),
    Column("answer", Text, nullable=False),  # the migration's code, or the request's id
    Column("forget_at", BigInteger, nullable=False),
)
