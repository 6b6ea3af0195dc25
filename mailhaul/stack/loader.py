"""Loads a corpus into an IMAP server by APPEND: a small client of its own, apart from the one that is being tested."""

import base64
import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from mailhaul.errors import StackFailed
from mailhaul.stack.corpus import Account, Corpus, Path
from mailhaul.stack.letters import Letter
from mailhaul.stack.manifest import Manifest

TIMEOUT_SECONDS = 60
AT_ONCE = 3
BATCH_MESSAGES = 250
BATCH_OCTETS = 8 << 20
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Server:
    """Where to load: address, trust, and a master user when there is one (else each account's own password)."""

    host: str
    port: int
    context: ssl.SSLContext | None
    master: str = ""
    master_password: str = field(default="", repr=False)


def load(corpus: Corpus, server: Server) -> Manifest:
    """Fill the server's empty mailboxes; return what it serves from now on."""
    manifest = Manifest(corpus)

    def one(account: Account) -> None:
        with Session(server, account.source, account.password) as session:
            for shelf in corpus.shelves:
                session.create(shelf.path, subscribe=shelf.subscribed)
            _append(session, manifest, account, corpus.letters(account))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, corpus.accounts))
    return manifest


def arrive(manifest: Manifest, server: Server, messages: int, *, visit: int = 1) -> int:
    """Let `messages` more arrive in each mailbox, most in INBOX, some in other folders; return how many in all."""

    def one(account: Account) -> int:
        with Session(server, account.source, account.password) as session:
            letters = manifest.corpus.letters(account, visit=visit, count=messages)
            return _append(session, manifest, account, letters)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(one, manifest.accounts))


def _append(session: "Session", manifest: Manifest, account: Account, letters: Iterable[Letter]) -> int:
    appended = 0
    for folder, batch in _batches(letters):
        session.append(folder, batch)
        for letter in batch:
            manifest.add(account, letter)
        appended += len(batch)
    return appended


def _batches(letters: Iterable[Letter]) -> Iterator[tuple[Path, list[Letter]]]:
    """Gather letters folder by folder into pieces of bounded count and size, in each folder in their order."""
    gathered: dict[Path, list[Letter]] = {}
    octets: dict[Path, int] = {}
    for letter in letters:
        batch = gathered.setdefault(letter.folder, [])
        batch.append(letter)
        octets[letter.folder] = octets.get(letter.folder, 0) + len(letter.data)
        if len(batch) >= BATCH_MESSAGES or octets[letter.folder] >= BATCH_OCTETS:
            yield letter.folder, gathered.pop(letter.folder)
            del octets[letter.folder]
    yield from gathered.items()


class Session:
    """One signed-in connection."""

    def __init__(self, server: Server, user: str, password: str) -> None:
        self._socket: socket.socket = socket.create_connection((server.host, server.port), TIMEOUT_SECONDS)
        if server.context is not None:
            self._socket = server.context.wrap_socket(self._socket, server_hostname=server.host)
        self._answers = self._socket.makefile("rb")
        self._tag = 0
        self._separator = ""
        if not self._answers.readline().startswith(b"* OK"):
            raise StackFailed("stack_refused", f"no IMAP greeting from {server.host}:{server.port}")
        identity = (user, server.master, server.master_password) if server.master else ("", user, password)
        # RFC 4616: authorization identity, NUL, authentication identity, NUL, password
        self._command(b"AUTHENTICATE PLAIN " + base64.b64encode("\0".join(identity).encode()), user)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def create(self, path: Path, *, subscribe: bool) -> None:
        """Create a folder unless it is there."""
        name = self._name(path)
        if path != ("INBOX",):
            self._command(b"CREATE " + name, "CREATE", but=b"ALREADYEXISTS")
        if subscribe:
            self._command(b"SUBSCRIBE " + name, "SUBSCRIBE")

    def append(self, path: Path, letters: Iterable[Letter]) -> None:
        """Store letters in one MULTIAPPEND (RFC 3502) of non-synchronising literals (RFC 7888)."""
        parts = [b"APPEND " + self._name(path)]
        for letter in letters:
            shape = f' ({" ".join(letter.flags)}) "{_internal_date(letter)}" {{{len(letter.data)}+}}\r\n'
            parts += [shape.encode("ascii"), letter.data]
        self._command(b"".join(parts), "APPEND")

    def _name(self, path: Path) -> bytes:
        if not self._separator:
            answer = self._command(b'LIST "" ""', "LIST")
            match = re.search(rb'LIST \([^)]*\) "(\\?.)"', answer)
            self._separator = match[1].decode()[-1:] if match else "/"
        name = self._separator.join(path)
        return b'"' + re.sub(rb'(["\\])', rb"\\\1", _modified_utf7(name)) + b'"'

    def _command(self, line: bytes, said: str, *, but: bytes = b"") -> bytes:
        """Send a command and return its untagged answers; a refusal raises unless it holds `but`."""
        self._tag += 1
        tag = b"L%d " % self._tag
        self._socket.sendall(tag + line + b"\r\n")
        untagged: list[bytes] = []
        while answer := self._answers.readline():
            if answer.startswith(tag):
                status = answer[len(tag) :]
                if status.startswith(b"OK") or (but and but in status):
                    return b"".join(untagged)
                raise StackFailed("stack_refused", f"{said}: {status.decode('utf-8', 'replace').strip()}")
            untagged.append(answer)
        raise StackFailed("stack_refused", f"{said}: the server hung up")


def _internal_date(letter: Letter) -> str:
    """Return the date-time of RFC 9051 §9, in the letter's own zone."""
    date = letter.date
    return f"{date.day:2d}-{MONTHS[date.month - 1]}-{date:%Y %H:%M:%S %z}"


def _modified_utf7(name: str) -> bytes:
    """Return a folder's name for the wire (RFC 3501 §5.1.3)."""
    out = []
    for run in re.findall(r"[\x20-\x7e]+|[^\x20-\x7e]+", name):
        if run.isascii():
            out.append(run.replace("&", "&-").encode())
        else:
            out.append(b"&" + base64.b64encode(run.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",") + b"-")
    return b"".join(out)
