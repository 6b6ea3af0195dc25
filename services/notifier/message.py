"""A letter as the octets that go over SMTP: the same letter always gives the same octets."""

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from hashlib import sha256

from services.notifier.letter import Letter
from services.notifier.page import Pages
from services.notifier.plain import plain


def message(
    letter: Letter, *, mail_id: str, thread_id: str, sender: str, recipient: str, at: datetime, pages: Pages
) -> bytes:
    """The whole message, lines ended by CRLF.

    Message-ID, Date and boundary come from `mail_id` and `at` alone (RFC 5322 §3.6.4); mails of one migration share a
    reference, so that mail programs show them together. Raises ValueError for an address that no header can hold.
    """
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    built = EmailMessage(policy=SMTP if recipient.isascii() else SMTPUTF8)
    built["From"] = sender
    built["To"] = recipient
    built["Subject"] = " ".join(letter.subject.split())
    built["Date"] = format_datetime(at)
    built["Message-ID"] = f"<{mail_id}@{domain}>"
    built["References"] = f"<{thread_id}@{domain}>"
    built["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no out-of-office answers
    built.set_content(plain(letter), cte="quoted-printable")
    built.add_alternative(pages.html(letter), subtype="html", cte="quoted-printable")
    built["Content-Language"] = letter.language  # behind the content, whose setting drops every Content- header
    built.set_boundary(f"=_{sha256(mail_id.encode()).hexdigest()[:32]}")
    return built.as_bytes()
