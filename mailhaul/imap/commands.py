"""Whole commands about folders and the session, in typed words; every one may be pipelined with others.

Errors are the connection's: `ServerRefused`, `Throttled`, `ProtocolBroken`, `Unreachable`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from mailhaul.errors import MailhaulError, ServerRefused
from mailhaul.imap.answers import Answer
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.encoder import String, line
from mailhaul.imap.reader import Part
from mailhaul.imap.responses import (
    Capability,
    Counted,
    Enabled,
    Flags,
    Identity,
    Listed,
    Namespaces,
    Quota,
    QuotaRoot,
    Response,
    Status,
    parse_response,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as LIST and STATUS describe it; `numbers` is empty where the server gave none or it holds no mail."""

    name: bytes
    delimiter: bytes | None
    attributes: frozenset[bytes]
    subscribed: bool
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def selectable(self) -> bool:
        # RFC 9051 §7.3.1: \NonExistent implies \Noselect; some servers send only the one or the other.
        return not self.attributes & {b"\\noselect", b"\\nonexistent"}


@dataclass(slots=True)
class Opened:
    """What EXAMINE or SELECT said of a folder; `permanent_flags` in lower case, None when the server named none."""

    name: bytes
    uidvalidity: int = 0
    uidnext: int = 0
    messages: int = 0
    highest_modseq: int = 0
    flags: frozenset[bytes] = frozenset()
    permanent_flags: frozenset[bytes] | None = None
    read_only: bool = False


def has(connection: IMAPConnection, *names: str) -> bool:
    return connection.capabilities.issuperset(names)


def literal_plus(connection: IMAPConnection) -> bool:
    """Literals up to 4096 octets may be sent without waiting (RFC 7888)."""
    return bool(connection.capabilities & {"LITERAL+", "LITERAL-"})


def ask(
    connection: IMAPConnection,
    words: Sequence[bytes],
    take: Callable[[Response], bool | None] | None = None,
    *,
    on_done: Callable[[Answer], object] | None = None,
    barrier: bool = False,
) -> "asyncio.Future[Answer]":
    """Sends `words` as one command and gives each untagged response, parsed, to `take`, which claims it with True."""

    def untagged(parts: list[Part]) -> bool | None:
        return take(parse_response(parts)) if take else None

    pieces = line(*words, literal_plus=literal_plus(connection))
    return connection.command(pieces, on_untagged=untagged if take else None, on_done=on_done, barrier=barrier)


async def capability(connection: IMAPConnection) -> frozenset[str]:
    """Asks anew; the connection also learns from greetings and answers."""

    def take(response: Response) -> bool:
        return isinstance(response, Capability)

    await ask(connection, [b"CAPABILITY"], take)
    return connection.capabilities


async def identify(connection: IMAPConnection) -> dict[bytes, bytes]:
    """RFC 2971 ID: the server's name for itself, {} where it has none or refuses."""
    found: dict[bytes, bytes] = {}

    def take(response: Response) -> bool:
        if isinstance(response, Identity):
            found.update(response.fields)
        return isinstance(response, Identity)

    if has(connection, "ID"):
        try:
            await ask(connection, [b"ID", b'("name" "Mailhaul")'], take)
        except ServerRefused:
            return {}
    return found


async def enable(connection: IMAPConnection, *names: str) -> frozenset[str]:
    """RFC 5161 ENABLE; what the server did enable."""
    enabled: set[str] = set()

    def take(response: Response) -> bool:
        if isinstance(response, Enabled):
            enabled.update(response.names)
        return isinstance(response, Enabled)

    if has(connection, "ENABLE"):
        await ask(connection, [b"ENABLE", *(name.encode("ascii") for name in names)], take)
    return frozenset(enabled)


async def namespace(connection: IMAPConnection) -> Namespaces:
    """RFC 2342 NAMESPACE; empty where the server does not offer it."""
    found = Namespaces()

    def take(response: Response) -> bool:
        nonlocal found
        if isinstance(response, Namespaces):
            found = response
        return isinstance(response, Namespaces)

    if has(connection, "NAMESPACE"):
        await ask(connection, [b"NAMESPACE"], take)
    return found


