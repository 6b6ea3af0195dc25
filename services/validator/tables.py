"""The SQL that the validator owns: its verdicts, until they are published."""

from mailhaul.kafka.outbox import outbox_table

validator_outbox = outbox_table("validator")
