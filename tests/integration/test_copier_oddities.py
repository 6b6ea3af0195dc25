"""What servers and owners do that no plan foresees."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from mailhaul.errors import MailhaulError
from mailhaul.events import Endpoint
from mailhaul.stack.dovecot import Dovecot, DovecotSettings
from mailhaul.statement import grade
from mailhaul.states import Grade
from tests.fixtures_copier import MASTER, MASTER_PASSWORD, Rig, letter

pytestmark = pytest.mark.parametrize("schema_url", ["sqlite"], indirect=True)


class Wall:
    """A wire in front of a server that is cut whenever a word passes on it."""

    def __init__(self, port: int, word: bytes) -> None:
        self.behind, self.word, self.cuts, self.port = port, word, 0, 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, forward = await asyncio.open_connection("127.0.0.1", self.behind)

        async def pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            kept = b""
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    if self.word in kept + data:
                        self.cuts += 1
                        return
                    kept = data[-len(self.word) :]
                    target.write(data)
                    await target.drain()

        await asyncio.wait(
            [asyncio.create_task(pipe(reader, forward)), asyncio.create_task(pipe(behind, writer))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for each in (writer, forward):
            each.transport.abort()

    def close(self) -> None:
        self.server.close()


@pytest.fixture
async def walls() -> AsyncIterator[Callable[[int, bytes], Wall]]:
    made: list[Wall] = []

    def make(port: int, word: bytes) -> Wall:
        made.append(Wall(port, word))
        return made[-1]

    yield make
    for wall in made:
        wall.close()
    await asyncio.sleep(0.05)


async def test_a_message_that_costs_every_session_fails_alone(
    make_dovecot: Callable[..., Dovecot], make_rig: Callable[..., Rig], walls: Callable[[int, bytes], Wall]
) -> None:
    server = make_dovecot("fragile", DovecotSettings(plaintext=True, master_users={MASTER: MASTER_PASSWORD}))
    wall = walls(server.imap_port, b"cut the wire")
    await wall.start()
    rig = make_rig(server)
    access = rig.job.target
    endpoint = Endpoint(host="127.0.0.1", port=wall.port, tls="none")
    rig.job = replace(rig.job, target=replace(access, endpoint=endpoint))
    rig.source.append("INBOX", *(letter(f"m{n}") for n in range(12)))
    rig.source.append("INBOX", letter("x").replace(b"\r\n\r\n", b"\r\n\r\ncut the wire\r\n"))
    rig.source.append("INBOX", *(letter(f"n{n}") for n in range(12)), flags="\\Seen work")
    attempts = 0
    while True:
        attempts += 1
        try:
            result = await rig.copy()
        except MailhaulError:
            assert attempts < 7
        else:
            break
    assert (result.tally.copied, result.tally.failed, result.tally.left) == (24, 1, 0)
    lost = rig.source.contents() - rig.target.contents()
    assert lost.total() == 1
    assert len(rig.target.messages()) == 24
    assert grade(result.tally.account()) is Grade.REVIEW
    assert wall.cuts == 4


async def test_a_folder_that_its_owner_removed_is_made_again_only_for_new_mail(rig: Rig) -> None:
    rig.source.create("Box")
    rig.source.append("Box", letter("a"), letter("b"))
    await rig.copy()
    rig.target.imap.delete('"Box"')
    gone = await rig.copy(run_no=2)
    assert "Box" not in rig.target.folders()
    assert (gone.tally.copied, gone.tally.removed_by_owner, gone.tally.mismatched) == (2, 2, 0)
    rig.source.append("Box", letter("c"))
    back = await rig.copy(run_no=3)
    assert len(rig.target.messages("Box")) == 1
    assert (back.tally.copied, back.tally.removed_by_owner, back.tally.mismatched) == (3, 2, 0)


async def test_mail_that_arrives_while_it_is_copied_comes_now_or_with_the_next_run(rig: Rig) -> None:
    rig.source.append("INBOX", *(letter(f"m{n}") for n in range(60)))

    async def arrive() -> None:
        while not rig.told.progress:
            await asyncio.sleep(0.002)
        await asyncio.to_thread(rig.source.append, "INBOX", letter("late one"), letter("late two"))

    arriving = asyncio.create_task(arrive())
    first = await rig.copy()
    await arriving
    assert first.tally.left == 0
    await rig.copy(run_no=2)
    assert rig.same()


async def test_mail_that_is_deleted_while_it_is_copied_is_counted_as_vanished(rig: Rig) -> None:
    rig.source.append("INBOX", *(letter(f"m{n}", 30_000) for n in range(150)))

    async def delete() -> None:
        while not rig.told.planned_folders:
            await asyncio.sleep(0.001)
        await asyncio.to_thread(rig.source.delete, "INBOX", 148, 149, 150)

    deleting = asyncio.create_task(delete())
    result = await rig.copy()
    await deleting
    tally = result.tally
    assert (tally.found, tally.left, tally.failed) == (150, 0, 0)
    assert tally.copied + tally.vanished == 150
    assert len(rig.target.messages()) == tally.copied


async def test_names_beyond_ascii_and_levels_survive(rig: Rig) -> None:
    for name in ("Entw&APw-rfe", "&ZeVnLIqe-", "A.B.C", "with space", "R&AOk-sum&AOk- &- co"):
        rig.source.create(name)
        rig.source.append(name, letter(name))
    await rig.copy()
    for name in ("Entw&APw-rfe", "&ZeVnLIqe-", "A.B.C", "with space", "R&AOk-sum&AOk- &- co"):
        assert rig.target.contents(name.replace(".", "/")) == rig.source.contents(name.replace(".", "/"))
