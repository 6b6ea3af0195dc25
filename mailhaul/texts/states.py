"""One word, one icon and one colour for every state, on every screen and in every mail."""

from dataclasses import dataclass
from enum import StrEnum

from mailhaul.states import CheckState, Grade, MailboxRunState, MigrationState
from mailhaul.texts.language import Language, Term


class Colour(StrEnum):
    """The seven state colours of the look's tokens."""

    GREY = "grey"
    BLUE = "blue"
    TEAL = "teal"
    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    VIOLET = "violet"


@dataclass(frozen=True, slots=True)
class StateWord:
    """How a state is shown: never by its colour alone, each with a mark of its own shape."""

    mark: str
    colour: Colour
    term: Term

    def text(self, language: Language) -> str:
        return f"{self.mark} {self.term[language]}"


def _word(mark: str, colour: Colour, en: str, it: str) -> StateWord:
    return StateWord(mark, colour, Term(en, it))


MIGRATION: dict[MigrationState, StateWord] = {
    MigrationState.VALIDATING: _word("◌", Colour.GREY, "Validating", "In validazione"),
    MigrationState.VALID: _word("●", Colour.BLUE, "Valid", "Valida"),
    MigrationState.INVALID: _word("✕", Colour.RED, "Invalid", "Non valida"),
    MigrationState.RUNNING: _word("▶", Colour.BLUE, "Running", "In corso"),
    MigrationState.READY_FOR_CUTOVER: _word("⇄", Colour.TEAL, "Ready for cutover", "Pronta per il cambio MX"),
    MigrationState.NEEDS_ATTENTION: _word("!", Colour.AMBER, "Needs attention", "Richiede attenzione"),
    MigrationState.PAUSED: _word("⏸", Colour.VIOLET, "Paused", "In pausa"),
    MigrationState.DONE: _word("✓", Colour.GREEN, "Done", "Completata"),
    MigrationState.DONE_REVIEW: _word("!", Colour.AMBER, "Done, review", "Completata, da verificare"),
    MigrationState.FAILED: _word("✕", Colour.RED, "Failed", "Non riuscita"),
    MigrationState.CANCELLED: _word("–", Colour.GREY, "Cancelled", "Annullata"),
}

# What stands behind "Valid" and "Running".
SCHEDULED = Term("Valid · scheduled", "Valida · pianificata")
NO_DATE = Term("Valid · no date yet", "Valida · senza data")
RUNNING_RUN = Term("Running · run {run}", "In corso · esecuzione {run}")

CHECK: dict[CheckState, StateWord] = {
    CheckState.WAITING: _word("○", Colour.GREY, "Waiting", "In attesa"),
    CheckState.WAITING_FOR_OWNER: _word("⏸", Colour.VIOLET, "Waiting for its owner", "In attesa del proprietario"),
    CheckState.CHECKING: _word("◌", Colour.GREY, "Checking", "Verifica in corso"),
    CheckState.PASSED: _word("✓", Colour.GREEN, "Passed", "Superata"),
    CheckState.FAILED: _word("✕", Colour.RED, "Failed", "Fallita"),
    CheckState.NOT_TESTED: _word("!", Colour.AMBER, "Not tested", "Non verificata"),
    CheckState.LEFT_OUT: _word("–", Colour.GREY, "Left out", "Esclusa"),
}

MAILBOX_RUN: dict[MailboxRunState, StateWord] = {
    MailboxRunState.WAITING: _word("○", Colour.GREY, "Waiting", "In attesa"),
    MailboxRunState.SCANNING: _word("◔", Colour.BLUE, "Scanning", "Analisi"),
    MailboxRunState.COPYING: _word("▶", Colour.BLUE, "Copying", "Copia in corso"),
    MailboxRunState.LIMITED: _word("⏸", Colour.VIOLET, "Limited by source", "Limitata dall'origine"),
    MailboxRunState.RETRYING: _word("↻", Colour.AMBER, "Retrying", "Nuovo tentativo"),
    MailboxRunState.DONE: _word("✓", Colour.GREEN, "Done", "Completata"),
    MailboxRunState.REVIEW: _word("!", Colour.AMBER, "Review", "Da verificare"),
    MailboxRunState.FAILED: _word("✕", Colour.RED, "Failed", "Non riuscita"),
    MailboxRunState.PAUSED: _word("⏸", Colour.VIOLET, "Paused", "In pausa"),
    MailboxRunState.CANCELLED: _word("–", Colour.GREY, "Cancelled", "Annullata"),
}

LIMITED_UNTIL = Term("Limited by source until {time}", "Limitata dall'origine fino alle {time}")
RETRYING_OF = Term("Retrying {failures} of {most}, {time}", "Tentativo {failures} di {most}, {time}")

GRADE: dict[Grade, StateWord] = {
    Grade.EXACT: _word("✓", Colour.GREEN, "Exact", "Esatta"),
    Grade.GOOD: _word("✓", Colour.GREEN, "Good", "Buona"),
    Grade.REVIEW: _word("!", Colour.AMBER, "Review", "Da verificare"),
    Grade.PROBLEM: _word("✕", Colour.RED, "Problem", "Problema"),
}
