"""Moves mailboxes from source to destination, folder by folder, exactly once.

Consumes: RunTriggered, MailboxStopRequested (`run-triggers`); MigrationDeleted (`migrations`).
Emits: FolderPlanned (`plans`), FolderProgressed (`folder-progress`), MessageOutcome (`message-outcomes`),
MailboxRunChanged (`mailbox-runs`).
Owns: `copier_*` tables, the leases and the ledger.
"""
