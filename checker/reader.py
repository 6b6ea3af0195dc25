"""Reads a mailbox over IMAP with `imaplib`: EXAMINE and BODY.PEEK[], so that nothing is written to any server."""

import calendar
import hashlib
import imaplib
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from checker import names
from checker.model import Folder, Mailbox, Message, Path, normal_flags

BATCH_MESSAGES = 400
BATCH_OCTETS = 8 << 20
TIMEOUT_SECONDS = 120
ROLES = {"\\all", "\\archive", "\\drafts", "\\flagged", "\\junk", "\\sent", "\\trash", "\\important"}  # RFC 6154 §2
MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
UID = re.compile(rb"\bUID (\d+)")
SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
EMPTY_BODY = re.compile(rb'\bBODY\[\] (?:NIL|"")')
DATE = re.compile(rb'\bINTERNALDATE "([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"')
NAMESPACE = re.compile(rb'^\(\("((?:[^"\\]|\\.)*)"')


class ReadError(Exception):
    """The server did not let itself be read; the judgement is impossible, which is not the same as a bad one."""


@dataclass(frozen=True, slots=True)
class Server:
    """One side: its address, its certificate authority, and how to sign in there as any user."""

    host: str
    port: int
    tls: bool
    context: ssl.SSLContext | None
    master: str = ""
    master_password: str = ""
    passwords: dict[str, str] | None = None

    @staticmethod
    def address(url: str) -> tuple[str, int, bool]:
        """Return host, port and TLS of an `imaps://host[:port]` or `imap://host[:port]` address."""
        parts = urlsplit(url)
        if parts.scheme not in ("imap", "imaps") or not parts.hostname or parts.username or parts.password:
            raise ValueError(f"not an address of the form imaps://HOST[:PORT]: {url}")
        tls = parts.scheme == "imaps"
        return parts.hostname, parts.port or (993 if tls else 143), tls

    def sign_in(self, user: str) -> imaplib.IMAP4:
        """Open an authenticated connection as `user`, by a master user or the own password (RFC 4616)."""
        connection: imaplib.IMAP4
        try:
            if self.tls:
                connection = imaplib.IMAP4_SSL(self.host, self.port, ssl_context=self.context, timeout=TIMEOUT_SECONDS)
            else:
                connection = imaplib.IMAP4(self.host, self.port, timeout=TIMEOUT_SECONDS)
            if self.master:
                answer = f"{user}\0{self.master}\0{self.master_password}".encode()
            else:
                answer = f"\0{user}\0{(self.passwords or {}).get(user, '')}".encode()
            connection.authenticate("PLAIN", lambda _: answer)
        except (imaplib.IMAP4.error, OSError) as error:
            raise ReadError(f"{user} on {self.host}:{self.port}: {error}") from error
        return connection


def read_mailbox(server: Server, user: str) -> Mailbox:
    """Read every selectable folder of one account."""
    connection = server.sign_in(user)
    try:
        prefix = _personal_prefix(connection)
        mailbox: Mailbox = {}
        subscribed = {name for _, _, name in _listing(connection, "LSUB")}
        for attributes, separator, name in _listing(connection, "LIST"):
            if attributes & {"\\noselect", "\\nonexistent"}:
                continue
            folder = Folder(subscribed=name in subscribed, role=" ".join(sorted(attributes & ROLES)))
            folder.messages.extend(_messages(connection, name))
            mailbox[_path(name, separator, prefix)] = folder
        connection.logout()
    except (imaplib.IMAP4.error, OSError) as error:
        raise ReadError(f"{user} on {server.host}:{server.port}: {error}") from error
    return mailbox


def _personal_prefix(connection: imaplib.IMAP4) -> bytes:
    """Return the prefix of the personal namespace (RFC 2342), empty where there is none."""
    if "NAMESPACE" not in connection.capabilities:
        return b""
    _, answer = connection.namespace()
    match = NAMESPACE.match(answer[0] or b"") if answer else None
    return match[1] if match else b""


