"""What the notifier owns: mails whole, what each run was told last, deleted migrations, and its outbox."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from mailhaul.db import metadata
from mailhaul.kafka.outbox import outbox_table

_migration_id = "migration_id"

mail = Table(
    "notifier_mail",
    metadata,
    Column("mail_id", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),  # orders the mails of one decision
    Column(_migration_id, Text, nullable=False, index=True),
    Column("customer_id", Text, nullable=False),
    Column("cause_id", Text, nullable=False),
    Column("notice", Text, nullable=False),
    Column("sender", Text, nullable=False),  # of the envelope
    Column("recipient", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),  # pending | sent | failed
    Column("code", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),  # while somebody sends it, when his claim ends
    Index("notifier_mail_due_ix", "state", "due_at"),
)

run = Table(
    "notifier_run",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column(_migration_id, Text, nullable=False, index=True),
    Column("revision", Integer, nullable=False),  # the highest seen
    Column("outlook", Text, nullable=False),  # what the last mail said
)

# Late events of a deleted migration must not write to anybody.
deleted = Table(
    "notifier_deleted",
    metadata,
    Column(_migration_id, Text, primary_key=True),
    Column("deleted_at", BigInteger, nullable=False),
)

outbox = outbox_table("notifier")
