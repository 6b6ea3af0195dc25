"""Outcomes of runs and an installation, as the notifier's tests use them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mailhaul.events import RunFinished
from mailhaul.ids import CustomerId, MigrationId, RunId
from mailhaul.states import Advice, Grade
from services.notifier.letters import Platform
from services.notifier.records import DNS

AT = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
SENDER = "Mailhaul <mailhaul@platform.test>"
PLATFORM = Platform(
    dns=DNS(
        mx=("10 mx1.example.net.", "20 mx2.example.net."),
        spf="v=spf1 include:spf.example.net -all",
        dkim=("s1._domainkey CNAME s1.dkim.example.net.",),
        webmail="https://webmail.example.net/",
    ),
    panel_url="https://panel.example.net/",
)
FINISHED = RunFinished(
    event_id="run-1-revision-1",
    at=AT,
    migration_id=MigrationId("migration-1"),
    customer_id=CustomerId("customer-1"),
    run_id=RunId("run-1"),
    run_no=1,
    revision=1,
    last=False,
    advice=Advice.SWITCH_MX,
    grade=Grade.GOOD,
    code="M-7K2QX",
    name="",
    domains=("example.com",),
    recipients=("admin@example.com",),
    language="en",
    zone="Europe/Rome",
    started_at=AT - timedelta(hours=3),
    finished_at=AT - timedelta(minutes=2),
    second_at=AT + timedelta(hours=6),
    mailboxes=214,
    failed_mailboxes=(),
    waiting_mailboxes=(),
    review_mailboxes=(),
    found=1_412_033,
    copied=1_402_712,
    already_there=0,
    skipped=9_318,
    vanished=3,
    failed=0,
    left=0,
    octets_copied=31_400_000_000,
    removed_by_owner=0,
)


def finished(**changes: Any) -> RunFinished:
    """A run's outcome that differs from the usual one."""
    return replace(FINISHED, **changes)


def hindered(**changes: Any) -> RunFinished:
    """An outcome with mailboxes that failed and wait."""
    given: dict[str, Any] = {
        "advice": Advice.DO_NOT_SWITCH,
        "grade": Grade.PROBLEM,
        "failed_mailboxes": ("ugo@example.com sign_in_refused", "cfo@example.com no_such_code_yet"),
        "waiting_mailboxes": ("sara@example.com",),
    }
    return finished(**(given | changes))
