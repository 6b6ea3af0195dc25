"""The connections of one attempt at a mailbox: both ends signed in, dropped together, never drained."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from mailhaul.dial import DialPolicy
from mailhaul.errors import Side
from mailhaul.events import Endpoint
from mailhaul.folders.tree import Tree
from mailhaul.imap import commands
from mailhaul.imap.connection import IMAPConnection
from mailhaul.signin.credentials import Credentials
from mailhaul.signin.imap import open_session
from services.copier.work import Status


@dataclass(frozen=True, slots=True)
class Access:
    """How one end is reached and signed in to."""

    endpoint: Endpoint
    credentials: Credentials
    policy: DialPolicy

    async def open(self, side: Side) -> IMAPConnection:
        """A connection that is signed in."""
        return await open_session(self.endpoint, self.credentials, self.policy, side=side)


@dataclass(frozen=True, slots=True)
class Seen:
    """One end's folders with their numbers."""

    tree: Tree
    folders: dict[bytes, commands.Folder]

    def status(self, name: bytes) -> Status | None:
        """A folder's numbers; None where there is no such folder."""
        found = self.folders.get(name)
        if found is None or not found.selectable:
            return None
        return to_status(found.numbers)


def to_status(numbers: dict[str, int]) -> Status:
    """STATUS items as the ledger keeps them."""
    return Status(
        numbers.get("UIDVALIDITY", 0),
        numbers.get("UIDNEXT", 1),
        numbers.get("HIGHESTMODSEQ", 0),
        numbers.get("MESSAGES", 0),
    )


class Session:
    """Everything that is open; `close` aborts all of it, so that nothing more of ours reaches a server."""

    def __init__(self, source: Access, target: Access, *, connections: int) -> None:
        self._source_access, self._target_access = source, target
        self._most = connections
        self._opened: list[IMAPConnection] = []
        self.source: IMAPConnection
        self.target: IMAPConnection

    async def open(self) -> None:
        """Both ends at once; the first failure is raised, the source's when both fail."""
        results = await asyncio.gather(
            self._open(self._source_access, Side.SOURCE),
            self._open(self._target_access, Side.DESTINATION),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                self.close()
                raise result
            if result.side is Side.SOURCE:
                self.source = result
            else:
                self.target = result

    async def _open(self, access: Access, side: Side) -> IMAPConnection:
        # Entered as soon as it stands, so that whoever is cancelled meanwhile leaves nothing open.
        connection = await access.open(side)
        self._opened.append(connection)
        return connection

    async def more_targets(self) -> Sequence[IMAPConnection]:
        """As many connections to the destination as one mailbox may have, the first among them."""
        wanted = max(0, self._most - 1)
        opened = await asyncio.gather(
            *(self._open(self._target_access, Side.DESTINATION) for _ in range(wanted)), return_exceptions=True
        )
        extra = [each for each in opened if isinstance(each, IMAPConnection)]
        for each in opened:
            if isinstance(each, asyncio.CancelledError):
                raise each
        return [self.target, *extra]  # a limit on connections is no reason to stop: fewer are only slower

    def close(self) -> None:
        for connection in self._opened:
            connection.on_lost = None
            connection.abort()


async def look(connection: IMAPConnection) -> Seen:
    """Folders, attributes and numbers, in one burst where the server can."""
    folders, spaces = await asyncio.gather(commands.list_folders(connection), commands.namespace(connection))
    personal = spaces.personal[0] if spaces.personal else None
    tree = Tree(
        folders=folders,
        prefix=personal[0] if personal else None,
        delimiter=personal[1] if personal else None,
        foreign=tuple(prefix for prefix, _ in (*spaces.others, *spaces.shared)),
    )
    return Seen(tree, {folder.name: folder for folder in folders})
