"""Whole mailboxes through two real servers, on both ledgers."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mailhaul.folders.rules import FolderRules
from mailhaul.stack.dovecot import Dovecot, DovecotSettings
from mailhaul.statement import grade
from mailhaul.states import Grade
from services.copier.transfer import Portions
from services.copier.work import sum_up
from tests.fixtures_copier import MASTER, MASTER_PASSWORD, Rig, letter

YEAR = 365 * 86_400


def fill(rig: Rig) -> None:
    """A small mailbox with most of what mailboxes hold."""
    rig.source.create("Sent", "Projekte.M&APw-nchen", "Trash", "Trash.Old", "Junkyard", "Empty")
    for n in range(25):
        rig.source.append(
            "INBOX", letter(f"in{n}", 300 + 700 * (n % 7)), flags="\\Seen" if n % 2 else "", date=n * YEAR
        )
    rig.source.append("INBOX", letter("twin"), letter("twin"), flags="\\Flagged $Forwarded work")
    rig.source.append("Sent", *(letter(f"sent{n}") for n in range(12)), flags="\\Seen \\Answered")
    rig.source.append("Projekte.M&APw-nchen", letter("eins"), letter("zwei"), flags="\\Draft")
    rig.source.append("Trash", letter("old news"))
    rig.source.append("Trash.Old", letter("older news"))
    rig.source.append("Junkyard", letter("not junk"))


async def test_a_mailbox_arrives_whole(rig: Rig) -> None:
    fill(rig)
    result = await rig.copy()
    assert not result.reason
    assert rig.same("INBOX", "Sent", "Junkyard")
    assert rig.source.contents("Projekte.M&APw-nchen") == rig.target.contents("Projekte/M&APw-nchen")
    assert {"Empty", "Projekte/M&APw-nchen"} <= rig.target.folders()
    assert "Trash/Old" not in rig.target.folders()
    assert "Sent" in rig.target.subscribed()
    assert result.tally.found == 27 + 12 + 2 + 1 + 2
    assert (result.tally.copied, result.tally.skipped, result.tally.left) == (42, 2, 0)
    assert grade(result.tally.account()) is Grade.GOOD
    assert result.settle_at is None


async def test_the_same_run_again_changes_nothing(rig: Rig) -> None:
    fill(rig)
    first = await rig.copy()
    again = await rig.copy(run_no=2)
    assert rig.same("INBOX", "Sent", "Junkyard")
    assert again.tally == first.tally
    assert [folder.digest for folder in again.folders] == [folder.digest for folder in first.folders]


@pytest.mark.joint(28)
async def test_joint_28_the_source_is_never_written_to(rig: Rig) -> None:
    rig.source.append("INBOX", letter("unread"))
    before = rig.source.messages()
    await rig.copy()
    assert rig.source.messages() == before
    _, recent = rig.source.imap.status("INBOX", "(UNSEEN RECENT)")
    assert b"UNSEEN 1" in recent[0]


async def test_a_message_over_the_limit_is_left_out_and_one_of_exactly_the_limit_is_copied(rig: Rig) -> None:
    exact, over = letter("exact", 2000), letter("over", 2001)
    assert (len(exact), len(over)) == (2000, 2001)
    rig.source.append("INBOX", exact, over)
    result = await rig.copy(portions=Portions(most_octets=2000))
    assert (result.tally.copied, result.tally.skipped) == (1, 1)
    raised = await rig.copy(portions=Portions(most_octets=2001), run_no=2)
    assert (raised.tally.copied, raised.tally.skipped) == (2, 0)
    assert rig.same()


async def test_new_mail_comes_over_and_flags_follow_unless_the_owner_was_there_first(rig: Rig) -> None:
    rig.source.append("INBOX", *(letter(f"m{n}") for n in range(6)))
    await rig.copy()
    mine, theirs = sorted(rig.source.messages()), sorted(rig.target.messages())
    rig.source.store("INBOX", mine[:3], "+", "\\Seen")
    rig.target.store("INBOX", [theirs[0]], "+", "\\Flagged")
    rig.target.store("INBOX", [theirs[4]], "+", "\\Answered")
    rig.source.append("INBOX", letter("new"), flags="work")
    result = await rig.copy(run_no=2)
    flags = [row[2] for _, row in sorted(rig.target.messages().items())]
    assert flags[0] == {"\\Seen", "\\Flagged"}
    assert flags[1] == flags[2] == {"\\Seen"}
    assert flags[3] == frozenset()
    assert flags[4] == {"\\Answered"}
    assert flags[6] == {"work"}
    inbox = next(folder for folder in result.folders if folder.role == "inbox")
    assert (inbox.tally.copied, inbox.tally.flags_changed) == (7, 3)
    rig.target.store("INBOX", [theirs[1]], "-", "\\Seen")
    rig.source.append("INBOX", letter("newer"))
    await rig.copy(run_no=3)
    assert rig.target.messages()[theirs[1]][2] == frozenset()


@pytest.mark.joint(24)
async def test_joint_24_what_its_owner_moved_or_removed_is_not_brought_back(rig: Rig) -> None:
    rig.source.append("INBOX", *(letter(f"m{n}") for n in range(5)))
    await rig.copy()
    rig.target.create("Kept")
    uids = sorted(rig.target.messages())
    rig.target.delete("INBOX", uids[0])
    rig.target.move("INBOX", uids[1], "Kept")
    rig.source.append("INBOX", letter("new"))
    result = await rig.copy(run_no=2)
    assert len(rig.target.messages()) == 4
    assert len(rig.target.messages("Kept")) == 1
    assert (result.tally.removed_by_owner, result.tally.mismatched) == (2, 0)
    assert grade(result.tally.account()) is Grade.GOOD


async def test_mail_that_vanished_at_the_source_after_run_one_stays_at_the_destination(rig: Rig) -> None:
    rig.source.append("INBOX", letter("a"), letter("b"))
    await rig.copy()
    rig.source.delete("INBOX", min(rig.source.messages()))
    result = await rig.copy(run_no=2)
    assert len(rig.target.messages()) == 2
    assert (result.tally.found, result.tally.copied) == (2, 2)


async def test_a_renamed_folder_is_not_copied_again(rig: Rig) -> None:
    rig.source.create("Alt")
    rig.source.append("Alt", letter("a"), letter("b"))
    await rig.copy()
    rig.source.imap.rename('"Alt"', '"Neu"')
    rig.source.append("Neu", letter("c"))
    result = await rig.copy(run_no=2)
    assert rig.target.contents("Alt") == rig.source.contents("Neu")
    assert "Neu" not in rig.target.folders()
    assert result.tally.copied == 3


async def test_a_new_uidvalidity_at_the_source_copies_only_what_is_new(rig: Rig) -> None:
    rig.source.create("Box")
    rig.source.append("Box", *(letter(f"m{n}") for n in range(8)))
    await rig.copy()
    gone = sorted(rig.target.messages("Box"))[2]
    rig.target.delete("Box", gone)
    rig.source.imap.delete('"Box"')
    rig.source.create("Box")
    rig.source.append("Box", letter("first"), *(letter(f"m{n}") for n in (7, 3, 2, 0)), date=1_600_000_000)
    result = await rig.copy(run_no=2)
    box = next(folder for folder in result.folders if folder.source_text == "Box")
    assert (box.tally.found, box.tally.copied, box.tally.left) == (5, 5, 0)
    assert len(rig.target.messages("Box")) == 8
    again = await rig.copy(run_no=3)
    assert len(rig.target.messages("Box")) == 8
    assert again.tally.copied == 5


async def test_a_destination_folder_made_anew_gets_only_new_mail(rig: Rig) -> None:
    rig.source.create("Box")
    rig.source.append("Box", *(letter(f"m{n}") for n in range(4)))
    await rig.copy()
    rig.target.imap.delete('"Box"')
    rig.target.create("Box")
    rig.target.append("Box", letter("m1"))
    rig.source.append("Box", letter("new"))
    result = await rig.copy(run_no=2)
    assert len(rig.target.messages("Box")) == 2
    assert (result.tally.removed_by_owner, result.tally.mismatched) == (3, 0)


async def test_folders_are_skipped_and_translated(rig: Rig) -> None:
    rig.source.create("Alt", "Weg", "Weg.Unter")
    rig.source.append("Alt", letter("a"))
    rig.source.append("Weg.Unter", letter("b"))
    rules = FolderRules(skip=("Weg",), translations=(("Alt", "Old"),))
    result = await rig.copy(rules=rules)
    assert rig.target.contents("Old") == rig.source.contents("Alt")
    assert not any(name.startswith("Weg") for name in rig.target.folders())
    assert sum_up(folder.tally for folder in result.folders if folder.reason == "skip_rule").skipped == 1


def other(make_dovecot: Callable[..., Dovecot], **settings: object) -> Dovecot:
    return make_dovecot("other", DovecotSettings(master_users={MASTER: MASTER_PASSWORD}, **settings))  # type: ignore[arg-type]


BARE = "IMAP4rev1 SASL-IR AUTH=PLAIN NAMESPACE"


@pytest.mark.parametrize(
    "capability",
    [
        f"{BARE} LITERAL+ UIDPLUS LIST-EXTENDED LIST-STATUS CONDSTORE",
        f"{BARE} UIDPLUS MULTIAPPEND",
        f"{BARE} LITERAL+ MULTIAPPEND",
        BARE,
    ],
)
async def test_servers_that_can_do_less(
    capability: str, make_dovecot: Callable[..., Dovecot], make_rig: Callable[..., Rig]
) -> None:
    rig = make_rig(other(make_dovecot, capability=capability))
    fill(rig)
    result = await rig.copy()
    assert rig.same("INBOX", "Sent", "Junkyard")
    assert (result.tally.copied, result.tally.left, result.tally.mismatched) == (42, 0, 0)
    rig.source.append("INBOX", letter("new"))
    again = await rig.copy(run_no=2)
    assert rig.same("INBOX", "Sent")
    assert (again.tally.copied, again.tally.mismatched) == (43, 0)


async def test_a_refused_batch_is_halved_until_the_poison_stands_alone(
    make_dovecot: Callable[..., Dovecot], make_rig: Callable[..., Rig]
) -> None:
    rig = make_rig(other(make_dovecot, quota=True, extra="plugin {\n quota_max_mail_size = 3000\n}\n"))
    rig.source.append("INBOX", *(letter(f"m{n}", 5000 if n in (4, 17) else 500) for n in range(24)))
    result = await rig.copy()
    assert (result.tally.copied, result.tally.failed, result.tally.left) == (22, 2, 0)
    assert len(rig.target.messages()) == 22
    assert grade(result.tally.account()) is Grade.REVIEW
    again = await rig.copy(run_no=2)
    assert (again.tally.copied, again.tally.failed) == (22, 2)


async def test_many_mailboxes_of_one_process_share_a_worker(make_rig: Callable[..., Rig]) -> None:
    import asyncio

    rigs = [make_rig() for _ in range(4)]
    for rig in rigs:
        rig.source.append("INBOX", *(letter(f"{rig.user}{n}") for n in range(30)))
    results = await asyncio.gather(*(rig.copy() for rig in rigs))
    assert [result.tally.copied for result in results] == [30] * 4
    assert all(rig.same() for rig in rigs)


async def test_a_large_message_streams_through(rig: Rig) -> None:
    big = letter("big", 9_000_000)
    rig.source.append("INBOX", letter("a"), big, letter("b"))
    await rig.copy(portions=replace(rig.job.portions, octets=1 << 16))
    assert rig.same()
