"""Interruptions in one process: every named place, lost sessions, stops, leases; nothing lost and nothing doubled."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailhaul import failpoints
from mailhaul.db import SECOND, Database
from mailhaul.errors import Fenced, MailhaulError
from mailhaul.stack.dovecot import Dovecot
from mailhaul.statement import grade
from mailhaul.states import Grade
from services.copier.lease import LockFile, Worker, proven_dead
from services.copier.ledger import intents
from services.copier.mailbox import LEASED
from tests.fixtures_copier import Client, Rig, Servers, letter

LATER = 10**6 * SECOND
PLACES = sorted(
    {name for name in failpoints.registered() if name.startswith("copier.")}
    - {"copier.trigger_taking_up", "copier.answering", "copier.answered"}
)

ON_SQLITE = pytest.mark.parametrize("schema_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    yield
    failpoints.configure("")


def fill(rig: Rig, messages: int = 35) -> None:
    rig.source.create("Sent")
    for n in range(messages):
        rig.source.append(
            "INBOX", letter(f"m{n // 2}"), flags="\\Seen $Forwarded" if n % 3 else "", date=10**9 + n // 4
        )
    rig.source.append("Sent", *(letter(f"s{n}") for n in range(12)), flags="\\Seen")


async def interrupted(rig: Rig) -> bool:
    """One attempt that may die; whether it did."""
    try:
        await rig.copy()
    except (failpoints.FailpointError, MailhaulError):
        return True
    return False


@ON_SQLITE
@pytest.mark.parametrize("place", PLACES)
async def test_an_end_at_any_place_loses_and_doubles_nothing(place: str, rig: Rig) -> None:
    fill(rig, 24)
    rig.target.append("INBOX", letter("m3"), date=10**9 + 1)
    for passage in (1, 3):
        failpoints.configure(f"{place}=error@{passage}")
        await interrupted(rig)
    failpoints.configure("")
    result = await rig.copy()
    assert sorted(row[0] for row in rig.source.messages().values()) == sorted(
        row[0] for row in rig.target.messages().values()
    )
    assert rig.same("Sent")
    assert (result.tally.left, result.tally.mismatched) == (0, 0)


@ON_SQLITE
async def test_a_lost_session_is_recovered(rig: Rig, mail_servers: Servers) -> None:
    fill(rig)

    async def drop() -> None:
        while len(rig.told.progress) < 2:
            await asyncio.sleep(0.005)
        mail_servers.new.drop_sessions()

    dropping = asyncio.create_task(drop())
    await interrupted(rig)
    dropping.cancel()
    rig.target.imap.shutdown()
    rig.target = Client(mail_servers.new, rig.user.replace(".org", ".com"), "canary-source-9Tq", "/")
    result = await rig.copy()
    assert rig.same("INBOX", "Sent")
    assert result.tally.copied == 47


@ON_SQLITE
async def test_a_stop_ends_after_the_batches_in_flight_and_the_next_run_goes_on(rig: Rig) -> None:
    fill(rig, 120)
    result = await rig.copy(lambda: "paused" if rig.told.progress else "")
    assert result.reason == "paused"
    assert 0 < len(rig.target.messages()) < 132
    rest = await rig.copy()
    assert not rest.reason
    assert rig.same("INBOX", "Sent")
    assert not await rig.worker.database.read(intents, rig.job.pair_id)


@pytest.mark.joint(11)
async def test_joint_11_a_live_lease_is_not_stolen_and_a_dead_one_is_taken_at_once(
    rig: Rig, database: Database, tmp_path: Path
) -> None:
    rig.source.append("INBOX", letter("a"))
    path = tmp_path / "locks" / "two.lock"
    other = Worker(database, "worker-two", path, 15.0)
    await other.start()
    first = await other.acquire(rig.job.mailbox_id)
    assert first == 1
    assert (await rig.copy()).reason == LEASED
    assert not proven_dead(str(path))
    assert other._lock is not None
    other._lock.close()  # as the kernel does when the process dies ...
    path.touch()  # ... which leaves the file behind
    assert proven_dead(str(path))
    result = await rig.copy()
    assert (result.reason, result.epoch) == ("", 2)


@pytest.mark.joint(11)
async def test_joint_11_without_proof_a_lease_is_waited_out(rig: Rig, database: Database, tmp_path: Path) -> None:
    silent = Worker(database, "worker-silent", None, 0.4)
    await silent.start()
    await silent.acquire(rig.job.mailbox_id)
    assert await rig.worker.acquire(rig.job.mailbox_id) is None
    await asyncio.sleep(0.5)
    assert await rig.worker.acquire(rig.job.mailbox_id) == 2


@pytest.mark.joint(38)
async def test_joint_38_one_renewal_keeps_every_lease_of_a_worker(rig: Rig, database: Database) -> None:
    busy = Worker(database, "worker-busy", None, 0.6)
    await busy.start()
    names = [rig.job.mailbox_id, type(rig.job.mailbox_id)("another")]
    for name in names:
        assert await busy.acquire(name) == 1
    for _ in range(4):
        await asyncio.sleep(0.2)
        await busy.renew()
    assert [await rig.worker.acquire(name) for name in names] == [None, None]


@ON_SQLITE
async def test_a_copier_that_lost_its_lease_writes_nothing_more(rig: Rig, database: Database) -> None:
    fill(rig, 80)
    thief = Worker(database, rig.worker.owner, None, 15.0)  # the same owner may take its own lease again

    async def steal() -> None:
        while not rig.told.progress:
            await asyncio.sleep(0.002)
        await thief.acquire(rig.job.mailbox_id)

    stealing = asyncio.create_task(steal())
    with pytest.raises(Fenced):
        await rig.copy()
    await stealing
    result = await rig.copy()
    assert rig.same("INBOX", "Sent")
    assert result.tally.copied == 92


async def broken_push(rig: Rig) -> None:
    """A run whose push arrives and whose commit does not; its recovery makes the push ambiguous."""
    failpoints.configure("copier.intending=error@2")
    assert await interrupted(rig)
    failpoints.configure("")
    await asyncio.sleep(0.2)
    result = await rig.copy(settle_after=LATER)
    assert result.settle_at is not None
    assert rig.same()


async def late_push(rig: Rig) -> list[bytes]:
    letters = [letter(f"m{n}") for n in range(8)]
    rig.source.append("INBOX", *letters, flags="\\Seen $Forwarded")
    await broken_push(rig)
    return letters


@pytest.mark.joint(23)
async def test_joint_23_settling_waits_and_says_until_when(rig: Rig) -> None:
    await late_push(rig)
    early = await rig.copy(settle_only=True, settle_after=LATER)
    assert early.settle_at is not None
    done = await rig.copy(settle_only=True)
    assert done.settle_at is None
    assert done.tally.copied == 8


@pytest.mark.joint(27)
async def test_joint_27_a_push_that_comes_late_is_removed(rig: Rig) -> None:
    letters = await late_push(rig)
    rig.target.append("INBOX", *letters, flags="\\Seen $Forwarded")
    result = await rig.copy(settle_only=True)
    assert (result.removed, result.tally.surplus) == (8, 0)
    assert rig.same()


@ON_SQLITE
@pytest.mark.joint(27)
async def test_joint_27_report_removes_nothing(rig: Rig) -> None:
    letters = await late_push(rig)
    rig.target.append("INBOX", *letters, flags="\\Seen $Forwarded")
    result = await rig.copy(settle_only=True, surplus="report")
    assert (result.removed, result.tally.surplus) == (0, 8)
    assert grade(result.tally.account()) is Grade.REVIEW
    assert len(rig.target.messages()) == 16


@ON_SQLITE
@pytest.mark.joint(27)
@pytest.mark.parametrize("act", ["copies one", "copies all in another order", "flags the copies"])
async def test_joint_27_what_an_owner_copied_stays(act: str, rig: Rig) -> None:
    letters = await late_push(rig)
    flags = "\\Seen $Forwarded"
    if act == "copies one":
        letters = letters[:1]
    elif act == "copies all in another order":
        letters.reverse()
    else:
        flags += " \\Flagged"
    rig.target.append("INBOX", *letters, flags=flags)
    result = await rig.copy(settle_only=True)
    assert (result.removed, result.tally.surplus) == (0, len(letters))


@ON_SQLITE
@pytest.mark.joint(27)
async def test_joint_27_nothing_is_removed_when_its_owner_deleted_the_other_copy(rig: Rig) -> None:
    letters = await late_push(rig)
    first = min(rig.target.messages())
    rig.target.append("INBOX", *letters, flags="\\Seen $Forwarded")
    rig.target.delete("INBOX", first)
    result = await rig.copy(settle_only=True)
    assert (result.removed, result.tally.surplus) == (7, 1)
    assert len(rig.target.messages()) == 8


@ON_SQLITE
async def test_what_is_there_already_is_adopted(rig: Rig) -> None:
    letters = [letter(f"m{n}") for n in range(6)]
    rig.source.append("INBOX", *letters, letters[0], letters[0], date=10**9)
    rig.source.append("INBOX", letter("only here"))
    rig.target.append("INBOX", letter("only there"))
    rig.target.append("INBOX", letters[0], *letters[2:], date=10**9, flags="\\Flagged")
    rig.target.append("INBOX", letters[1], date=10**9 + 1)
    result = await rig.copy()
    assert (result.tally.already_there, result.tally.copied) == (5, 4)
    assert len(rig.target.messages()) == 11
    again = await rig.copy(run_no=2)
    assert (again.tally.already_there, again.tally.copied, again.tally.mismatched) == (5, 4, 0)
    assert len(rig.target.messages()) == 11


@ON_SQLITE
async def test_equal_headers_and_sizes_are_told_apart_by_their_bytes(rig: Rig) -> None:
    head = b"Subject: same\r\n\r\n"
    rig.source.append("INBOX", head + b"one\r\n", head + b"two\r\n", head + b"six\r\n")
    rig.target.append("INBOX", head + b"six\r\n", head + b"ten\r\n")
    result = await rig.copy()
    assert (result.tally.already_there, result.tally.copied) == (1, 2)
    assert len(rig.target.messages()) == 4


@pytest.mark.joint(1)
async def test_joint_01_two_sources_into_one_destination_know_of_each_other(
    make_rig: Callable[..., Rig], mail_servers: Servers
) -> None:
    one, two = make_rig(), make_rig()
    twin = letter("sent to both")
    one.source.append("INBOX", twin, letter("one"))
    two.source.append("INBOX", twin, letter("two"))
    await one.copy()
    two.job = one.job.__class__(
        **{name: getattr(two.job, name) for name in ("pair_id", "source", "rules", "portions", "settle_after")},
        mailbox_id=one.job.mailbox_id,
        target=one.job.target,
    )
    result = await two.copy()
    assert result.tally.copied == 2
    assert len(one.target.messages()) == 4


@ON_SQLITE
async def test_a_stalled_destination_is_given_up_and_recovered(rig: Rig, mail_servers: Servers) -> None:
    fill(rig, 60)

    async def stall() -> None:
        while not rig.told.progress:
            await asyncio.sleep(0.002)
        signal_all(mail_servers.new)

    stalling = asyncio.create_task(stall())
    try:
        assert await interrupted(rig)
    finally:
        await stalling
        mail_servers.new.resume()
    result = await rig.copy()
    assert result.tally.copied == 72
    settled = await rig.copy(settle_only=True)
    assert settled.settle_at is None
    assert rig.same("INBOX", "Sent")


def signal_all(server: Dovecot) -> None:
    server.stall()


def test_a_lock_file_is_held_while_its_owner_lives(tmp_path: Path) -> None:
    held = LockFile(tmp_path / "a.lock")
    assert not proven_dead(str(tmp_path / "a.lock"))
    assert not proven_dead(str(tmp_path / "other.lock"))
    held.close()
    assert not proven_dead(str(tmp_path / "a.lock"))
