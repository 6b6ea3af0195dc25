"""The destination mailbox: it exists when the platform's master user can open it; its folders and its room."""

import asyncio
from dataclasses import dataclass, replace

from mailhaul.dial import DialPolicy
from mailhaul.errors import MailhaulError, Side, SignInRefused
from mailhaul.events import Endpoint
from mailhaul.folders import Tree
from mailhaul.imap import commands
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.responses import Namespaces
from mailhaul.signin.credentials import Credentials
from mailhaul.signin.imap import open_session
from services.validator.inventory import Held, messages_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """How the destination platform is reached."""

    endpoint: Endpoint
    master: Credentials  # `user` is empty: each check fills in its own
    policy: DialPolicy


@dataclass(frozen=True, slots=True)
class Target:
    """A destination mailbox as it stands."""

    tree: Tree
    held: Held


class Destination:
    """Opens destination mailboxes as the master user."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._proven = False

    async def look(self, address: str) -> Target:
        """Sign in to the mailbox and list it; raises `destination_missing` or `destination_refused`, or what else."""
        who = replace(self._platform.master, user=address)
        try:
            connection = await open_session(self._platform.endpoint, who, self._platform.policy, side=Side.DESTINATION)
        except SignInRefused as error:
            raise self._refused(error) from error
        self._proven = True
        try:
            return await survey(connection)
        finally:
            await commands.logout(connection, patience=1.0)

    def _refused(self, error: SignInRefused) -> SignInRefused:
        # Dovecot says AUTHORIZATIONFAILED for a mailbox that is not there. A platform that says the same as for a wrong
        # password is believed to mean the mailbox once the master user has opened another one.
        missing = error.code == "authorization_refused" or (self._proven and error.code == "sign_in_refused")
        code = "destination_missing" if missing else "destination_refused"
        return SignInRefused(
            code, "the master user cannot open the mailbox", side=Side.DESTINATION, server_text=error.server_text
        )


async def survey(connection: IMAPConnection) -> Target:
    """Folders, namespace and quota of the mailbox that is signed in to."""
    folders, spaces, quota = await asyncio.gather(
        commands.list_folders(connection), commands.namespace(connection), _quota(connection)
    )
    return Target(tree_of(folders, spaces), Held(messages=messages_of(f.numbers for f in folders), quota=quota))


async def _quota(connection: IMAPConnection) -> dict[str, tuple[int, int]]:
    """{} where the server has none or does not tell: then the run itself finds out."""
    try:
        return await commands.quota(connection)
    except MailhaulError:
        if connection.lost:
            raise
        return {}


def tree_of(folders: list[commands.Folder], spaces: Namespaces) -> Tree:
    """What LIST and NAMESPACE say, as the plan takes it."""
    personal = spaces.personal[0] if spaces.personal else None
    return Tree(
        folders=folders,
        prefix=personal[0] if personal else None,
        delimiter=personal[1] if personal else None,
        foreign=tuple(prefix for prefix, _ in (*spaces.others, *spaces.shared)),
    )
