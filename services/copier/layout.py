"""Lays a run out: which folder goes where, what the ledger knows of it, which one was renamed at the source."""

from collections import Counter
from collections.abc import Iterable, Mapping

from mailhaul import ids
from mailhaul.folders.decisions import Action, FolderDecision
from mailhaul.folders.plan import plan
from mailhaul.folders.rules import FolderRules
from mailhaul.ids import MailboxId
from services.copier.ledger import SavedFolder
from services.copier.session import Seen
from services.copier.work import Folder, Status, Tally


def renamed(saved: Mapping[bytes, SavedFolder], source: Seen) -> dict[bytes, bytes]:
    """{old source name: new source name} of folders that may have been renamed, to be confirmed by their UIDs.

    The UIDVALIDITY has to be alone on both sides: some servers give one to all their folders.
    """
    gone = {name: each for name, each in saved.items() if source.status(name) is None and each.validity}
    fresh = {
        name: status for name in source.folders if name not in saved and (status := source.status(name)) is not None
    }
    here = Counter(status.validity for name in source.folders if (status := source.status(name)) is not None)
    there = Counter(each.validity for each in gone.values())
    found = {}
    for name, status in fresh.items():
        for old, each in gone.items():
            same = status.validity == each.validity and status.uidnext >= each.source.uidnext
            if same and here[status.validity] == there[status.validity] == 1:
                found[old] = name
    return found


def lay_out(
    mailbox_id: MailboxId, source: Seen, target: Seen, saved: Mapping[bytes, SavedFolder], rules: FolderRules
) -> list[Folder]:
    """Every folder of the source in the order of the plan, with what the last run left of it."""
    known = {name: each.target_name for name, each in saved.items() if each.target_name}
    decisions = plan(source.tree, target.tree, rules, known=known)
    return [_folder(mailbox_id, decision, source, target, saved.get(decision.source)) for decision in decisions]


def _folder(
    mailbox_id: MailboxId, decision: FolderDecision, source: Seen, target: Seen, saved: SavedFolder | None
) -> Folder:
    copied = decision.action is Action.COPY
    there = target.status(decision.destination) if copied else None
    folder = Folder(
        folder_id=ids.folder_id(mailbox_id, decision.source),
        source_name=decision.source,
        target_name=decision.destination,
        source_text=decision.source_name,
        target_text=decision.destination_name,
        role=str(decision.role),
        copied=copied,
        reason=str(decision.reason),
        subscribed=decision.subscribed,
        source=source.status(decision.source) or Status(),
        target=there,
        low=there.uidnext if there else 1,
    )
    octets = source.folders[decision.source].numbers.get("SIZE", 0)
    if saved is not None:
        folder.key, folder.saved, folder.saved_target = saved.key, saved.source, saved.target
        folder.digest = saved.digest
    if not copied:
        count = folder.source.messages
        folder.tally = Tally(found=count, skipped=count, octets_found=octets)
    elif saved is not None and saved.account:
        folder.tally = Tally.from_json(saved.account)
        folder.unchanged = _unchanged(folder)
    folder.expected_octets = octets
    return folder


def _unchanged(folder: Folder) -> bool:
    """Nothing happened at the source, and nothing of the last run is open."""
    tally = folder.tally
    return (
        folder.source.unchanged(folder.saved)
        and tally.account().balanced
        and not (tally.failed or tally.left or tally.skipped or tally.mismatched)
    )


def copied(folders: Iterable[Folder]) -> list[Folder]:
    """The folders that no rule leaves out."""
    return [folder for folder in folders if folder.copied]