def status_items(connection: IMAPConnection) -> bytes:
    """The STATUS items that this server can answer, in parentheses."""
    items = [b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY"]
    if connection.capabilities & {"CONDSTORE", "QRESYNC"}:
        items.append(b"HIGHESTMODSEQ")
    if connection.capabilities & {"STATUS=SIZE", "IMAP4REV2"}:
        items.append(b"SIZE")
    return b"(" + b" ".join(items) + b")"


async def list_folders(connection: IMAPConnection, pattern: bytes = b"*", *, numbers: bool = True) -> list[Folder]:
    """Every folder of `pattern` with its attributes, subscription and STATUS numbers.

    One round trip with LIST-EXTENDED and LIST-STATUS (RFC 5258, 5819); else LIST, LSUB and a burst of STATUS.
    """
    extended = has(connection, "LIST-EXTENDED")
    wants_status = numbers and has(connection, "LIST-STATUS") and extended
    found: dict[bytes, Listed] = {}
    said: dict[bytes, dict[str, int]] = {}
    subscribed: set[bytes] = set()

    def take(response: Response) -> bool:
        match response:
            case Listed():
                found.setdefault(response.name, response)
            case Status():
                said[response.name] = response.numbers
        return isinstance(response, Listed | Status)

    def take_subscribed(response: Response) -> bool:
        if isinstance(response, Listed):
            subscribed.add(response.name)
        return isinstance(response, Listed)

    if extended:
        options = [b"SUBSCRIBED"] + ([b"SPECIAL-USE"] if has(connection, "SPECIAL-USE") else [])
        options += [b"STATUS " + status_items(connection)] if wants_status else []
        returned = b"RETURN (" + b" ".join(options) + b")"
        await ask(connection, [b"LIST", b'""', String(pattern), returned], take)
    else:
        await ask(connection, [b"LIST", b'""', String(pattern)], take)
        await ask(connection, [b"LSUB", b'""', String(pattern)], take_subscribed)
    folders = [
        Folder(name, row.delimiter, row.attributes, row.subscribed or name in subscribed, said.get(name, {}))
        for name, row in found.items()
    ]
    return await _with_numbers(connection, folders) if numbers else folders


async def _with_numbers(connection: IMAPConnection, folders: list[Folder]) -> list[Folder]:
    """STATUS for each selectable folder that LIST said nothing of; one that refuses keeps no numbers."""
    missing = {folder.name for folder in folders if folder.selectable and not folder.numbers}

    async def numbers(folder: Folder) -> dict[str, int]:
        if folder.name not in missing:
            return folder.numbers
        try:
            return await status(connection, folder.name)
        except ServerRefused:
            return {}

    said = await asyncio.gather(*(numbers(folder) for folder in folders))
    return [
        Folder(folder.name, folder.delimiter, folder.attributes, folder.subscribed, found)
        for folder, found in zip(folders, said, strict=True)
    ]


async def status(connection: IMAPConnection, name: bytes, items: bytes = b"") -> dict[str, int]:
    """STATUS of one folder, of which nothing need be selected; items in capitals."""
    found: dict[str, int] = {}

    def take(response: Response) -> bool:
        mine = isinstance(response, Status) and same_name(response.name, name)
        if isinstance(response, Status) and mine:
            found.update(response.numbers)
        return mine

    await ask(connection, [b"STATUS", String(name), items or status_items(connection)], take)
    return found


def same_name(one: bytes, other: bytes) -> bool:
    return one == other or one.upper() == other.upper() == b"INBOX"


def examine(connection: IMAPConnection, name: bytes) -> "asyncio.Future[Opened]":
    """Opens a folder read-only (joint 28); a barrier for data. Sent at once, so that commands may follow unawaited."""
    return _open(connection, b"EXAMINE", name)


def select(connection: IMAPConnection, name: bytes) -> "asyncio.Future[Opened]":
    """Opens a folder of the destination for writing; a barrier for data."""
    return _open(connection, b"SELECT", name)


def _open(connection: IMAPConnection, verb: bytes, name: bytes) -> "asyncio.Future[Opened]":
    opened = Opened(name)

    def take(response: Response) -> bool:
        match response:
            case Counted("EXISTS", count):
                opened.messages = count
            case Flags(flags):
                opened.flags = frozenset(flag.lower() for flag in flags)
            case Answer():
                return _take_code(opened, response)
            case _:
                return False
        return True

    def done(answer: Answer) -> None:
        opened.read_only = answer.code == "READ-ONLY"

    future: asyncio.Future[Opened] = connection.loop.create_future()
    words = [verb, String(name), *([b"(CONDSTORE)"] if has(connection, "CONDSTORE") else [])]
    answered = ask(connection, words, take, on_done=done, barrier=True)
    answered.add_done_callback(lambda answer: _pass_on(answer, future, opened))
    return future


def _take_code(opened: Opened, answer: Answer) -> bool:
    match answer.code:
        case "UIDVALIDITY" | "UIDNEXT" | "HIGHESTMODSEQ" if answer.argument.isdigit() and len(answer.argument) < 20:
            setattr(opened, answer.code.lower().replace("highestm", "highest_m"), int(answer.argument))
        case "PERMANENTFLAGS":
            opened.permanent_flags = frozenset(answer.argument.strip(b"()").lower().split())
        case _:
            return False
    return True


def _pass_on(answer: "asyncio.Future[Answer]", future: "asyncio.Future[T]", value: T) -> None:
    if future.done():
        return
    if answer.cancelled():
        future.cancel()
    elif error := answer.exception():
        future.set_exception(error)
    else:
        future.set_result(value)


async def create(connection: IMAPConnection, name: bytes) -> bool:
    """CREATE; False when the folder was there already, which is as good (RFC 5530 ALREADYEXISTS)."""
    try:
        await ask(connection, [b"CREATE", String(name)])
    except ServerRefused as error:
        if error.code == "folder_exists":
            return False
        # Servers without the code say it in words of their own: ask whether the folder is there now.
        if not await list_folders(connection, name, numbers=False):
            raise
        return False
    return True


async def subscribe(connection: IMAPConnection, name: bytes) -> None:
    await ask(connection, [b"SUBSCRIBE", String(name)])


async def quota(connection: IMAPConnection, name: bytes = b"INBOX") -> dict[str, tuple[int, int]]:
    """The tightest (usage, limit) by resource over the folder's quota roots (RFC 9208); {} where there is none."""
    found: dict[str, tuple[int, int]] = {}

    def take(response: Response) -> bool:
        if isinstance(response, Quota):
            for resource, (used, limit) in response.resources.items():
                old = found.get(resource)
                if old is None or limit - used < old[1] - old[0]:
                    found[resource] = used, limit
        return isinstance(response, Quota | QuotaRoot)

    if has(connection, "QUOTA"):
        await ask(connection, [b"GETQUOTAROOT", String(name)], take)
    return found


async def logout(connection: IMAPConnection, patience: float = 5.0) -> None:
    """Says LOGOUT, waits a little for the farewell, and drops the socket either way; never raises."""
    try:
        async with asyncio.timeout(patience):
            await connection.command(b"LOGOUT")
    except (MailhaulError, TimeoutError):
        pass
    finally:
        connection.abort()
