"""Codes of the embedded stack and of the commands that move or check without a broker."""

from mailhaul.errors import Side
from mailhaul.texts.language import Entry, entry

SEE_LOG = ("See the log that is named.", "Vedere il log indicato.")
SETUP = ("Run `make setup`.", "Eseguire `make setup`.")

STACK: dict[str, Entry] = {
    code: entry(Side.PLATFORM, (sentence_en, remedy[0]), (sentence_it, remedy[1]))
    for code, sentence_en, sentence_it, remedy in (
        ("stack_died", "A part of the stack ended.", "Una parte dello stack è terminata.", SEE_LOG),
        ("stack_failed", "The stack did not start.", "Lo stack non si è avviato.", SEE_LOG),
        ("stack_silent", "A part of the stack does not answer.", "Una parte dello stack non risponde.", SEE_LOG),
        ("stack_refused", "A part of the stack refused a command.", "Lo stack ha rifiutato un comando.", SEE_LOG),
        ("demo_failed", "A step of the demo failed.", "Un passo della demo non è riuscito.", SEE_LOG),
        ("stack_missing", "A program of the stack is missing.", "Manca un programma dello stack.", SETUP),
        ("dovecot_missing", "Dovecot is not installed.", "Dovecot non è installato.", SETUP),
        ("postgres_missing", "PostgreSQL is not installed.", "PostgreSQL non è installato.", SETUP),
        ("postgres_failed", "PostgreSQL did not start.", "PostgreSQL non si è avviato.", SEE_LOG),
        ("java_missing", "Java is not installed.", "Java non è installato.", SETUP),
        ("kafka_missing", "The broker's jars are missing.", "Mancano i file jar del broker.", SETUP),
    )
} | {
    "stack_running": entry(
        Side.REQUEST,
        ("The stack is running already.", "Stop it first with `mailhaul down`, or name another directory."),
        ("Lo stack è già in esecuzione.", "Fermarlo con `mailhaul down` o indicare un'altra cartella."),
    ),
    "port_taken": entry(
        Side.REQUEST,
        ("The port is taken by another program.", "Give another port, or 0 for any free one."),
        ("La porta è usata da un altro programma.", "Indicare un'altra porta, o 0 per una libera."),
    ),
}

LOCAL: dict[str, Entry] = {
    "bad_url": entry(
        Side.REQUEST,
        ("This is not a mailbox's URL.", "Write it like imaps://USER@HOST."),
        ("Non è l'URL di una casella.", "Scriverlo come imaps://UTENTE@HOST."),
    ),
    "password_in_url": entry(
        Side.REQUEST,
        ("A password stands in the URL.", "Give it by file, environment variable or prompt."),
        ("L'URL contiene una password.", "Indicarla con un file, una variabile d'ambiente o a richiesta."),
    ),
    "bad_network": entry(
        Side.REQUEST,
        ("This is not a network.", "Write it like 192.0.2.0/24."),
        ("Non è una rete.", "Scriverla come 192.0.2.0/24."),
    ),
    "bad_rule": entry(
        Side.REQUEST,
        ("A folder rule cannot be read.", "Write one rule a line; a translation is written old:new."),
        ("Una regola sulle cartelle non è leggibile.", "Scriverne una per riga; una traduzione è vecchio:nuovo."),
    ),
    "no_master": entry(
        Side.REQUEST,
        ("The destination's passwords are not in the file.", "Name a master user of the destination."),
        ("Il file non contiene le password di destinazione.", "Indicare un utente master della destinazione."),
    ),
    "csv_refused": entry(
        Side.REQUEST,
        ("The file has faults; nothing was moved.", "Correct the lines named."),
        ("Il file contiene errori; nulla è stato spostato.", "Correggere le righe indicate."),
    ),
}
