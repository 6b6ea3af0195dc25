"""Mails beside those about runs: what their owner should hear of a migration that nobody watches (joints 21, 26)."""

import json

from mailhaul.events import NoticeRequested
from mailhaul.ids import derive
from services.scheduler.case import Case


def notify(case: Case, notice: str, **words: str) -> None:
    """Ask for a mail about the fact that was just told; nothing where nobody is to be told.

    `notice` is a key of the catalogue in `mailhaul/texts/mails.py`, `words` are what its text needs.
    """
    recipients = tuple(json.loads(case["recipients"] or "[]"))
    if not recipients:
        return
    case.tell(
        NoticeRequested(
            event_id=derive("notice", case.id, case["state_seq"], notice),
            at=case.now,
            customer_id=case.customer_id,
            migration_id=case.id,
            notice=notice,
            recipients=recipients,
            language=case["language"],
            zone=case["zone"],
            subject_code=case["code"],
            name=case["name"],
            words=tuple(f"{name}={value}" for name, value in sorted(words.items())),
        )
    )