def _listing(connection: imaplib.IMAP4, command: str) -> Iterator[tuple[set[str], str, bytes]]:
    status, answers = connection.list('""', '"*"') if command == "LIST" else connection.lsub('""', '"*"')
    if status != "OK":
        raise ReadError(f"{command} was refused: {answers!r}")
    for answer in answers:
        if answer:  # imaplib ends an answer that came with a literal by an empty string, and no answer is None
            yield names.listed(answer)


def _path(name: bytes, separator: str, prefix: bytes) -> Path:
    """Split a wire name into decoded components; INBOX is always in capitals."""
    if prefix and name.startswith(prefix) and name != prefix:
        name = name[len(prefix) :]
    raw = name.split(separator.encode()) if separator else [name]
    path = tuple(names.decode(part) for part in raw)
    return ("INBOX", *path[1:]) if path[0].upper() == "INBOX" else path


def _messages(connection: imaplib.IMAP4, name: bytes) -> Iterator[Message]:
    status, answer = connection.select(names.quoted(name), readonly=True)
    if status != "OK":
        raise ReadError(f"EXAMINE {names.decode(name)} was refused: {answer!r}")
    if not int(answer[0] or 0):
        return
    sizes: dict[int, int] = {}
    for text, _ in _fetched(connection, "1:*", "(UID RFC822.SIZE)"):
        uid, size = UID.search(text), SIZE.search(text)
        if uid and size:
            sizes[int(uid[1])] = int(size[1])
    for batch in _batches(sizes):
        wanted = set(batch)
        for text, body in _fetched(connection, ",".join(map(str, batch)), "(UID FLAGS INTERNALDATE BODY.PEEK[])"):
            uid = UID.search(text)
            if body is not None and uid and int(uid[1]) in wanted:
                wanted.discard(int(uid[1]))
                yield _message(text, body)


def _batches(sizes: dict[int, int]) -> Iterator[list[int]]:
    """Cut UIDs into pieces of bounded count and size."""
    batch: list[int] = []
    octets = 0
    for uid in sorted(sizes):
        if batch and (len(batch) >= BATCH_MESSAGES or octets + sizes[uid] > BATCH_OCTETS):
            yield batch
            batch, octets = [], 0
        batch.append(uid)
        octets += sizes[uid]
    if batch:
        yield batch


def _fetched(connection: imaplib.IMAP4, uids: str, items: str) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield each FETCH answer as its text around the literal, and the literal; an empty body may come without one."""
    status, parts = connection.uid("FETCH", uids, items)
    if status != "OK":
        raise ReadError(f"FETCH was refused: {parts!r}")
    held: tuple[bytes, bytes] | None = None
    for part in parts:
        if held is not None:  # the line after a literal ends its answer
            tail = part if isinstance(part, bytes) else b""
            yield held[0] + b" " + tail, held[1]
            held = None
        elif isinstance(part, tuple):
            held = part
        elif part:
            yield part, b"" if EMPTY_BODY.search(part) else None


def _message(text: bytes, body: bytes) -> Message:
    flags, date = FLAGS.search(text), DATE.search(text)
    if flags is None or date is None:
        raise ReadError(f"an answer to FETCH without flags or date: {text!r}")
    words = normal_flags(word.decode("latin-1") for word in flags[1].split())
    return Message(hashlib.sha256(body).hexdigest(), _instant(date), words, len(body))


def _instant(date: re.Match[bytes]) -> int:
    """Return the seconds since 1970 UTC of an INTERNALDATE, whatever its zone."""
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = (part.decode() for part in date.groups())
    local = calendar.timegm((int(year), MONTHS[month.lower()], int(day), int(hour), int(minute), int(second)))
    offset = int(zone_hours) * 3600 + int(zone_minutes) * 60
    return local - offset if sign == "+" else local + offset
