"""Status responses: `OK`, `NO`, `BAD`, `BYE` and `PREAUTH` with their response codes (RFC 9051 §7.1)."""

import re
from dataclasses import dataclass

from mailhaul.imap.limits import MAX_INT

_STATUS = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: +(.*)| *)", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(rb"\[([^\] ]+)(?: ([^\]]*))?\] ?")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\U0010ffff]+")
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """One status response; `code` is the response code's name in capitals, `argument` what stands behind it."""

    status: str
    code: str = ""
    argument: bytes = b""
    text: bytes = b""

    @property
    def ok(self) -> bool:
        return self.status == "OK"

    @property
    def words(self) -> str:
        """The server's text made fit for a log or a page: printable, one line, not endless."""
        return clean(self.text)


def clean(text: bytes) -> str:
    """What a server said, as printable text of one line and at most 300 characters."""
    shown = _UNPRINTABLE.sub(" ", text.decode("utf-8", "replace")).strip()
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"


def parse_status(text: bytes) -> Answer | None:
    """The status response in `text` (what follows the tag or `* `), or None when it is none."""
    found = _STATUS.fullmatch(text)
    if not found:
        return None
    status, rest = found[1].decode("ascii").upper(), found[2] or b""
    code = _CODE.match(rest)
    if not code:
        return Answer(status, text=rest)
    name = code[1].decode("ascii", "replace").upper()
    return Answer(status, name, code[2] or b"", rest[code.end() :])


def appended(answer: Answer) -> tuple[int, bytes] | None:
    """UIDVALIDITY and UID set of an APPENDUID response code (RFC 4315 §3), or None."""
    if answer.code != "APPENDUID":
        return None
    validity, _, uids = answer.argument.partition(b" ")
    if not validity.isdigit() or int(validity) > MAX_INT or not uids:
        return None
    return int(validity), uids.strip()
