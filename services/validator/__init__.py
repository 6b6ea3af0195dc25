"""Checks a row: may mail go into that mailbox, can both ends be signed in to, and what is there to move?

Consumes: RowSubmitted, RowCorrected (`rows`; RowLeftOut is passed over); MigrationDeleted (`migrations`).
Emits: RowChecked (`row-checks`), FolderPlanned with run_no 0 (`plans`).
Owns: `validator_outbox`.

The destination is looked at first, because a mailbox that does not exist costs the source no sign-in.
"""
