"""What a trigger's scope takes in: everything, the first useful part, one folder, or what failed before."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhaul.folders.roles import Role
from mailhaul.ids import FolderId
from mailhaul.states import Scope
from services.copier.batches import Listed
from services.copier.work import Folder

FIRST_SECONDS = 30 * 86_400  # of INBOX; Sent and Drafts are taken whole
_FIRST = frozenset({Role.INBOX, Role.SENT, Role.DRAFTS})


@dataclass(frozen=True, slots=True)
class Selection:
    """`since` is the oldest date of INBOX's mail in scope `first`, in seconds since 1970."""

    scope: Scope = Scope.BULK
    folder_id: FolderId | None = None
    since: int = 0

    def takes(self, folder: Folder) -> bool:
        """Whether a folder is looked at."""
        match self.scope:
            case Scope.FIRST:
                return folder.role in _FIRST
            case Scope.FOLDER:
                return self.folder_id is None or folder.folder_id == self.folder_id
            case Scope.FAILED_MESSAGES:
                return folder.tally.failed > 0
            case Scope.SETTLE:
                return False
            case Scope.BULK:
                return True

    def of(self, folder: Folder, messages: Sequence[Listed]) -> list[Listed]:
        """The messages of a folder that are copied now; the others stay `left`."""
        if self.scope is Scope.FIRST and folder.role == Role.INBOX:
            return [message for message in messages if message.date is None or message.date >= self.since]
        return list(messages)
