"""What the mails say: the advice, the records, who hinders, the numbers; alike in text and HTML, in both languages."""

import email
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

import pytest

from mailhaul.errors import InvalidEvent
from mailhaul.events import NoticeRequested, RunFinished
from mailhaul.ids import CustomerId, MigrationId
from mailhaul.states import Advice, Grade
from mailhaul.texts import mails
from services.notifier.letter import Letter
from services.notifier.letters import run_letter
from services.notifier.message import message
from services.notifier.notices import notice_letter
from services.notifier.outlook import Outlook, is_news, outlook
from services.notifier.page import Pages
from services.notifier.plain import plain
from services.notifier.recipients import BadRecipient, envelope_address
from tests.notifier_samples import AT, PLATFORM, SENDER, finished, hindered

PAGES = Pages()


class Words(HTMLParser):
    """The text of a page, tag by tag."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden = tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self.hidden = False

    def handle_data(self, data: str) -> None:
        if not self.hidden and data.strip():
            self.seen.append(data)


def words_of(html: str) -> str:
    parser = Words()
    parser.feed(html)
    return " ".join(" ".join(parser.seen).split())


def letter(event: RunFinished) -> Letter:
    return run_letter(event, outlook(event), PLATFORM)


def octets(event: RunFinished, recipient: str = "admin@example.com") -> bytes:
    return message(
        letter(event), mail_id="mail-1", thread_id="thread-1", sender=SENDER, recipient=recipient, at=AT, pages=Pages()
    )


def test_switch_names_every_record() -> None:
    text = plain(letter(finished()))
    assert letter(finished()).subject == "M-7K2QX: change your MX records now"
    for line in (
        "  example.com.                MX     10 mx1.example.net.",
        '  example.com.                TXT    "v=spf1 include:spf.example.net -all"',
        "  s1._domainkey.example.com.  CNAME  s1.dkim.example.net.",
        "  Webmail  https://webmail.example.net/",
        "The second run starts on 24 Nov 2026, 04:00 (Europe/Rome). It brings",
    ):
        assert line in text.splitlines()
    assert "do not" not in text.lower()


def test_wait_names_whoever_hinders_and_no_record() -> None:
    text = plain(letter(hindered()))
    assert letter(hindered()).subject == "M-7K2QX: do not change your MX records yet"
    for words in ("* ugo@example.com", "Wrong user name or password.", "* sara@example.com", "2 mailboxes failed"):
        assert words in text
    assert "mx1.example.net" not in text
    assert "Something unexpected happened." in text  # the other failure's code is of a newer Mailhaul


def test_numbers_add_up_in_sight() -> None:
    lines = plain(letter(finished())).splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("    Found"))
    numbers = [int(line.split()[-1].replace(",", "")) for line in lines[start : start + 7]]
    assert numbers[0] == sum(numbers[1:]) == 1_412_033
    assert [line[2] for line in lines[start : start + 7]] == [" ", "=", "+", "+", "+", "+", "+"]


def test_final_report_says_how_it_came_out() -> None:
    done = finished(advice=Advice.FINISHED, last=True, run_no=2, second_at=None, grade=Grade.EXACT)
    assert letter(done).subject == "M-7K2QX: migration finished, everything accounted for"
    review = replace(done, grade=Grade.REVIEW, review_mailboxes=("a@example.com",), failed=212)
    assert letter(review).subject == "M-7K2QX: migration finished, please review"
    assert "1 mailbox needs a look" in plain(letter(review))
    bad = hindered(advice=Advice.FINISHED, last=True, second_at=None)
    assert letter(bad).subject == "M-7K2QX: migration finished, some mailboxes need you"
    assert "Sieve" in plain(letter(done))


def test_only_run_says_that_nothing_more_is_brought_over() -> None:
    text = plain(letter(finished(last=True, second_at=None)))
    assert "No second run is planned." in text
    assert "10 mx1.example.net." in text


def test_many_names_and_domains_are_cut_and_counted() -> None:
    many = hindered(failed_mailboxes=tuple(f"u{n}@example.com sign_in_refused" for n in range(120)))
    assert "and 70 more in the panel" in plain(letter(many))
    domains = finished(domains=tuple(f"d{n}.example" for n in range(12)))
    assert "2 more domains: the same records" in plain(letter(domains))


@pytest.mark.parametrize("language", ["en", "it"])
@pytest.mark.parametrize("event", [finished(), hindered(), finished(advice=Advice.FINISHED, last=True)])
def test_text_and_html_say_the_same(event: RunFinished, language: str) -> None:
    made = letter(replace(event, language=language, name="Büro & <b>Söhne</b>"))
    html = words_of(PAGES.html(made))
    for line in plain(made).splitlines():
        words = " ".join(re.sub(r"^\s*[*=+]\s", "", line).split())
        if words and set(words) != {"-"} and not words.startswith("https:"):
            for part in re.split(r"\s{2,}", line.strip(" *=+")):
                assert " ".join(part.rstrip(":").split()) in html
    assert "<b>" in html  # as text
    assert "<b>" not in PAGES.html(made)


def test_html_is_one_column_and_fetches_nothing() -> None:
    html = PAGES.html(letter(finished()))
    assert "max-width: 600px" in html
    assert not re.search(r"<(img|link|script|iframe)|url\(|@import", html)
    assert re.findall(r'(?:href|src)="([^"]+)"', html) == ["https://panel.example.net/migrations/M-7K2QX"]


def test_italian_is_whole() -> None:
    text = plain(letter(hindered(language="it")))
    for words in (
        "Non cambiate ancora i record MX",
        "2 caselle non riuscite",
        "Trovati",
        "1.412.033",
        "31,4",
        "23 nov",
    ):
        assert words in text
    assert "mailbox" not in text


def test_message_is_the_same_octets_whenever_it_is_made() -> None:
    first = octets(finished())
    assert octets(finished()) == first
    assert b"\n" not in first.replace(b"\r\n", b"")
    assert max(len(line) for line in first.split(b"\r\n")) <= 998  # RFC 5322 §2.1.1
    assert first.isascii()
    parsed = email.message_from_bytes(first, policy=default)
    assert isinstance(parsed, EmailMessage)
    assert parsed["Message-ID"] == "<mail-1@platform.test>"
    assert parsed["References"] == "<thread-1@platform.test>"
    assert parsed["Date"].datetime == AT
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["Content-Language"] == "en"
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    body = parsed.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == plain(letter(finished()))


def test_name_cannot_smuggle_a_header() -> None:
    made = octets(finished(name="x\r\nBcc: all@example.com", code="M-7\r\nBcc: all@example.com"))
    parsed = email.message_from_bytes(made, policy=default)
    assert parsed["Bcc"] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("admin@example.com", "admin@example.com"),
        ("Anna <anna@EXAMPLE.com>", "anna@EXAMPLE.com"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("jörg@example.com", "jörg@example.com"),
    ],
)
def test_envelope_holds_the_bare_address(text: str, expected: str) -> None:
    assert envelope_address(text) == expected


@pytest.mark.parametrize("text", ["", "anna", "@example.com", "anna@", "a b@example.com", "a@b\r\nc.com", "a@ex..com‐"])
def test_bad_recipient_is_told_without_repeating_it(text: str) -> None:
    with pytest.raises(BadRecipient) as caught:
        envelope_address(text)
    assert str(caught.value) == "not an address"


NEWS = [
    (Outlook.SWITCH, None, True),
    (Outlook.SWITCH, Outlook.SWITCH, False),
    (Outlook.SWITCH, Outlook.WAIT, True),
    (Outlook.WAIT, Outlook.WAIT, False),
    (Outlook.SWITCH_FINAL, Outlook.SWITCH, True),
    (Outlook.SWITCH, Outlook.SWITCH_FINAL, False),
    (Outlook.FINAL, Outlook.FINAL_HINDERED, True),
    (Outlook.FINAL, Outlook.FINAL, False),
]


@pytest.mark.parametrize(("now", "before", "news"), NEWS)
def test_news_is_what_changes_the_advice(now: Outlook, before: Outlook | None, news: bool) -> None:
    assert is_news(now, before) is news


def notice(name: str, *words: str, language: str = "en") -> NoticeRequested:
    return NoticeRequested(
        event_id="notice-1",
        at=AT,
        customer_id=CustomerId("customer-1"),
        migration_id=MigrationId("migration-1"),
        notice=name,
        recipients=("admin@example.com",),
        language=language,
        zone="Europe/Rome",
        subject_code="M-7K2QX",
        name="Office",
        words=words,
    )


@pytest.mark.parametrize("language", ["en", "it"])
@pytest.mark.parametrize("name", sorted(mails.NOTICES))
def test_every_notice_can_be_told(name: str, language: str) -> None:
    given = {"failed_rows": "3", "second_at": datetime(2026, 11, 24, 3, 0, tzinfo=UTC).isoformat()}
    needs = mails.NOTICES[name].needs
    made = notice_letter(notice(name, *(f"{k}={given[k]}" for k in needs), language=language), PLATFORM)
    assert "{" not in plain(made) + made.subject
    assert ("Europe/Rome" in plain(made)) is ("second_at" in needs)
    assert PAGES.html(made)


@pytest.mark.parametrize(
    ("name", "words"), [("nobody_knows_it", ()), ("rejected", ()), ("rescheduled", ("second_at=soon",))]
)
def test_notice_that_cannot_be_told_is_an_invalid_event(name: str, words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidEvent):
        notice_letter(notice(name, *words), PLATFORM)
