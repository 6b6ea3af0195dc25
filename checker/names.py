"""Folder names on the wire: modified UTF-7 (RFC 3501 §5.1.3) and the lines that LIST and LSUB answer with."""

import base64
import re

LIST_LINE = re.compile(
    rb'^\((?P<attributes>[^)]*)\) (?:"(?P<separator>(?:\\.|[^"\\]))"|NIL) (?P<name>.*)$', re.DOTALL | re.IGNORECASE
)


def decode(wire: bytes) -> str:
    """Return the Unicode text of a modified UTF-7 name; bytes that are no such name come back as Latin-1."""
    try:
        return re.sub(rb"&([A-Za-z0-9+,]*)-", _shifted, wire).decode("utf-8")
    except (UnicodeDecodeError, ValueError):
        return wire.decode("latin-1")


def _shifted(match: re.Match[bytes]) -> bytes:
    if not match[1]:
        return b"&"
    padded = match[1].replace(b",", b"/") + b"=" * (-len(match[1]) % 4)
    return base64.b64decode(padded, validate=True).decode("utf-16-be").encode()


def encode(name: str) -> bytes:
    """Return the modified UTF-7 of a name."""
    parts = []
    for run in re.findall(r"[\x20-\x7e]+|[^\x20-\x7e]+", name):
        if " " <= run[0] <= "~":
            parts.append(run.replace("&", "&-").encode("ascii"))
        else:
            coded = base64.b64encode(run.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
            parts.append(b"&" + coded + b"-")
    return b"".join(parts)


def listed(answer: bytes | tuple[bytes, bytes]) -> tuple[set[str], str, bytes]:
    """Return attributes (lower case), separator and wire name of one LIST or LSUB answer as imaplib hands it over."""
    literal = None
    line = answer
    if isinstance(line, tuple):  # the name came as a literal
        line, literal = line
    match = LIST_LINE.match(line)
    if match is None:
        raise ValueError(f"not a LIST answer: {line!r}")
    name = literal if literal is not None else _unquoted(match["name"])
    separator = (match["separator"] or b"").replace(b"\\", b"", 1) or match["separator"] or b""
    attributes = {word.decode("ascii", "replace").lower() for word in match["attributes"].split()}
    return attributes, separator.decode("ascii"), name


def _unquoted(name: bytes) -> bytes:
    if name[:1] == b'"' and name[-1:] == b'"':
        return re.sub(rb"\\(.)", rb"\1", name[1:-1])
    return name


def quoted(wire: bytes) -> str:
    """Return a wire name as an IMAP quoted string for imaplib."""
    return '"' + wire.decode("latin-1").replace("\\", "\\\\").replace('"', '\\"') + '"'
