"""The source mailbox: folders, and how much lies in each, read without opening a message."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from mailhaul.errors import ServerRefused
from mailhaul.events import Rules
from mailhaul.folders import Action, FolderDecision, Tree, folder_rules, plan, too_large
from mailhaul.imap import commands
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.fetches import parse_fetch
from mailhaul.imap.reader import Part
from mailhaul.imap.responses import Found, parse_response
from services.validator.destination import tree_of
from services.validator.inventory import Inventory, Line

AT_ONCE = 32  # folders opened in one burst: a mailbox of thousands does not fill the server's input


@dataclass(slots=True)
class _Count:
    messages: int = 0
    octets: int = 0
    oversize: int = 0


async def survey(connection: IMAPConnection, rules: Rules, destination: Tree) -> Inventory:
    """The inventory of the mailbox that is signed in to, with what becomes of every folder.

    Raises ServerRefused when INBOX cannot be opened (Exchange lets users in and refuses this), and what `plan` raises.
    """
    folders, spaces = await asyncio.gather(commands.list_folders(connection), commands.namespace(connection))
    await commands.examine(connection, b"INBOX")
    wanted = folder_rules(
        rules.skip_folders,
        rules.translations,
        include_trash=rules.include_trash,
        include_junk=rules.include_junk,
    )
    decisions = plan(tree_of(folders, spaces), destination, wanted)
    numbers = {folder.name: folder.numbers for folder in folders if folder.selectable}
    counts = {name: _Count(said.get("MESSAGES", 0), said.get("SIZE", 0)) for name, said in numbers.items()}
    await _measure(connection, [name for name, said in numbers.items() if _unsized(said)], counts, rules.max_octets)
    large = [d.source for d in decisions if _may_hold_large(d, numbers.get(d.source, {}), rules.max_octets)]
    await _search_large(connection, large, counts, rules.max_octets)
    return Inventory(lines=tuple(_line(decision, counts.get(decision.source, _Count())) for decision in decisions))


def _unsized(numbers: dict[str, int]) -> bool:
    """No STATUS=SIZE (RFC 8438) there, and something to measure."""
    return "SIZE" not in numbers and numbers.get("MESSAGES", 1) > 0


def _may_hold_large(decision: FolderDecision, numbers: dict[str, int], max_octets: int) -> bool:
    return decision.action is Action.COPY and too_large(numbers.get("SIZE", 0), max_octets)


def _line(decision: FolderDecision, count: _Count) -> Line:
    oversize = count.oversize if decision.action is Action.COPY else 0
    return Line(decision=decision, messages=count.messages, octets=count.octets, oversize=oversize)


async def _measure(
    connection: IMAPConnection, names: Sequence[bytes], counts: dict[bytes, _Count], max_octets: int
) -> None:
    """Sizes message by message, summed as they come."""

    def measure(name: bytes) -> list[Awaitable[object]]:
        count = counts[name] = _Count()

        def take(parts: list[Part]) -> bool:
            fetched = parse_fetch(parts)
            if fetched is None or fetched.uid is None or fetched.size is None:
                return False
            count.messages += 1
            count.octets += fetched.size
            count.oversize += too_large(fetched.size, max_octets)
            return True

        opened = commands.examine(connection, name)
        return [opened, connection.command(b"UID FETCH 1:* (UID RFC822.SIZE)", on_untagged=take)]

    for start in range(0, len(names), AT_ONCE):
        await _answered([future for name in names[start : start + AT_ONCE] for future in measure(name)])


async def _search_large(
    connection: IMAPConnection, names: Sequence[bytes], counts: dict[bytes, _Count], max_octets: int
) -> None:
    """How many messages are over the limit, where the folder's sum leaves room for one."""

    def search(name: bytes) -> list[Awaitable[object]]:
        def take(parts: list[Part]) -> bool:
            found = parse_response(parts)
            if not isinstance(found, Found):
                return False
            counts[name].oversize = found.count or 0
            return True

        opened = commands.examine(connection, name)
        line = b"UID SEARCH LARGER %d" % max_octets
        return [opened, connection.command(line, on_untagged=take)]

    for start in range(0, len(names), AT_ONCE):
        await _answered([future for name in names[start : start + AT_ONCE] for future in search(name)])


async def _answered(futures: list[Awaitable[object]]) -> None:
    """A folder that the server lists and does not open stays at what STATUS said; the run reports it."""
    for result in await asyncio.gather(*futures, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, ServerRefused):
            raise result
