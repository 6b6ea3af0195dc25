"""One attempt at one mailbox: lease, recovery, plan, adoption, transfer, flags, verification, settling."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection

from mailhaul.db import SECOND, Microseconds, now
from mailhaul.errors import MailhaulError, ProtocolBroken, ServerRefused, Side, Unreachable
from mailhaul.failpoints import failpoint
from mailhaul.folders.rules import FolderRules
from mailhaul.ids import MailboxId
from mailhaul.imap import commands
from mailhaul.imap.answers import Answer
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.dates import clamp_date
from mailhaul.imap.encoder import String
from mailhaul.imap.messages import metadata
from services.copier import entries
from services.copier import ledger as books
from services.copier.adopt import adopt
from services.copier.delta import carry_flags
from services.copier.layout import copied, lay_out, renamed
from services.copier.lease import Worker
from services.copier.ledger import Batch, Ledger, Outcome, SavedFolder
from services.copier.listing import Known, first_uid, list_messages, load_known, retried, sort_out
from services.copier.proof import prove
from services.copier.recover import recover
from services.copier.reidentify import renumber_source, renumber_target
from services.copier.scope import Selection
from services.copier.session import Access, Seen, Session, look, to_status
from services.copier.settle import Settled, settle
from services.copier.transfer import Portions, Transfer
from services.copier.verify import compare, digest, enter_seen, look_at
from services.copier.work import Folder, Status, Tally, sum_up

CHECKPOINTING = failpoint("copier.checkpointing")
CHECKPOINTED = failpoint("copier.checkpointed")
LEASED = "leased"
BLAMELESS = frozenset({"stalled", "uidvalidity_changed"})  # ends of a session that no message can be the reason of


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be moved, and how."""

    mailbox_id: MailboxId
    pair_id: str
    source: Access
    target: Access
    rules: FolderRules
    portions: Portions = field(default_factory=Portions)
    run_no: int = 1
    surplus: str = "repair"
    settle_after: Microseconds = 600_000_000
    connections: int = 4
    settle_only: bool = False
    selection: Selection = field(default_factory=Selection)


@dataclass(slots=True)
class Result:
    """How an attempt ended: `reason` is empty when the run is over, else why it stopped before."""

    reason: str = ""
    epoch: int = 0
    folders: list[Folder] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    settle_at: Microseconds | None = None
    removed: int = 0
    progressed: bool = False


class Report(Protocol):
    """Who is told while it goes on."""

    def planned(self, folders: Sequence[Folder], epoch: int) -> None: ...

    def progressed(self, folder: Folder) -> None: ...


