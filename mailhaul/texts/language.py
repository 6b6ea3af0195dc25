"""The languages that Mailhaul speaks, and how a text is held in each of them."""

from dataclasses import dataclass
from enum import StrEnum

from mailhaul.errors import Side


class Language(StrEnum):
    EN = "en"
    IT = "it"


def spoken(language: str) -> Language:
    """The language of a tag such as `it` or `it-CH`; English where it is not spoken here."""
    primary = language.replace("_", "-").partition("-")[0].lower()
    return Language(primary) if primary in set(Language) else Language.EN


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence that says what is wrong, one that says what to do."""

    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A code in every language; `side` is None where the error itself knows better."""

    side: Side | None
    en: Words
    it: Words

    def words(self, language: Language) -> Words:
        return self.it if language is Language.IT else self.en


@dataclass(frozen=True, slots=True)
class Term:
    """A word or sentence of pages and mails in every language."""

    en: str
    it: str

    def __getitem__(self, language: Language) -> str:
        return self.it if language is Language.IT else self.en


def entry(side: Side | None, en: tuple[str, str], it: tuple[str, str]) -> Entry:
    """An entry from its sentences and remedies."""
    return Entry(side, Words(*en), Words(*it))
