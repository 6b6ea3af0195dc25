"""What may be sent: strings quoted or as literals, flags from a closed whitelist; a line break can never get in.

RFC 9051 §9. After a refused LITERAL+ APPEND some servers run the message's body as commands (Dovecot 2.3 does after
BAD), so everything that stands before such a literal is built here and passes a grammar of ours, never the source's.
"""

import functools
import re
from collections.abc import Iterable, Sequence

from mailhaul.imap.dates import format_date

_FORBIDDEN = re.compile(rb"[\r\n\0]")
_QUOTABLE = re.compile(rb"[\x20-\x7e]*")
# RFC 9051 §9: an ATOM-CHAR is printable ASCII but ( ) { SP % * " \\ ]
_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_LONGEST_QUOTED = 1000
_LONGEST_KEYWORD = 255

SYSTEM_FLAGS = {flag.lower(): flag for flag in (b"\\Answered", b"\\Deleted", b"\\Draft", b"\\Flagged", b"\\Seen")}


class Unsendable(ValueError):
    """A value that cannot be said on this wire; the text holds nothing of it."""


def safe(value: bytes) -> bytes:
    """`value` itself; Unsendable when it holds CR, LF or NUL, which would begin another command."""
    if _FORBIDDEN.search(value):
        raise Unsendable("a value with CR, LF or NUL")
    return value


def atom(value: bytes) -> bytes:
    """A word sent bare."""
    if not _ATOM.fullmatch(value):
        raise Unsendable("not an atom")
    return value


def quoted(value: bytes) -> bytes:
    """A quoted string; Unsendable when `value` is not printable ASCII (RFC 9051 §9 QUOTED-CHAR)."""
    if not _QUOTABLE.fullmatch(safe(value)):
        raise Unsendable("not printable ASCII")
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def is_quotable(value: bytes) -> bool:
    return len(value) <= _LONGEST_QUOTED and _QUOTABLE.fullmatch(value) is not None


def line(*words: bytes, literal_plus: bool = False) -> list[bytes]:
    """A command in pieces for `IMAPConnection.command`; `String` words are quoted when they may be, else literals.

    Every piece but the last ends with the announcement of a synchronising literal; with `literal_plus` (LITERAL+ or,
    up to 4096 octets, LITERAL-: RFC 7888) there is one piece.
    """
    pieces, current = [], b""
    for index, word in enumerate(words):
        current += b" " if index else b""
        if not isinstance(word, String):
            current += safe(word)
        elif is_quotable(word):
            current += quoted(word)
        elif literal_plus and len(word) <= 4096:
            current += b"{%d+}\r\n%b" % (len(word), safe(word))
        else:
            pieces.append(current + b"{%d}" % len(word))
            current = safe(word)
    return [*pieces, current]


class String(bytes):
    """A word of a command that is data: a folder name on the wire, a user, a password."""


def _is_keyword(flag: bytes) -> bool:
    return len(flag) <= _LONGEST_KEYWORD and _ATOM.fullmatch(flag) is not None


@functools.lru_cache(4096)
def append_flags(raw: bytes, permanent: frozenset[bytes] | None = None) -> bytes:
    """The flags of `raw` (as FETCH sent them) that may stand in an APPEND: sorted, canonical, from a closed list.

    System flags but `\\Recent`; keywords that are atoms and that `permanent`, the destination's PERMANENTFLAGS in lower
    case, names or opens with `\\*` (None: any keyword). The rest is dropped, a backslash flag of no RFC above all.
    """
    kept = set()
    for flag in raw.split():
        low = flag.lower()
        if low in SYSTEM_FLAGS:
            kept.add(SYSTEM_FLAGS[low])
        elif (
            len(flag) <= _LONGEST_KEYWORD
            and _ATOM.fullmatch(flag)
            and (permanent is None or b"\\*" in permanent or low in permanent)
        ):
            kept.add(flag)
    return b" ".join(sorted(kept))


def append_head(folder: bytes) -> bytes:
    """`APPEND "folder"`, to be followed by one or more `append_message` (RFC 3502 MULTIAPPEND) and CR LF."""
    return b"APPEND " + quoted(folder)


def append_message(flags: bytes, date: int, size: int, *, plus: bool) -> bytes:
    """Flags as `append_flags` gave them, date and announcement; with `plus` the message's octets follow at once."""
    end = b"+}\r\n" if plus else b"}"
    return b' (%b) "%b" {%d%b' % (flags, format_date(date), size, end)


def flag_list(flags: Iterable[bytes]) -> bytes:
    """`(\\Seen $Forwarded)` for STORE, by the same whitelist."""
    return b"(" + append_flags(b" ".join(flags)) + b")"


def joined(pieces: Sequence[bytes]) -> bytes:
    """What goes over the wire when every literal was let through: for tests and traces."""
    return b"\r\n".join(pieces)
