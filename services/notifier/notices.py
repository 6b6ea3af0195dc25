"""Single notices as mails: the words come from the catalogue of notices, what fills them from the request."""

from datetime import datetime

from mailhaul.errors import InvalidEvent
from mailhaul.events import NoticeRequested
from mailhaul.texts import mails, moment, spoken
from mailhaul.texts.states import Colour
from services.notifier.letter import Letter, Link, Paragraph
from services.notifier.letters import Platform, introduction

MARKS = {"rejected": ("✕", Colour.RED), "valid": ("●", Colour.BLUE)}


def notice_letter(event: NoticeRequested, platform: Platform) -> Letter:
    """The mail that was asked for.

    Raises InvalidEvent for a notice that is not in the catalogue, or that lacks a word its text needs.
    """
    notice = mails.NOTICES.get(event.notice)
    if notice is None:
        raise InvalidEvent("unknown_notice", f"no notice is called {event.notice!r}")
    language = spoken(event.language)
    given = dict(pair.partition("=")[::2] for pair in event.words)
    if missing := notice.needs - given.keys():
        raise InvalidEvent("impossible", f"the notice {event.notice} lacks {', '.join(sorted(missing))}")
    for name in notice.moments:
        try:
            given[name] = moment(datetime.fromisoformat(given[name]), event.zone, language)
        except ValueError as error:
            raise InvalidEvent("impossible", f"the notice {event.notice} has no instant in {name}") from error
    words = {name: given[name] for name in notice.needs} | {"code": event.subject_code}
    blocks: list[Paragraph | Link] = [Paragraph(text[language].format(**words)) for text in notice.body]
    if platform.panel_url:
        url = f"{platform.panel_url.rstrip('/')}/migrations/{event.subject_code}"
        blocks.append(Link(mails.PANEL[language], url))
    mark, colour = MARKS.get(event.notice, ("○", Colour.GREY))
    return Letter(
        subject=notice.subject[language].format(**words),
        head=notice.head[language],
        mark=mark,
        colour=colour,
        intro=introduction(event.subject_code, event.name, language),
        blocks=tuple(blocks),
        foot=mails.FOOT[language],
        language=language.value,
    )
