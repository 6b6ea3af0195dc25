"""Every code that can be raised or told, with the sentence and the one thing to do, in every language."""

from dataclasses import dataclass

from mailhaul.errors import Side
from mailhaul.texts.errors_local import LOCAL, STACK
from mailhaul.texts.errors_mailbox import MESSAGE, SERVER
from mailhaul.texts.errors_platform import CHECK, INTERNAL, OPERATOR, SECRETS
from mailhaul.texts.errors_reach import REACH, SIGN_IN
from mailhaul.texts.errors_requests import ASKING, ROWS, SCHEDULE, STATE
from mailhaul.texts.files import RULES
from mailhaul.texts.language import Entry, Language
from mailhaul.texts.words import SIDES, line_failed

PARTS = (
    REACH,
    SIGN_IN,
    SERVER,
    MESSAGE,
    CHECK,
    SECRETS,
    INTERNAL,
    OPERATOR,
    SCHEDULE,
    STATE,
    ROWS,
    ASKING,
    LOCAL,
    STACK,
    RULES,
)
CATALOGUE: dict[str, Entry] = {code: entry for part in PARTS for code, entry in part.items()}

UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class Explained:
    """A failure as its reader sees it."""

    code: str
    side: Side
    sentence: str
    remedy: str
    side_word: str

    @property
    def text(self) -> str:
        """`Source: wrong user name or password. Type the password again ...`, ready for a line of a list."""
        return f"{self.side_word}: {self.sentence[:1].lower()}{self.sentence[1:]} {self.remedy}"


def explain(code: str, language: Language, side: Side | None = None) -> Explained:
    """The words for a code; `side` is the error's own, which wins over the catalogue's.

    A code that an older or newer Mailhaul wrote and this one does not know is told as something unexpected.
    """
    entry = CATALOGUE.get(code) or CATALOGUE[UNEXPECTED]
    whose = side or entry.side or Side.PLATFORM
    words = entry.words(language)
    return Explained(code, whose, words.sentence, words.remedy, SIDES[whose][language])


def row_failed(line: int, code: str, language: Language, side: Side | None = None) -> str:
    """The seeds' sentence for a row, then whose side, why, and what to do."""
    return f"{line_failed(line, language)}. {explain(code, language, side).text}"
