"""The notifier tells people: change your MX now, or not yet; how the move came out; single notices.

Consumes: `run-completions`, `notices`, `migrations` (deletions alone).
Emits: `NotificationChanged`.
Owns: `notifier_mail`, `notifier_run`, `notifier_deleted`, `notifier_outbox`.

A mail is composed once, stored whole, and sent until the relay accepts it: a repeat after a crash has the same bytes
and the same Message-ID.
"""
