"""The copier's events, built from a trigger and from what became of it; every id is derived (joint 3)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from mailhaul.clock import Clock
from mailhaul.db import from_microseconds
from mailhaul.events import FolderPlanned, FolderProgressed, MailboxRunChanged, MessageOutcome, RunTriggered
from mailhaul.ids import FolderId, derive
from mailhaul.statement import grade
from mailhaul.states import Change, Grade
from services.copier.ledger import Outcome
from services.copier.mailbox import Result
from services.copier.work import Folder, Tally, sum_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a trigger ended without a grade."""

    side: str
    code: str
    detail: str = ""
    retryable: bool = False


@dataclass(slots=True)
class Teller:
    """Says what happens in answer to one trigger, under one epoch."""

    trigger: RunTriggered
    clock: Clock
    epoch: int = 0
    seq: int = 0
    folders: list[Folder] = field(default_factory=list)

    @property
    def server(self) -> str:
        return self.trigger.source.host.lower()

    def started(self) -> MailboxRunChanged:
        return self.changed(Change.STARTED)

    def planned(self, folders: Iterable[Folder]) -> Iterator[FolderPlanned]:
        """The plan as it is carried out; names stand in no other event."""
        trigger = self.trigger
        for folder in folders:
            yield FolderPlanned(
                event_id=derive(
                    "folder-planned",
                    trigger.mailbox_id,
                    trigger.run_id,
                    self.epoch,
                    folder.folder_id,
                ),
                at=self.clock.now(),
                migration_id=trigger.migration_id,
                mailbox_id=trigger.mailbox_id,
                run_no=trigger.run_no,
                folder_id=folder.folder_id,
                source_name=folder.source_text,
                destination_name=folder.target_text,
                role=folder.role,
                action="copy" if folder.copied else "skip",
                reason=folder.reason,
                messages=folder.source.messages,
                octets=folder.expected_octets,
            )

    def progressed(self, folder: Folder, *, final: bool = False) -> FolderProgressed:
        """A folder's absolute counts now."""
        self.seq += 1
        trigger, tally = self.trigger, folder.tally
        return FolderProgressed(
            event_id=derive("folder-progressed", trigger.mailbox_id, trigger.run_id, self.epoch, self.seq),
            at=self.clock.now(),
            migration_id=trigger.migration_id,
            customer_id=trigger.customer_id,
            mailbox_id=trigger.mailbox_id,
            run_no=trigger.run_no,
            trigger_no=trigger.trigger_no,
            epoch=self.epoch,
            seq=self.seq,
            folder_id=folder.folder_id,
            role=folder.role,
            source_server=self.server,
            found=tally.found,
            copied=tally.copied,
            already_there=tally.already_there,
            skipped=tally.skipped,
            vanished=tally.vanished,
            failed=tally.failed,
            left=tally.left,
            octets_found=tally.octets_found,
            octets_copied=tally.octets_copied,
            removed_by_owner=tally.removed_by_owner,
            flags_changed=tally.flags_changed,
            final=final,
            digest=folder.digest if final else "",
        )

    def outcome(self, folder_id: FolderId, each: Outcome) -> MessageOutcome:
        """What became of a message that was not simply copied; `source_uid` 0 for a surplus copy."""
        trigger = self.trigger
        return MessageOutcome(
            event_id=derive(
                "message-outcome",
                trigger.mailbox_id,
                trigger.run_id,
                folder_id,
                each.source_validity,
                each.source_uid,
                each.outcome,
                each.code,
            ),
            at=self.clock.now(),
            migration_id=trigger.migration_id,
            customer_id=trigger.customer_id,
            mailbox_id=trigger.mailbox_id,
            run_no=trigger.run_no,
            folder_id=folder_id,
            source_server=self.server,
            source_uidvalidity=each.source_validity,
            source_uid=each.source_uid if each.outcome != "surplus" else 0,
            outcome=each.outcome,
            code=each.code,
            octets=each.octets,
        )

    def finished(self, result: Result, *, settling: bool) -> MailboxRunChanged:
        """The run is over, or settled."""
        settle_at = None if result.settle_at is None else from_microseconds(result.settle_at)
        return self.changed(
            Change.SETTLED if settling else Change.FINISHED,
            tally=result.tally,
            folders=len([folder for folder in result.folders if folder.copied]),
            grade=grade(result.tally.account()),
            progressed=result.progressed,
            settled=settle_at is None,
            settle_at=settle_at,
        )

    def changed(
        self,
        change: Change,
        *,
        reason: str = "",
        until: datetime | None = None,
        trouble: Trouble | None = None,
        tally: Tally | None = None,
        folders: int = 0,
        grade: Grade | None = None,
        progressed: bool = False,
        settled: bool = False,
        settle_at: datetime | None = None,
    ) -> MailboxRunChanged:
        """Any answer to the trigger; sums of what is known are said in each."""
        trigger = self.trigger
        sums = tally or sum_up(folder.tally for folder in self.folders)
        return MailboxRunChanged(
            event_id=derive(
                "mailbox-run", trigger.mailbox_id, trigger.run_id, trigger.trigger_no, change.value, self.epoch
            ),
            at=self.clock.now(),
            migration_id=trigger.migration_id,
            customer_id=trigger.customer_id,
            run_id=trigger.run_id,
            run_no=trigger.run_no,
            trigger_no=trigger.trigger_no,
            mailbox_id=trigger.mailbox_id,
            source_server=self.server,
            scope=trigger.scope,
            change=change,
            epoch=self.epoch,
            reason=reason,
            until=until,
            progressed=progressed,
            retryable=bool(trouble and trouble.retryable),
            side=trouble.side if trouble else "",
            code=trouble.code if trouble else "",
            detail=trouble.detail if trouble else "",
            grade=grade,
            settled=settled,
            settle_at=settle_at,
            folders=folders or len([folder for folder in self.folders if folder.copied]),
            found=sums.found,
            copied=sums.copied,
            already_there=sums.already_there,
            skipped=sums.skipped,
            vanished=sums.vanished,
            failed=sums.failed,
            left=sums.left,
            octets_found=sums.octets_found,
            octets_copied=sums.octets_copied,
            removed_by_owner=sums.removed_by_owner,
        )
