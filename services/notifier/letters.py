"""A run's outcome as a mail: the advice first, then what hinders, the records, and the account of every message."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailhaul.errors import Side
from mailhaul.events import RunFinished
from mailhaul.states import Grade
from mailhaul.texts import explain, mails, moment, number, size, spoken
from mailhaul.texts.language import Language
from mailhaul.texts.mails import Counted
from mailhaul.texts.states import GRADE, Colour
from mailhaul.texts.words import ACCOUNT
from services.notifier.letter import Block, Facts, Heading, Items, Letter, Link, Paragraph
from services.notifier.outlook import Outlook
from services.notifier.records import DNS, records

MOST_NAMED = 50
MOST_DOMAINS = 10
SUM = ("found", "copied", "already_there", "skipped", "vanished", "failed", "left")


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What mails say of the installation: its records, and where the panel is (empty: nowhere public)."""

    dns: DNS
    panel_url: str = ""


def run_letter(event: RunFinished, outlook: Outlook, platform: Platform, *, again: bool = False) -> Letter:
    """The mail about a run; `again` when an earlier mail about it said something else."""
    language = spoken(event.language)
    head, mark, colour, subject = _head(event, outlook, language)
    return Letter(
        subject=subject.format(code=event.code),
        head=head,
        mark=mark,
        colour=colour,
        intro=introduction(event.code, event.name, language),
        blocks=tuple(_blocks(event, outlook, platform, language, again=again)),
        foot=mails.FOOT[language],
        language=language.value,
    )


def introduction(code: str, name: str, language: Language) -> str:
    term = mails.MIGRATION_NAMED if name else mails.MIGRATION
    return term[language].format(code=code, name=name)


def _head(event: RunFinished, outlook: Outlook, language: Language) -> tuple[str, str, Colour, str]:
    match outlook:
        case Outlook.WAIT:
            return mails.HEAD_WAIT[language], "!", Colour.AMBER, mails.SUBJECT_WAIT[language]
        case Outlook.SWITCH | Outlook.SWITCH_FINAL:
            return mails.HEAD_SWITCH[language], "⇄", Colour.TEAL, mails.SUBJECT_SWITCH[language]
        case Outlook.FINAL_HINDERED:
            outcome, mark, colour = mails.OUTCOME_HINDERED, "✕", Colour.RED
        case Outlook.FINAL:
            word = GRADE[event.grade]
            good = event.grade in (Grade.EXACT, Grade.GOOD)
            outcome, mark, colour = mails.OUTCOME_GOOD if good else mails.OUTCOME_REVIEW, word.mark, word.colour
    subject = mails.SUBJECT_FINAL[language].replace("{outcome}", outcome[language])
    return mails.HEAD_FINAL[language], mark, colour, subject


def _blocks(
    event: RunFinished, outlook: Outlook, platform: Platform, language: Language, *, again: bool
) -> Iterator[Block]:
    switching = outlook in (Outlook.SWITCH, Outlook.SWITCH_FINAL)
    match outlook:
        case Outlook.WAIT:
            yield Paragraph(mails.WAIT[language].format(run=event.run_no))
        case Outlook.SWITCH | Outlook.SWITCH_FINAL:
            term = mails.SWITCH_LATER if again else mails.SWITCH
            yield Paragraph(term[language].format(run=event.run_no))
            yield from _records(event.domains, platform.dns, language)
            yield from _second_run(event, language)
        case Outlook.FINAL | Outlook.FINAL_HINDERED:
            yield Paragraph((mails.FINAL if event.last else mails.FINAL_MORE)[language])
    yield from _hindering(event, language)
    yield from _account(event, language)
    if not switching or outlook is Outlook.SWITCH_FINAL:
        yield Paragraph(mails.NOT_MOVED[language], muted=True)
    if platform.panel_url:
        yield Link(mails.PANEL[language], f"{platform.panel_url.rstrip('/')}/migrations/{event.code}")
        yield Paragraph(mails.LOGS[language], muted=True)


def _records(domains: Sequence[str], dns: DNS, language: Language) -> Iterator[Block]:
    yield Heading(mails.RECORDS[language])
    for domain in domains[:MOST_DOMAINS]:
        yield records(domain, dns)
    if len(domains) > MOST_DOMAINS:
        yield Paragraph(mails.MORE_DOMAINS.text(len(domains) - MOST_DOMAINS, language))
    yield Paragraph(mails.MX_ONLY[language])
    if dns.webmail:
        yield Facts(((mails.WEBMAIL[language], dns.webmail),))


def _second_run(event: RunFinished, language: Language) -> Iterator[Block]:
    if event.second_at is not None:
        yield Paragraph(mails.SECOND_AT[language].format(time=moment(event.second_at, event.zone, language)))
    elif event.last:
        yield Paragraph(mails.NO_SECOND[language])
    yield Paragraph(mails.KEEP_OLD[language])


def _hindering(event: RunFinished, language: Language) -> Iterator[Block]:
    failed = [_failed(entry, language) for entry in event.failed_mailboxes]
    yield from _named(failed, mails.FAILED, mails.RETRY[language], language)
    waiting = [(address, "") for address in event.waiting_mailboxes]
    yield from _named(waiting, mails.WAITING, mails.WAITING_HELP[language], language)
    review = [(address, "") for address in event.review_mailboxes]
    yield from _named(review, mails.REVIEW, mails.REVIEW_HELP[language], language)


def _failed(entry: str, language: Language) -> tuple[str, str]:
    address, code, side = [*entry.split(" "), "", ""][:3]
    words = explain(code, language, Side(side) if side else None)
    return address, words.text if side else f"{words.sentence} {words.remedy}"


def _named(rows: Sequence[tuple[str, str]], head: Counted, help_text: str, language: Language) -> Iterator[Block]:
    if not rows:
        return
    yield Heading(head.text(len(rows), language))
    yield Items(tuple(rows[:MOST_NAMED]))
    if len(rows) > MOST_NAMED:
        yield Paragraph(mails.AND_MORE.text(len(rows) - MOST_NAMED, language))
    yield Paragraph(help_text)


def _account(event: RunFinished, language: Language) -> Iterator[Block]:
    yield Heading(mails.ACCOUNT[language])
    yield Facts(tuple((ACCOUNT[name][language], number(getattr(event, name), language)) for name in SUM), sums=True)
    rows = [
        (mails.GRADE[language], GRADE[event.grade].text(language)),
        (mails.MAILBOXES[language], number(event.mailboxes, language)),
        (mails.COPIED_SIZE[language], size(event.octets_copied, language)),
        (mails.RUN[language], number(event.run_no, language)),
        (mails.STARTED[language], moment(event.started_at, event.zone, language)),
        (mails.FINISHED[language], moment(event.finished_at, event.zone, language)),
    ]
    if event.removed_by_owner:
        rows.insert(3, (ACCOUNT["removed_by_owner"][language], number(event.removed_by_owner, language)))
    yield Facts(tuple(rows))
