"""What happens to a mailbox between two sessions: folders come and go, numbers change, dates and flags are odd."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mailhaul import failpoints
from mailhaul.errors import MailhaulError
from mailhaul.folders.rules import FolderRules
from mailhaul.stack.dovecot import Dovecot, DovecotSettings
from mailhaul.statement import grade
from mailhaul.states import Grade
from services.copier.ledger import intents, outcomes_of_pair
from services.copier.transfer import Portions
from tests.fixtures_copier import MASTER, MASTER_PASSWORD, PASSWORD, Client, Rig, Servers, letter

pytestmark = pytest.mark.parametrize("schema_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    yield
    failpoints.configure("")


async def dies_with_a_push_on_its_way(rig: Rig, place: str = "copier.intending=error@2") -> None:
    """A run whose push arrives and whose commit does not."""
    failpoints.configure(place)
    with pytest.raises((failpoints.FailpointError, MailhaulError)):
        await rig.copy()
    failpoints.configure("")
    assert await rig.worker.database.read(intents, rig.job.pair_id)


def digests(client: Client, folder: str) -> list[str]:
    return sorted(row[0] for row in client.messages(folder).values())


async def test_a_push_is_remembered_while_a_rule_leaves_its_folder_out(rig: Rig) -> None:
    rig.source.create("Box")
    rig.source.append("INBOX", letter("a"))
    await rig.copy()
    rig.source.append("Box", *(letter(f"m{n}") for n in range(96)))
    await dies_with_a_push_on_its_way(rig, "copier.intending=error@3")
    meanwhile = await rig.copy(rules=FolderRules(skip=("Box",)))
    assert meanwhile.settle_at is None
    await rig.copy()
    assert rig.same("Box")
    assert not await rig.worker.database.read(intents, rig.job.pair_id)


async def test_a_folder_renamed_before_its_first_run_was_over_is_not_copied_again(rig: Rig) -> None:
    rig.source.create("Box")
    rig.source.append("Box", *(letter(f"m{n}") for n in range(96)))
    await dies_with_a_push_on_its_way(rig, "copier.intending=error@3")
    rig.source.imap.rename('"Box"', '"New"')
    result = await rig.copy()
    assert (result.tally.found, result.tally.copied) == (96, 96)
    assert digests(rig.source, "New") == digests(rig.target, "Box")
    assert "New" not in rig.target.folders()


async def test_twins_survive_a_new_uidvalidity_under_an_open_push(rig: Rig) -> None:
    rig.source.create("Box")
    names = [f"m{n % 6}" for n in range(96)]
    rig.source.append("Box", *(letter(name) for name in names))
    await dies_with_a_push_on_its_way(rig, "copier.intending=error@3")
    rig.source.imap.delete('"Box"')
    rig.source.create("Box")
    rig.source.append("Box", letter("first"), *(letter(name) for name in reversed(names)))
    result = await rig.copy()
    assert digests(rig.source, "Box") == digests(rig.target, "Box")
    assert (result.tally.left, result.tally.mismatched) == (0, 0)


async def test_a_folder_of_many_messages_with_a_new_uidvalidity_under_an_open_push(rig: Rig) -> None:
    rig.source.create("Box")
    rig.source.append("Box", *(letter(f"m{n}", 200) for n in range(12)))
    await dies_with_a_push_on_its_way(rig)
    rig.source.imap.delete('"Box"')
    rig.source.create("Box")
    rig.source.append("Box", *(letter(f"m{n}", 200) for n in range(1010)))
    await rig.copy()
    assert digests(rig.source, "Box") == digests(rig.target, "Box")


async def test_a_new_uidvalidity_at_the_destination_under_an_open_push(rig: Rig) -> None:
    rig.source.create("Box")
    rig.target.create("Box")
    rig.target.append("Box", *(letter(f"old{n}") for n in range(40)))
    rig.target.delete("Box", *sorted(rig.target.messages("Box")))
    rig.source.append("Box", *(letter(f"m{n}") for n in range(96)))
    await dies_with_a_push_on_its_way(rig, "copier.intending=error@3")
    arrived = [row[0] for _, row in sorted(rig.target.messages("Box").items())]
    assert arrived
    rig.target.imap.rename('"Box"', '"Away"')  # as a restore does it: the same mail under other numbers
    rig.target.create("Box")
    rig.target.select("Away")
    rig.target.imap.uid("copy", "1:*", '"Box"')
    rig.target.imap.unselect()
    rig.target.imap.delete('"Away"')
    result = await rig.copy()
    assert digests(rig.source, "Box") == digests(rig.target, "Box")
    assert (result.tally.left, result.tally.mismatched) == (0, 0)


@pytest.mark.parametrize("seconds", [4_000_000_000, 2_000_000_000, -2_000_000_000])
async def test_dates_that_are_still_to_come_or_long_ago(seconds: int, rig: Rig, mail_servers: Servers) -> None:
    rig.source.append("INBOX", *(letter(f"m{n}") for n in range(12)))
    date_files(mail_servers.old, rig.user, seconds)
    await dies_with_a_push_on_its_way(rig)
    result = await rig.copy()
    assert digests(rig.source, "INBOX") == digests(rig.target, "INBOX")
    assert (result.tally.mismatched, result.tally.copied) == (0, 12)
    again = await rig.copy(run_no=2)
    assert (again.tally.mismatched, again.tally.copied) == (0, 12)


def date_files(server: Dovecot, user: str, seconds: int) -> None:
    """Give the messages of an INBOX a date that no APPEND could; Dovecot takes a Maildir file's time for it."""
    found = [path for path in server.directory.rglob("*") if path.is_file() and path.parent.name in ("cur", "new")]
    mine = [path for path in found if user in str(path) or user.split("@")[0] + "/" in str(path)]
    assert mine
    for path in mine:
        os.utime(path, (seconds, seconds))


