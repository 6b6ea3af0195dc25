"""The control panel: takes the CSV, seals the secrets, asks for what people want, and shows what became of it.

Consumes: `migrations` (only to forget what was deleted). Emits: MigrationSubmitted, RowSubmitted, and every
`...Requested`. Owns: `panel_submission`, `panel_row`, `panel_token`, `panel_repeat`, `panel_outbox`; reads `read_*`.

It decides nothing: the scheduler does (joint 4). It can seal secrets and never open one (joint 30).
"""
