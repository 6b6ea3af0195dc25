"""Messages for the demo and the tests: ordinary mail, twins, and everything odd that a mail server keeps."""

import base64
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.header import Header
from email.utils import format_datetime

CRLF = b"\r\n"
WORDS = [
    "the",
    "move",
    "invoice",
    "please",
    "attached",
    "regards",
    "meeting",
    "project",
    "delivery",
    "order",
    "server",
    "mailbox",
    "and",
    "of",
    "for",
    "today",
]
SENDERS = ("billing", "support", "orders", "newsletter", "events", "service", "postmaster", "no-reply", "sales")
SUBJECTS = (
    "Besprechung in München",
    "Invoice",
    "日本語の件名",
    "Re: project status",
    "Ordine n.",
    "Fwd: contract",
    "¿Mañana?",
)
FLAGS = (("\\Seen", 0.75), ("\\Answered", 0.2), ("\\Flagged", 0.06), ("\\Deleted", 0.01))
KEYWORDS = (("$Forwarded", 0.05), ("$Label1", 0.04), ("NonJunk", 0.04), ("ProjectX", 0.02), ("$MDNSent", 0.02))
ZONES = (0, 60, 120, -300, -480, 330, -210, 765, 540)  # minutes east of UTC; +0530, -0330 and +1245 are real
OLDEST = datetime(1990, 3, 4, 5, 6, 7, tzinfo=UTC)
SMALLEST_PADDED = 600


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it is handed to the source server, for a folder of the source."""

    folder: tuple[str, ...]
    data: bytes
    date: datetime
    flags: tuple[str, ...]

    @property
    def served(self) -> bytes:
        """The bytes as Dovecot serves them: every line ends in CRLF, a CR before that or at the very end is dropped.

        A bare CR elsewhere, 8-bit bytes, long lines and a missing last line end stay (measured with Dovecot 2.3.19).
        """
        data = self.data.removesuffix(b"\r")
        if b"\r\r\n" in data or data.count(b"\n") != data.count(CRLF):
            return re.sub(rb"\r?\r?\n", CRLF, data)
        return data


class Writer:
    """Writes letters for one account; the same seed writes the same letters."""

    def __init__(self, seed: str, user: str, newest: datetime) -> None:
        self.rng = random.Random(seed)
        self.user = user
        self.newest = newest
        self._pool = base64.encodebytes(self.rng.randbytes(150_000)).replace(b"\n", CRLF)
        self._written = 0

    def date(self) -> datetime:
        """An arrival between 1990 and the corpus's last day, more often a late one, in one of several zones."""
        span = (self.newest - OLDEST).total_seconds()
        moment = OLDEST + timedelta(seconds=int(span * self.rng.random() ** 0.4))
        return moment.astimezone(timezone(timedelta(minutes=self.rng.choice(ZONES))))

    def flags(self) -> tuple[str, ...]:
        """System flags and keywords as a mailbox in use has them."""
        return tuple(flag for flag, share in FLAGS + KEYWORDS if self.rng.random() < share)

    def header(self, date: datetime, *, message_id: bytes | None = b"", subject: str = "") -> bytes:
        """A header block without its empty line; `message_id` is made when empty and left out when None."""
        self._written += 1
        number = self._written
        lines = [
            f"Received: from mx{n}.example.net (mx{n}.example.net [192.0.2.{n + 1}])\r\n\tby mail.example.org"
            f" with ESMTPS id {self.rng.getrandbits(44):X}\r\n\tfor <{self.user}>; {format_datetime(date)}"
            for n in range(self.rng.randrange(1, 3))
        ]
        subject = subject or f"{self.rng.choice(SUBJECTS)} {number}"
        lines += [
            f"From: <{self.rng.choice(SENDERS)}@example.com>",
            f"To: <{self.user}>",
            f"Subject: {Header(subject, 'utf-8' if not subject.isascii() else None).encode()}",
            f"Date: {format_datetime(date)}",
        ]
        if message_id is not None:
            made = message_id.decode() or f"{self.rng.getrandbits(96):x}.{number}@example.com"
            lines.append(f"Message-ID: <{made}>")
        return "\r\n".join([*lines, "MIME-Version: 1.0"]).encode() + CRLF

    def text(self, octets: int) -> bytes:
        """Lines of words, ending in CRLF, of about so many octets."""
        lines = []
        length = 0
        while length < octets:
            line = " ".join(self.rng.choices(WORDS, k=9)).encode() + CRLF
            lines.append(line)
            length += len(line)
        return b"".join(lines)

    def block(self, octets: int) -> bytes:
        """Base64 lines of exactly so many octets (at least 3), the last one ended by CRLF."""
        start = self.rng.randrange(len(self._pool) // 2) // 78 * 78
        pool = self._pool[start:]
        body = (pool * (octets // len(pool) + 1))[: octets - 2]
        whole = body.rstrip(CRLF)  # a line end that the cut tore apart would be stored as another one
        return whole + b"=" * (len(body) - len(whole)) + CRLF

    def plain(self, *, octets: int | None = None, date: datetime | None = None) -> tuple[bytes, datetime]:
        """An ordinary message; with `octets`, of exactly that size (at least 600)."""
        date = date or self.date()
        if octets is None:
            wanted = min(60_000, max(SMALLEST_PADDED, int(self.rng.lognormvariate(7.6, 1.2))))
            return self.header(date) + CRLF + self.text(wanted // 2) + self.block(wanted // 2 + 80), date
        head = self.header(date) + b"Content-Transfer-Encoding: base64\r\n" + CRLF
        if octets < len(head) + 80:
            raise ValueError(f"a padded message has at least {len(head) + 80} octets")
        return head + self.block(octets - len(head)), date


def oddities(writer: Writer, date: datetime, reused_id: bytes) -> list[Callable[[], bytes]]:
    """Every awkward shape that Dovecot accepts and keeps, one maker each."""
    header, text, rng = writer.header, writer.text, writer.rng

    def binary() -> bytes:
        return bytes(rng.choices([n for n in range(1, 256) if n not in (10, 13)], k=3000))

    return [
        lambda: header(date, message_id=None) + CRLF + text(300),
        lambda: header(date, message_id=reused_id) + CRLF + text(300),
        lambda: header(date) + b"Message-ID: <second@example.com>\r\n" + CRLF + text(100),
        lambda: (
            header(date)
            + b"Subject: Gr\xfc\xdfe \xe4\xf6\xfc\r\n"
            + CRLF
            + "é à ü ß 日本\r\n".encode()
            + b"\xff\xfe\x80\r\n"
        ),
        lambda: header(date) + CRLF + binary() + CRLF,
        lambda: header(date) + CRLF + b"one\rtwo\r three" + CRLF + text(50),
        lambda: (header(date) + CRLF + text(200)).replace(CRLF, b"\n"),
        lambda: header(date) + CRLF + text(100) + b"a bare\nline end" + CRLF,
        lambda: header(date) + CRLF + text(100) + b"doubled\r\r\nreturn" + CRLF,
        lambda: header(date) + CRLF + text(100) + b"ends in a return\r",
        lambda: header(date) + CRLF + text(100).removesuffix(CRLF) + b" no end",
        lambda: header(date) + CRLF + b"x" * 100_000 + CRLF,
        lambda: header(date) + b"X-Long: " + b"y" * 50_000 + CRLF + CRLF + text(50),
        lambda: header(date) + CRLF,
        lambda: header(date),
        lambda: b"%d" % rng.randrange(10),
        lambda: CRLF,
        lambda: CRLF + b"no header at all" + CRLF,
        lambda: b"From sender@example.com Mon Jan  1 00:00:00 2001" + CRLF + header(date) + CRLF + text(50),
        lambda: header(date) + CRLF + b".\r\n..\r\n.\r\n",
        lambda: header(date) + CRLF + b")\r\na1 LOGOUT\r\na2 UID STORE 1:* +FLAGS (\\Deleted)\r\na3 EXPUNGE\r\n",
        lambda: header(date) + CRLF + b'* 1 FETCH (UID 1 BODY[] {5}\r\nhello)\r\n{99+}\r\n"\\"{3}',
        lambda: header(date) + CRLF + b"\x1a\x00\x7f\x1b[31m".replace(b"\x00", b"") + CRLF,
        lambda: (
            header(date)
            + b'Content-Type: multipart/mixed; boundary="b"\r\n'
            + CRLF
            + b"--b\r\n" * 300
            + b"--c--"
            + CRLF
        ),
    ]
