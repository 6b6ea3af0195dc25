"""Identifiers are derived: the same thing has the same id, whoever's migration names it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mailhaul.events import RunTriggered
from mailhaul.ids import MigrationId, canonical_address, derive, mailbox_id, run_id
from services.copier.heart import pair_of
from tests.event_samples import sample


def test_joint_01_a_destination_is_one_mailbox_however_it_is_written() -> None:
    first = mailbox_id("Ada.Lovelace@Example.COM")
    assert first == mailbox_id("ada.lovelace@example.com") == mailbox_id("  ada.lovelace@EXAMPLE.com ")
    assert mailbox_id("ada@bücher.example") == mailbox_id("ada@xn--bcher-kva.example")
    assert first != mailbox_id("ada.lovelace@example.org")


def test_joint_01_a_later_migration_of_the_pair_goes_on_in_the_same_ledger() -> None:
    trigger = sample(RunTriggered)
    later = replace(trigger, migration_id=MigrationId("another"), run_id=run_id(MigrationId("another"), 1), run_no=1)
    assert pair_of(later) == pair_of(trigger)
    assert pair_of(replace(trigger, source_user="somebody.else")) != pair_of(trigger)
    assert pair_of(replace(trigger, mailbox_id=mailbox_id("other@example.com"))) != pair_of(trigger)


def test_joint_02_a_rescheduled_run_is_the_same_run() -> None:
    migration = MigrationId("m")
    assert run_id(migration, 1) == run_id(migration, 1) != run_id(migration, 2)


PARTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x1f")), min_size=1, max_size=4)


@given(PARTS, PARTS)
def test_joint_03_different_parts_give_different_ids(parts: list[str], other: list[str]) -> None:
    assert (derive("kind", *parts) == derive("kind", *other)) == (parts == other)


@given(st.emails())
def test_canonical_addresses_stay_as_they_are(address: str) -> None:
    once = canonical_address(address)
    assert canonical_address(once) == once
