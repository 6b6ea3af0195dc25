"""Names that a destination would refuse, made acceptable so that anyone can see it and undo it.

A refused character becomes `=` and two hexadecimal digits for each octet of its UTF-8; an `=` that could be read as
such a mark becomes `=3D`. Everything else stays as it is.
"""

import hashlib
import re

from mailhaul.folders.rules import Refusals
from mailhaul.imap.names import encode_name

_MARK = re.compile(r"=(?=[0-9A-F]{2})")
_MARKS = re.compile(r"(?:=[0-9A-F]{2})+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def escape(level: str, refusals: Refusals, delimiter: str | None) -> str:
    """One level of a name as the destination takes it; `unescape` is its inverse."""
    refused = refusals.characters | ({delimiter} if delimiter else set())
    if level in ("", "="):  # an empty level is a lone mark, so a lone mark cannot stand for itself
        return "=" if not level else "=3D"
    text = _MARK.sub("=3D", level)
    text = "".join(_marked(c) if c in refused or _CONTROL.match(c) else c for c in text)
    if text.strip(".") == "":  # "." and ".." are directories to a server that keeps folders as such
        return "".join(_marked(c) for c in text)
    if text[0] == "~" or text[0] == " ":  # a home directory to some servers; a blank that others drop
        text = _marked(text[0]) + text[1:]
    if text[-1] == " ":
        text = text[:-1] + _marked(" ")
    return text


def unescape(level: str) -> str:
    """What stood there before `escape`."""
    if level == "=":
        return ""
    return _MARKS.sub(lambda run: bytes.fromhex(run[0].replace("=", "")).decode("utf-8", "surrogatepass"), level)


def _marked(character: str) -> str:
    return "".join(f"={octet:02X}" for octet in character.encode("utf-8", "surrogatepass"))


def shorten(level: str, octets: int) -> str:
    """A level that fits: its beginning, and eight digits of its digest so that two long names stay two."""
    if len(encode_name(level)) <= octets:
        return level
    digest = "~" + hashlib.sha256(level.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    low, high = 0, len(level)
    while low < high:  # the longest beginning that fits; its length on the wire grows with it
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(encode_name(level[:middle] + digest)) <= octets else (low, middle - 1)
    return level[:low] + digest
