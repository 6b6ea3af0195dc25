"""The scheduler decides: it accepts, times, triggers, stops, finishes and forgets migrations.

Consumes: `requests`, `rows`, `row-checks`, `mailbox-runs`.
Emits: every fact on `migrations`, `RowCorrected` and `RowLeftOut`, `RunTriggered` and `MailboxStopRequested`,
`RunFinished`, `NoticeRequested`.
Owns: `scheduler_customer`, `scheduler_migration`, `scheduler_row`, `scheduler_run`, `scheduler_mailbox_run`,
`scheduler_timer`, `scheduler_outbox`.

Any number of schedulers run side by side. Every decision about a migration is taken under the lock of its row, and
every fact carries the state it leaves and a `state_seq` that only grows (joint 4).
"""
