"""Proves that a destination takes an APPEND of a folder and its flags before a LITERAL+ is risked on it.

Dovecot 2.3 answers BAD to an APPEND whose flag or date it dislikes and then runs the message's body as commands. A
probe with a zero-length literal has no body to run, stores nothing there (`NO`, empty message) and costs no round trip.
"""

import asyncio
from collections.abc import Iterable, Sequence

from mailhaul.errors import MailhaulError, ServerRefused
from mailhaul.imap import commands
from mailhaul.imap.answers import Answer
from mailhaul.imap.connection import IMAPConnection
from mailhaul.imap.encoder import SYSTEM_FLAGS, append_flags, append_head, append_message, is_quotable
from mailhaul.imap.refusals import refusal
from services.copier.work import Folder

_DATE = 1_000_000_000
_SYSTEM = frozenset(SYSTEM_FLAGS)


def is_harmless(connection: IMAPConnection) -> bool:
    """Servers known to refuse an empty message without storing it, by their own greeting: Dovecot."""
    return b"dovecot" in connection.greeting.result().text.lower()


async def streams(connection: IMAPConnection) -> bool:
    """Whether LITERAL+ may be used at all on this destination (RFC 7888)."""
    if "LITERAL+" not in connection.capabilities:
        return False
    if is_harmless(connection):
        return True
    return (await commands.identify(connection)).get(b"name", b"").lower() == b"dovecot"


async def prove(connection: IMAPConnection, folders: Sequence[Folder]) -> None:
    """Find out which flags each folder takes, and whether they may travel in front of a LITERAL+."""
    busy = [folder for folder in folders if folder.waiting]
    with_keywords = [folder for folder in busy if _keywords(folder)]
    opened = [(folder, commands.select(connection, folder.target_name)) for folder in with_keywords]
    probes = []
    if busy and await streams(connection):
        probes = [(folder, _probe(connection, folder, _wanted(folder))) for folder in busy if _sendable(folder)]
    for folder, opening in opened:
        try:
            folder.permanent = (await opening).permanent_flags
        except ServerRefused:
            folder.absent = True
    for folder in busy:
        folder.proven = _SYSTEM | _keywords(folder).keys()
    for folder, future in probes:
        answer = await future
        if answer.code in ("TRYCREATE", "NONEXISTENT"):
            folder.absent = True
        elif accepted(connection, answer):
            folder.plus = True
        else:
            await _by_one(connection, folder)
    if opened:
        await _close(connection)


async def _by_one(connection: IMAPConnection, folder: Folder) -> None:
    """The union was refused: try the system flags alone, then each keyword."""
    if not accepted(connection, await _probe(connection, folder, _SYSTEM)):
        return  # even that: synchronising literals for this folder
    keywords = _keywords(folder)
    answers = await asyncio.gather(*(_probe(connection, folder, {each}) for each in keywords.values()))
    taken = {keyword for keyword, answer in zip(keywords, answers, strict=True) if accepted(connection, answer)}
    folder.proven = _SYSTEM | taken
    folder.plus = True


def _keywords(folder: Folder) -> dict[bytes, bytes]:
    """{in lower case: as the source spells it}; some servers keep the first spelling that they see."""
    found: dict[bytes, bytes] = {}
    for flags in {message.flags for message in folder.waiting}:
        found.update((flag.lower(), flag) for flag in append_flags(flags, folder.permanent).split())
    return {lower: flag for lower, flag in found.items() if lower not in _SYSTEM}


def _wanted(folder: Folder) -> set[bytes]:
    return {*_SYSTEM, *_keywords(folder).values()}


def _sendable(folder: Folder) -> bool:
    return is_quotable(folder.target_name)


def _probe(connection: IMAPConnection, folder: Folder, flags: Iterable[bytes]) -> "asyncio.Future[Answer]":
    told: asyncio.Future[Answer] = connection.loop.create_future()

    def done(answer: Answer) -> None:
        if not told.done():
            told.set_result(answer)

    tag, future = connection.begin(on_done=done)

    def lost(ended: "asyncio.Future[Answer]") -> None:
        error = ended.exception()
        if not told.done() and error is not None:
            told.set_exception(error)

    future.add_done_callback(lost)
    shape = append_message(append_flags(b" ".join(flags)), _DATE, 0, plus=True)
    connection.write(tag + b" " + append_head(folder.target_name) + shape + b"\r\n")
    return told


def accepted(connection: IMAPConnection, answer: Answer) -> bool:
    """Whether a probe's answer refused the emptiness alone. Raises what stands in the way of any APPEND."""
    if answer.status == "NO" and not answer.code:
        return True
    if answer.status == "NO" and answer.code in ("CANNOT", "LIMIT"):
        return False
    if answer.status == "BAD":
        return False
    if answer.ok:
        text = f"the {connection.side} server stored an empty message"
        raise MailhaulError("empty_message_stored", text, side=connection.side)
    raise refusal(answer, "APPEND", connection.side, connection.shown(answer.text))


async def _close(connection: IMAPConnection) -> None:
    """Leave the selected folder; CLOSE would expunge what its owner marked (RFC 9051 §6.4.1), UNSELECT does not."""
    try:
        if commands.has(connection, "UNSELECT"):
            await connection.command(b"UNSELECT", barrier=True)
    except ServerRefused:
        return
