"""The copier's tables: leases, and the ledger of what it has done.

The lease belongs to the destination mailbox (one writer), the ledger to a pair of accounts, source and destination, so
that a later migration of the same pair goes on where an earlier one stopped (joint 1).
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from mailhaul.db import metadata

copier_worker = Table(
    "copier_worker",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("lock_file", Text, nullable=False),  # locked while the process lives; empty: there is none
)
copier_lease = Table(
    "copier_lease",
    metadata,
    Column("mailbox_id", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("owner", Text),  # none: released
)
copier_pair = Table(
    "copier_pair",
    metadata,
    Column("pair_id", Text, primary_key=True),
    Column("mailbox_id", Text, nullable=False),
    Column(
        "careful", Boolean, nullable=False
    ),  # a LITERAL+ APPEND was answered BAD: synchronising literals from then on
    Index(None, "mailbox_id"),
)
copier_claim = Table(
    "copier_claim",
    metadata,
    Column("pair_id", Text, primary_key=True),
    Column("migration_id", Text, primary_key=True),
    Index(None, "migration_id"),
)
copier_run = Table(
    "copier_run",
    metadata,
    Column("mailbox_id", Text, primary_key=True),
    Column("migration_id", Text, primary_key=True),
    Column("run_no", Integer, nullable=False),
    Column("trigger_no", Integer, nullable=False),
    Column("stopped_run_no", Integer, nullable=False),  # triggers up to this one were stopped before they began
    Column("stopped_no", Integer, nullable=False),
    Column("stop_reason", Text, nullable=False),
    Column("parked_until", BigInteger),
    Column("answer", LargeBinary),  # what was answered to (run_no, trigger_no), encoded; none: not answered yet
    Index(None, "migration_id"),
)
copier_folder = Table(
    "copier_folder",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("pair_id", Text, nullable=False),
    Column("mailbox_id", Text, nullable=False),
    Column("source_name", LargeBinary, nullable=False),  # as on the wire
    Column("target_name", LargeBinary, nullable=False),
    Column("source_validity", BigInteger, nullable=False),
    Column("source_uidnext", BigInteger, nullable=False),
    Column("source_modseq", BigInteger, nullable=False),
    Column("source_messages", BigInteger, nullable=False),
    Column("target_validity", BigInteger, nullable=False),
    Column("target_uidnext", BigInteger, nullable=False),
    Column("target_modseq", BigInteger, nullable=False),
    Column("target_messages", BigInteger, nullable=False),
    Column("account", Text, nullable=False),  # the account of the last finished run, as JSON; empty: none yet
    Column("digest", Text, nullable=False),
    UniqueConstraint("pair_id", "source_name"),
)
copier_intent = Table(
    "copier_intent",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("mailbox_id", Text, nullable=False),
    Column("folder_id", Integer, nullable=False),
    Column("target_name", LargeBinary, nullable=False),
    Column("source_validity", BigInteger, nullable=False),
    Column("uids", LargeBinary, nullable=False),
    Column("low", BigInteger, nullable=False),  # a lower bound of the destination's UIDNEXT before the push
    Column("epoch", BigInteger, nullable=False),
    Column("single", Boolean, nullable=False),  # not pushed as one MULTIAPPEND
    Index(None, "mailbox_id"),
)
copier_batch = Table(
    "copier_batch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("mailbox_id", Text, nullable=False),
    Column("folder_id", Integer, nullable=False),
    Column("target_name", LargeBinary, nullable=False),
    Column("source_validity", BigInteger, nullable=False),
    Column("target_validity", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # copied | adopted | header (adopted, known by its header's digest)
    Column("messages", Integer, nullable=False),
    Column("octets", BigInteger, nullable=False),
    Column("verified", Boolean, nullable=False),  # seen whole at the destination once
    Column("rows", LargeBinary, nullable=False),
    Column("flags", LargeBinary, nullable=False),
    Index(None, "mailbox_id", "target_name"),
    Index(None, "folder_id"),
)
copier_ambiguous = Table(
    "copier_ambiguous",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("mailbox_id", Text, nullable=False),
    Column("folder_id", Integer, nullable=False),
    Column("target_name", LargeBinary, nullable=False),
    Column("rows", LargeBinary, nullable=False),  # the push in its order, destination UIDs 0
    Column("flags", LargeBinary, nullable=False),
    Column("low", BigInteger, nullable=False),
    Column("single", Boolean, nullable=False),
    Column("since", BigInteger, nullable=False),
    Index(None, "mailbox_id"),
)
copier_outcome = Table(
    "copier_outcome",
    metadata,
    Column("folder_id", Integer, primary_key=True),
    Column("source_validity", BigInteger, primary_key=True),
    Column("source_uid", BigInteger, primary_key=True),
    Column("mailbox_id", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # skipped | failed | vanished
    Column("code", Text, nullable=False),
    Column("octets", BigInteger, nullable=False),
    Column("run_no", Integer, nullable=False),
    Index(None, "mailbox_id"),
)
copier_suspect = Table(
    "copier_suspect",
    metadata,
    Column("folder_id", Integer, primary_key=True),
    Column("source_validity", BigInteger, primary_key=True),
    Column("source_uid", BigInteger, primary_key=True),
    Column("strikes", Integer, nullable=False),  # sessions lost while it was under way
)
copier_surplus = Table(
    "copier_surplus",
    metadata,
    Column("mailbox_id", Text, primary_key=True),
    Column("target_name", LargeBinary, primary_key=True),
    Column("target_validity", BigInteger, primary_key=True),
    Column("target_uid", BigInteger, primary_key=True),
    Column("folder_id", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("action", Text, nullable=False),  # removed | reported
    Column("octets", BigInteger, nullable=False),
    Column("run_no", Integer, nullable=False),
)
