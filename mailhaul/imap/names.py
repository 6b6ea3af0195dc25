"""Folder names: modified UTF-7 on the wire, NFC among people, levels by the server's delimiter (RFC 3501 §5.1.3)."""

import base64
import binascii
import re
import unicodedata

_DIRECT = re.compile(r"[\x20-\x25\x27-\x7e]+")
_SHIFTED = re.compile(rb"&([^-&]*)-")


def encode_name(text: str) -> bytes:
    """A folder name as modified UTF-7, in NFC; ValueError when it holds CR, LF, NUL or half a surrogate pair."""
    text = unicodedata.normalize("NFC", text)
    if re.search(r"[\r\n\0]", text):
        raise ValueError("a folder name with CR, LF or NUL")
    out, pos = [], 0
    while pos < len(text):
        if direct := _DIRECT.match(text, pos):
            out.append(direct[0].encode("ascii"))
            pos = direct.end()
        elif text[pos] == "&":
            out.append(b"&-")
            pos += 1
        else:
            end = pos
            while end < len(text) and text[end] != "&" and not _DIRECT.match(text, end):
                end += 1
            coded = base64.b64encode(text[pos:end].encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
            out.append(b"&" + coded + b"-")
            pos = end
    return b"".join(out)


def decode_name(wire: bytes) -> str:
    """A name on the wire as people read it, in NFC. Never fails: what is no modified UTF-7 is read as UTF-8 or Latin-1.

    Names that read alike may differ on the wire, so the wire name stays the key; this is for mapping and for eyes.
    """
    try:
        text = _decode(wire)
    except ValueError:
        try:
            text = wire.decode("utf-8")
        except UnicodeDecodeError:
            text = wire.decode("latin-1")
    return unicodedata.normalize("NFC", text)


def _decode(wire: bytes) -> str:
    out, pos = [], 0
    for shifted in _SHIFTED.finditer(wire):
        out.append(_plain(wire[pos : shifted.start()]))
        out.append(_shifted(shifted[1]) if shifted[1] else "&")
        pos = shifted.end()
    out.append(_plain(wire[pos:]))
    return "".join(out)


def _plain(wire: bytes) -> str:
    if b"&" in wire:
        raise ValueError("a shift without its end")
    return wire.decode("ascii")


def _shifted(coded: bytes) -> str:
    try:
        octets = base64.b64decode(coded.replace(b",", b"/") + b"=" * (-len(coded) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    return octets.decode("utf-16-be")


def levels(wire: bytes, delimiter: bytes | None) -> list[bytes]:
    """The name's levels, still on the wire's encoding; a server without hierarchy has one."""
    return wire.split(delimiter) if delimiter else [wire]


def is_inbox(wire: bytes) -> bool:
    """RFC 9051 §5.1: INBOX is the one name that is the same in any case."""
    return wire.upper() == b"INBOX"
