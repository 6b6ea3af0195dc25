"""The meter: windows of messages and octets over the progress of every folder (a Faust app).

Consumes: `folder-progress`. Emits: ThroughputWindow on `migration-throughput` (subject: a migration) and on
`server-throughput` (subject: a source server). Owns: its Faust table and that table's changelog topic, no SQL.
"""
