"""Rows and codes into the words of the reader's language."""

import json
from datetime import datetime

from sqlalchemy import RowMapping

from mailhaul.db import Microseconds, from_microseconds
from mailhaul.errors import Side
from mailhaul.readmodel import SUMS
from mailhaul.states import CheckState, Grade, MailboxRunState, MigrationState
from mailhaul.texts import Language, explain
from mailhaul.texts import states as words
from services.panel.answers import Account, Cause, RunPlan, Word


def migration_word(state: str, *, run_no: int, dated: bool, language: Language) -> Word:
    """A migration's state; Valid says whether it has a date, Running says which run."""
    known = MigrationState(state)
    text = words.MIGRATION[known].term[language]
    if known is MigrationState.VALID:
        text = (words.SCHEDULED if dated else words.NO_DATE)[language]
    if known is MigrationState.RUNNING and run_no:
        text = words.RUNNING_RUN[language].format(run=run_no)
    return _word(state, words.MIGRATION[known], text)


def check_word(state: str, language: Language) -> Word:
    """The state of a row check."""
    word = words.CHECK[CheckState(state)]
    return _word(state, word, word.term[language])


def mailbox_word(state: str, language: Language) -> Word:
    """The state of a mailbox run."""
    word = words.MAILBOX_RUN[MailboxRunState(state)]
    return _word(state, word, word.term[language])


def grade_word(grade: str, language: Language) -> Word | None:
    """A grade; None while there is none."""
    if not grade:
        return None
    word = words.GRADE[Grade(grade)]
    return _word(grade, word, word.term[language])


def _word(state: str, word: words.StateWord, text: str) -> Word:
    return Word(state=state, text=text, mark=word.mark, colour=word.colour.value)


def cause(code: str, side: str, language: Language, detail: str = "") -> Cause | None:
    """Why something failed; None where nothing did."""
    if not code:
        return None
    told = explain(code, language, Side(side) if side in set(Side) else None)
    return Cause(code=code, side=told.side.value, text=told.sentence, remedy=told.remedy, detail=detail)


def account(row: RowMapping) -> Account:
    """The sums of a row of the read model; what an outer join did not find is nothing."""
    return Account(**{name: row[name] or 0 for name in SUMS})


def instant(value: Microseconds | None) -> datetime | None:
    """A stored instant."""
    return None if value is None else from_microseconds(value)


def run_plan(text: str) -> RunPlan:
    """A stored plan of a run."""
    return RunPlan(**json.loads(text))


def counts(text: str | None) -> dict[str, int]:
    """Stored counts by state."""
    found: dict[str, int] = json.loads(text or "{}")
    return found
