"""Bytes to numbered lines: UTF-8 with or without a BOM; every other encoding is named and refused.

Nothing is replaced on the way, because a replaced character in a password is another password.
"""

import codecs
from dataclasses import dataclass

from mailhaul.intake.rows import Limits, Remark, Rule

# Longest first: the mark of UTF-32-LE begins with that of UTF-16-LE.
MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
SIGNATURES = (
    (b"PK\x03\x04", "ZIP, XLSX, ODS"),
    (b"\xd0\xcf\x11\xe0", "XLS"),
    (b"\x1f\x8b", "gzip"),
    (b"%PDF", "PDF"),
    (b"{\\rtf", "RTF"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A physical line without its end, by its number counted from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """Lines that could be read; of those that could not, `faulty` in all, as many faults as a file may have rows."""

    lines: tuple[Line, ...]
    faults: tuple[Remark, ...]
    faulty: int = 0


def decode(data: bytes, limits: Limits) -> Decoded:
    """Splits at LF and CRLF alone, whatever else Unicode calls a line end, and decodes line by line."""
    whole = _whole_file_fault(data, limits)
    if whole is not None:
        return Decoded((), (whole,))
    lines: list[Line] = []
    faults: list[Remark] = []
    for number, raw in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        line, fault = _one_line(number, raw.removesuffix(b"\r"), limits)
        if line is not None:
            lines.append(line)
        if fault is not None:
            faults.append(fault)
    return Decoded(tuple(lines), tuple(faults[: limits.rows]), len(faults))


def _whole_file_fault(data: bytes, limits: Limits) -> Remark | None:
    if len(data) > limits.octets:
        return Remark(rule=Rule.TOO_LARGE, expected=limits.octets, got=len(data))
    for signature, name in SIGNATURES:
        if data.startswith(signature):
            return Remark(rule=Rule.NOT_TEXT, name=name)
    for mark, name in MARKS:
        if data.startswith(mark):
            return Remark(rule=Rule.ENCODING, name=name)
    # Without a mark UTF-16 shows as a NUL beside nearly every character of plain text.
    if len(data) > 3 and data.count(0) * 3 > len(data):
        return Remark(rule=Rule.ENCODING, name="UTF-16")
    if b"\r" in data and b"\n" not in data.rstrip(b"\r\n") and b"\r" in data.rstrip(b"\r\n"):
        return Remark(rule=Rule.LONE_CR, line=1)
    return None


def _one_line(number: int, raw: bytes, limits: Limits) -> tuple[Line | None, Remark | None]:
    if len(raw) > limits.line_octets:
        got = len(raw)
        return None, Remark(rule=Rule.LINE_TOO_LONG, line=number, expected=limits.line_octets, got=got)
    if b"\0" in raw:
        return None, Remark(rule=Rule.NUL, line=number)
    try:
        return Line(number, raw.decode("utf-8")), None
    except UnicodeDecodeError:
        # Windows-1252 uses 0x80 to 0x9F for letters and quotes; ISO 8859 has control characters there.
        windows = any(0x80 <= octet <= 0x9F for octet in raw)
        return None, Remark(rule=Rule.ENCODING, line=number, name="Windows-1252" if windows else "ISO 8859-1")
