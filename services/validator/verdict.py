"""What a check came to, and the events that say it."""

from dataclasses import dataclass, field
from datetime import datetime

from mailhaul.errors import MailhaulError, Side
from mailhaul.events import Event, FolderPlanned, Row, RowChecked
from mailhaul.ids import derive, folder_id
from mailhaul.states import CheckState
from services.validator.inventory import Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`side`, `code` and `detail` (the server's words, without names and secrets) are empty when it passed."""

    state: CheckState
    side: str = ""
    code: str = ""
    detail: str = ""
    pinned_address: str = ""
    inventory: Inventory = field(default_factory=Inventory)


def failed(error: MailhaulError) -> Verdict:
    """The row fails, for this reason."""
    return Verdict(state=CheckState.FAILED, side=error.side.value, code=error.code, detail=error.server_text)


WAITING_FOR_OWNER = Verdict(
    state=CheckState.WAITING_FOR_OWNER, side=Side.REQUEST.value, code=CheckState.WAITING_FOR_OWNER.value
)
NOT_TESTED = Verdict(state=CheckState.NOT_TESTED, side=Side.SOURCE.value, code="not_tested_refusals")


def facts(row: Row, verdict: Verdict, at: datetime) -> list[Event]:
    """The plan's lines, then the verdict; ids come from the row's version, so a repeat has the same."""
    return [*planned(row, verdict, at), checked(row, verdict, at)]


def checked(row: Row, verdict: Verdict, at: datetime) -> RowChecked:
    sums = verdict.inventory
    return RowChecked(
        event_id=derive("row-checked", row.row_id, row.row_version),
        at=at,
        migration_id=row.migration_id,
        customer_id=row.customer_id,
        row_id=row.row_id,
        row_version=row.row_version,
        line=row.line,
        mailbox_id=row.mailbox_id,
        state=verdict.state,
        side=verdict.side,
        code=verdict.code,
        detail=verdict.detail,
        source_server=row.source.host.lower(),
        pinned_address=verdict.pinned_address,
        folders=sums.folders,
        messages=sums.messages,
        octets=sums.octets,
        left_out_messages=sums.left_out_messages,
        left_out_octets=sums.left_out_octets,
        oversize_messages=sums.oversize_messages,
    )


def planned(row: Row, verdict: Verdict, at: datetime) -> list[Event]:
    return [
        FolderPlanned(
            event_id=derive("folder-planned", row.row_id, row.row_version, line.decision.source.hex()),
            at=at,
            migration_id=row.migration_id,
            mailbox_id=row.mailbox_id,
            run_no=0,
            folder_id=folder_id(row.mailbox_id, line.decision.source),
            source_name=line.decision.source_name,
            destination_name=line.decision.destination_name,
            role=line.decision.role.value,
            action=line.decision.action.value,
            reason=line.decision.reason.value,
            messages=line.messages,
            octets=line.octets,
        )
        for line in verdict.inventory.lines
    ]