class Attempt:
    """Everything that one session at a mailbox holds. `held_up()` is why it should stop, or an empty string."""

    def __init__(self, job: Job, worker: Worker, report: Report, held_up: Callable[[], str]) -> None:
        self.job, self.worker, self.report, self.held_up = job, worker, report, held_up
        self.session = Session(job.source, job.target, connections=job.connections)
        self.result = Result()
        self.ledger: Ledger
        self.source: IMAPConnection
        self.target: IMAPConnection

    async def run(self) -> Result:
        """Raises MailhaulError; `Fenced` when the lease was lost meanwhile."""
        epoch = await self.worker.acquire(self.job.mailbox_id)
        if epoch is None:
            return Result(reason=LEASED)
        self.result.epoch = epoch
        self.ledger = Ledger(self.worker.database, self.job.mailbox_id, self.job.pair_id, epoch)
        try:
            return await self._run()
        finally:
            # In this order: nothing of ours may be under way any more when another worker may begin.
            self.session.close()
            await asyncio.shield(self.worker.release(self.job.mailbox_id, epoch))

    async def _run(self) -> Result:
        opening = asyncio.create_task(self.session.open())
        try:
            careful = await self.ledger.write(books.open_pair, self.job.mailbox_id, self.job.pair_id)
            saved = await self.ledger.read(books.saved_folders, self.job.pair_id)
            await opening
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        self.source, self.target = self.session.source, self.session.target
        here, there = await asyncio.gather(look(self.source), look(self.target))
        saved = await self._follow_renames(saved, here)
        folders = lay_out(self.job.mailbox_id, here, there, saved, self.job.rules)
        await self.ledger.write(entries.enter_folders, self.ledger, copied(folders))
        await self._open_unknown(folders)
        there = await self._recover(folders, there)
        self.result.folders = folders
        if not self.job.settle_only:
            await self._copy(folders, there, careful=careful)
        if not self.result.reason:
            await self._settle(folders)
        self.result.tally = sum_up(folder.tally for folder in folders)
        self.result.progressed = any(folder.progressed for folder in folders)
        return self.result

    # --- before the copy ------------------------------------------------------------------------------------------

    async def _follow_renames(self, saved: dict[bytes, SavedFolder], here: Seen) -> dict[bytes, SavedFolder]:
        """A folder with the UIDVALIDITY, UIDs, sizes and dates of one that is gone is that one, renamed."""
        moved = renamed(saved, here)
        for old, new in moved.items():
            batches = await self.ledger.read(books.batches_of, saved[old].key)
            if await self._is_same(here, new, batches):
                await self.ledger.write(entries.rename_folder, saved[old].key, new)
        return await self.ledger.read(books.saved_folders, self.job.pair_id) if moved else saved

    async def _is_same(self, here: Seen, name: bytes, batches: Sequence[Batch]) -> bool:
        status = here.status(name)
        rows = {row.source_uid: row for batch in batches for row in batch.rows}
        if status is None or not rows:
            return False
        opened = commands.examine(self.source, name)
        found = await self.read_metadata(sorted(rows))
        await opened
        both = [(rows[uid], size, date) for uid, (size, date) in found.items() if uid in rows]
        # A date is older there than here where the destination could not store it.
        return bool(both) and all(
            row.size == size and (date is None or row.date <= clamp_date(date)) for row, size, date in both
        )

    async def read_metadata(self, uids: Sequence[int]) -> dict[int, tuple[int, int | None]]:
        """{UID: (size, date)} of the source's selected folder."""
        rows = await metadata(self.source, uids)
        return {row.uid: (row.size or 0, row.date) for row in rows if row.uid is not None}

    async def _open_unknown(self, folders: Sequence[Folder]) -> None:
        """A folder whose STATUS was refused is not empty: opened it says its numbers, or it has failed as a whole."""
        for folder in copied(folders):
            if folder.source.validity:
                continue
            try:
                opened = await commands.examine(self.source, folder.source_name)
            except ServerRefused as error:
                folder.unreadable = True
                folder.tally.found += 1  # nobody knows how many messages it holds
                folder.tally.failed += 1
                outcome = Outcome(folder.key, 0, 0, "failed", error.code, 0, self.job.run_no)
                await self.ledger.write(entries.add_outcomes, self.ledger, [outcome])
            else:
                folder.source = Status(opened.uidvalidity, opened.uidnext or 1, opened.highest_modseq, opened.messages)

    async def _recover(self, folders: Sequence[Folder], there: Seen) -> Seen:
        intents = await self.ledger.read(books.intents, self.job.pair_id)
        if not intents:
            return there
        by_key = {folder.key: folder for folder in copied(folders) if not folder.unreadable}
        await recover(self.ledger, self.source, self.target, by_key, there, intents)
        return there

    # --- the copy -------------------------------------------------------------------------------------------------

    async def _copy(self, folders: Sequence[Folder], there: Seen, *, careful: bool) -> None:
        mine = [each for each in copied(folders) if self.job.selection.takes(each) and not each.unreadable]
        creating = self._create([folder for folder in mine if not folder.saved.validity])
        busy = [folder for folder in mine if not folder.unchanged]
        known = await self.ledger.read(load_known, busy)
        await self._renumber(busy, known)
        await self._list(busy, known)
        self.report.planned(folders, self.result.epoch)
        for folder in mine:
            # Made again only for mail that is new: its owner removed what was there.
            folder.absent = folder.target is None and bool(folder.saved.validity)
        creating += self._create([folder for folder in busy if folder.absent and folder.waiting])
        await prove(self.target, busy)
        await self._finish_creating(creating)
        if careful:
            for folder in busy:
                folder.plus = False
        transfer = Transfer(
            self.ledger,
            self.source,
            self.target,
            portions=self.job.portions,
            run_no=self.job.run_no,
            latest=await self.ledger.read(now) // SECOND,
            held_up=self.held_up,
            progressed=self.report.progressed,
            more_targets=self.session.more_targets,
        )
        try:
            self.result.reason = await transfer.run(busy)
        except MailhaulError as error:
            if error.code == "append_bad":
                await self.ledger.write(entries.distrust, self.job.pair_id)
            elif isinstance(error, Unreachable | ProtocolBroken) and error.code not in BLAMELESS:
                await self.ledger.write(entries.strike, transfer.under_way())
            self.result.progressed = any(folder.progressed for folder in mine)
            raise
        if transfer.unplaced and not transfer.flying:  # a command now would get into the middle of a message
            await self._place(busy)
        if not self.result.reason:
            await self._finish(mine, busy, known)

    async def _place(self, folders: Sequence[Folder]) -> None:
        """Messages that were stored without APPENDUID: found by a scan of the tail."""
        intents = await self.ledger.read(books.intents, self.job.pair_id)
        there = await look(self.target)
        by_key = {folder.key: folder for folder in folders}
        await recover(self.ledger, self.source, self.target, by_key, there, intents, confirmed=True)
        known = await self.ledger.read(load_known, folders)
        for folder in folders:
            have = known[folder.key].have(folder.source.validity)
            arrived = sum(kind == books.COPIED for kind, _ in have.values())
            folder.tally.left -= arrived - folder.tally.copied
            folder.tally.copied = arrived

    def _create(self, folders: Sequence[Folder]) -> list[tuple[Folder, "asyncio.Future[Answer]"]]:
        """CREATE and SUBSCRIBE what is missing; not waited for, the APPENDs follow on the same connection."""
        creating = []
        for folder in folders:
            missing = folder.target is None and folder.target_name.upper() != b"INBOX"
            folder.absent = False
            if missing:
                creating.append((folder, commands.ask(self.target, [b"CREATE", String(folder.target_name)])))
            if folder.subscribed and (missing or not folder.saved.validity):
                subscribing = commands.ask(self.target, [b"SUBSCRIBE", String(folder.target_name)])
                subscribing.add_done_callback(lambda future: future.cancelled() or future.exception())
        return creating

    async def _finish_creating(self, creating: Sequence[tuple[Folder, "asyncio.Future[Answer]"]]) -> None:
        for folder, future in creating:
            try:
                await future
            except ServerRefused as error:
                folder.absent = error.code != "folder_exists" and not await commands.list_folders(
                    self.target, folder.target_name, numbers=False
                )
                if folder.absent:
                    await self._refuse(folder)

    async def _refuse(self, folder: Folder) -> None:
        """The destination does not take the folder: its messages have failed, the other folders go on."""
        outcomes = [
            Outcome(
                folder.key, folder.source.validity, each.uid, "failed", "folder_refused", each.size, self.job.run_no
            )
            for each in folder.waiting
        ]
        await self.ledger.write(entries.add_outcomes, self.ledger, outcomes)
        folder.tally.failed += len(outcomes)
        folder.tally.left -= len(outcomes)
        folder.todo, folder.suspects = [], []

    async def _renumber(self, folders: Sequence[Folder], known: dict[int, Known]) -> None:
        """A destination folder that was made anew has other UIDs."""
        for folder in folders:
            batches = known[folder.key].batches
            if folder.target and any(batch.target_validity != folder.target.validity for batch in batches):
                await renumber_target(self.ledger, self.target, folder, batches)
                known.update(await self.ledger.read(load_known, [folder]))

    async def _list(self, folders: Sequence[Folder], known: dict[int, Known]) -> None:
        """What is new at the source, after what is known under other numbers or stands there already was found."""
        limit = self.job.portions.most_octets
        wanted = [
            (folder, first_uid(folder), retried(known[folder.key], limit))
            for folder in folders
            if folder.source.messages or known[folder.key].outcomes
        ]
        at = await self.ledger.read(now)
        listed = await list_messages(self.source, wanted, at // SECOND)
        for folder in folders:
            mine, here = known[folder.key], listed.get(folder.key, {})
            strangers = mine.strangers(folder.source.validity)
            if strangers and here:
                have = mine.have(folder.source.validity)
                rest = {uid: message for uid, message in here.items() if uid not in have}
                await renumber_source(self.ledger, self.source, folder, rest, strangers)
            elif not mine.batches and here and folder.target and folder.target.messages:
                await adopt(self.ledger, self.source, self.target, folder, here)
            else:
                continue
            known.update(await self.ledger.read(load_known, [folder]))
        outcomes: list[Outcome] = []
        for folder in folders:
            outcomes += sort_out(
                folder, listed.get(folder.key, {}), known[folder.key], max_octets=limit, run_no=self.job.run_no
            )
            folder.todo = self.job.selection.of(folder, folder.todo)
        if outcomes:
            await self.ledger.write(entries.add_outcomes, self.ledger, outcomes)

    # --- after the copy -------------------------------------------------------------------------------------------

    async def _finish(self, mine: Sequence[Folder], busy: Sequence[Folder], known: dict[int, Known]) -> None:
        for folder in busy:
            if folder.absent:
                continue
            if (known[folder.key].batches and folder.source.modseq != folder.saved.modseq) or not folder.source.modseq:
                folder.tally.flags_changed = await carry_flags(
                    self.ledger, self.source, self.target, folder, known[folder.key].batches
                )
        await self._verify([folder for folder in mine if folder in busy or folder.target != folder.saved_target])
        await self._checkpoint([folder for folder in mine if not folder.tally.left])

    async def _verify(self, folders: Sequence[Folder]) -> None:
        batches = await self.ledger.read(_load_batches, [folder.key for folder in folders])
        full = [folder for folder in folders if batches[folder.key] and not folder.absent]
        there = await look_at(self.target, full)
        seen: list[int] = []
        for folder in folders:
            mine = [batch for batch in batches[folder.key] if batch.source_validity == folder.source.validity]
            folder.digest = digest(mine)
            if mine:
                findings = compare(mine, *there.get(folder.key, (0, [])))
                folder.tally.removed_by_owner, folder.tally.mismatched = findings.removed_by_owner, findings.mismatched
                seen += findings.seen
        await self.ledger.write(enter_seen, seen)

    async def _checkpoint(self, mine: Sequence[Folder]) -> None:
        statuses = await asyncio.gather(*(self._target_status(folder) for folder in mine))
        CHECKPOINTING()
        await self.ledger.write(_save, list(zip(mine, statuses, strict=True)))
        CHECKPOINTED()
        for folder in mine:
            self.report.progressed(folder)

    async def _target_status(self, folder: Folder) -> Status:
        if folder.absent:
            return Status()
        return to_status(await commands.status(self.target, folder.target_name))

    async def _settle(self, folders: Sequence[Folder]) -> None:
        at = await self.ledger.read(now)
        done: Settled = await settle(
            self.ledger,
            self.target,
            settle_after=self.job.settle_after,
            at=at,
            here={folder.key for folder in copied(folders)},
            policy=self.job.surplus,
            run_no=self.job.run_no,
        )
        self.result.settle_at, self.result.removed = done.due, done.removed
        mine = copied(folders)
        counts = await self.ledger.read(_surplus, [folder.key for folder in mine])
        for folder in mine:
            folder.tally.surplus = counts[folder.key]


def _load_batches(tx: Connection, keys: Sequence[int]) -> dict[int, list[Batch]]:
    return {key: books.batches_of(tx, key) for key in keys}


def _surplus(tx: Connection, keys: Sequence[int]) -> dict[int, int]:
    return {key: books.surplus_reported(tx, key) for key in keys}


def _save(tx: Connection, folders: Sequence[tuple[Folder, Status]]) -> None:
    for folder, target in folders:
        entries.save_folder(tx, folder, folder.source, target)
        entries.acquit(tx, folder)


__all__ = ["LEASED", "Attempt", "Job", "Report", "Result", "Side"]