async def test_a_keyword_that_the_destination_does_not_take_costs_no_mailbox(
    make_dovecot: Callable[..., Dovecot], make_rig: Callable[..., Rig], mail_servers: Servers
) -> None:
    settings = DovecotSettings(master_users={MASTER: MASTER_PASSWORD}, extra="mail_max_keyword_length = 10\n")
    rig = make_rig(make_dovecot("short", settings))
    rig.source.append("INBOX", letter("a"), flags="KeywordOfManyLetters")
    rig.source.append("INBOX", letter("b"))
    first = await rig.copy()
    assert first.tally.copied == 2
    rig.source.store("INBOX", sorted(rig.source.messages()), "+", "\\Seen AnotherLongKeyword")
    rig.source.append("INBOX", letter("c"))
    result = await rig.copy(run_no=2)
    assert (result.tally.copied, result.tally.left) == (3, 0)
    assert [row[2] for _, row in sorted(rig.target.messages().items())] == [{"\\Seen"}, {"\\Seen"}, frozenset()]


async def test_a_folder_that_cannot_be_opened_is_not_counted_as_empty(
    make_dovecot: Callable[..., Dovecot], make_rig: Callable[..., Rig], mail_servers: Servers
) -> None:
    acl = "protocol imap {\n mail_plugins = acl\n}\nplugin {\n acl = vfile\n}\n"
    server = make_dovecot("closed", DovecotSettings(separator=".", extra=acl))
    rig = make_rig()
    server.add_user(rig.user, PASSWORD)
    rig.source.close()
    rig.source = Client(server, rig.user, PASSWORD, ".")
    rig.job = replace(rig.job, source=mail_servers.access(server, rig.user, master=False))
    rig.source.create("Box")
    rig.source.append("Box", letter("a"))
    rig.source.append("INBOX", letter("b"))
    box = next(path for path in server.directory.rglob(".Box"))
    (box / "dovecot-acl").write_text("owner l\n")
    result = await rig.copy()
    assert grade(result.tally.account()) is Grade.REVIEW
    assert (result.tally.copied, result.tally.failed) == (1, 1)
    told = await rig.worker.database.read(outcomes_of_pair, rig.job.pair_id)
    assert [(name, each.outcome, each.code) for name, each in told] == [(b"Box", "failed", "not_permitted")]
    (box / "dovecot-acl").unlink()
    again = await rig.copy(run_no=2)
    assert (again.tally.copied, again.tally.failed, again.tally.found) == (2, 0, 2)
    assert rig.same("Box", "INBOX")
    assert not await rig.worker.database.read(outcomes_of_pair, rig.job.pair_id)


async def test_a_stop_in_the_middle_of_a_message_sends_no_command_into_it(
    make_dovecot: Callable[..., Dovecot], make_rig: Callable[..., Rig], mail_servers: Servers
) -> None:
    """Without UIDPLUS a scan follows the pushes; not while one of them is half way."""
    capability = "IMAP4rev1 SASL-IR AUTH=PLAIN NAMESPACE LITERAL+ MULTIAPPEND"
    masters = {MASTER: MASTER_PASSWORD}
    rig = make_rig(make_dovecot("bare", DovecotSettings(master_users=masters, capability=capability)))
    rig.source.append("INBOX", letter("small"), letter("big", 9_000_000), *(letter(f"m{n}") for n in range(4)))
    stopped: list[str] = []

    def stop() -> str:
        if rig.told.progress and not stopped:
            stopped.append("paused")
            mail_servers.old.stall()
        return "paused" if stopped else ""

    try:
        result = await rig.copy(stop, portions=Portions(messages=1))
        assert result.reason == "paused"
    except MailhaulError:
        assert stopped
    finally:
        mail_servers.old.resume()
    await rig.copy()
    assert digests(rig.source, "INBOX") == digests(rig.target, "INBOX")


async def test_a_folder_that_goes_while_it_is_copied_is_tried_again(rig: Rig) -> None:
    rig.source.create("Box")
    rig.source.append("INBOX", *(letter(f"m{n}") for n in range(30)))
    rig.source.append("Box", letter("a"))

    def gone() -> str:
        if rig.told.planned_folders and "Box" in rig.source.folders():
            rig.source.imap.delete('"Box"')
        return ""

    with pytest.raises(MailhaulError) as caught:
        await rig.copy(gone)
    assert caught.value.retryable
    result = await rig.copy()
    assert (result.tally.left, result.tally.found) == (0, 30)
    assert rig.same()
