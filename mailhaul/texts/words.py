"""Words of pages, mails and logs that are neither errors nor states."""

from mailhaul.errors import Side
from mailhaul.folders.decisions import Reason
from mailhaul.folders.roles import Role
from mailhaul.texts.language import Language, Term

# The seeds' own sentence, kept: the first thing that an admin reads about a row that failed.
LINE_FAILED = Term("Line {line}: migration test failed", "Linea {line}: test di migrazione fallito")

SIDES: dict[Side, Term] = {
    Side.SOURCE: Term("Source", "Origine"),
    Side.DESTINATION: Term("Destination", "Destinazione"),
    Side.PLATFORM: Term("Platform", "Piattaforma"),
    Side.REQUEST: Term("Request", "Richiesta"),
}

# The account of every message, in the order in which it adds up.
ACCOUNT: dict[str, Term] = {
    "found": Term("Found", "Trovati"),
    "copied": Term("Copied", "Copiati"),
    "already_there": Term("Already there", "Già presenti"),
    "skipped": Term("Skipped by rule", "Esclusi da una regola"),
    "vanished": Term("Vanished", "Scomparsi"),
    "failed": Term("Failed", "Non riusciti"),
    "left": Term("Left", "Rimasti"),
    "removed_by_owner": Term("Removed by their owner since", "Rimossi in seguito dal proprietario"),
    "surplus": Term("Possible second copies", "Possibili seconde copie"),
    "mismatched": Term("Not as copied", "Diversi da quanto copiato"),
}

ROLES: dict[Role, Term] = {
    Role.INBOX: Term("Inbox", "Posta in arrivo"),
    Role.SENT: Term("Sent", "Posta inviata"),
    Role.DRAFTS: Term("Drafts", "Bozze"),
    Role.ARCHIVE: Term("Archive", "Archivio"),
    Role.TRASH: Term("Trash", "Cestino"),
    Role.JUNK: Term("Junk", "Posta indesiderata"),
    Role.FLAGGED: Term("Flagged", "Speciali"),
    Role.ALL: Term("All mail", "Tutti i messaggi"),
    Role.CUSTOM: Term("Folder", "Cartella"),
}

FOLDER_REASONS: dict[Reason, Term] = {
    Reason.NONE: Term("", ""),
    Reason.TRASH: Term("Left out: Trash", "Esclusa: Cestino"),
    Reason.JUNK: Term("Left out: Junk", "Esclusa: Posta indesiderata"),
    Reason.SKIP_RULE: Term("Left out: you asked for it", "Esclusa su richiesta"),
    Reason.NOT_SELECTABLE: Term("Holds no mail of its own", "Non contiene messaggi propri"),
    Reason.FOREIGN: Term("Belongs to another user", "Appartiene a un altro utente"),
    Reason.VIRTUAL: Term("Shows mail of other folders", "Mostra messaggi di altre cartelle"),
    Reason.TRANSLATED: Term("Renamed as you asked", "Rinominata su richiesta"),
    Reason.SPECIAL_USE: Term("Goes to its counterpart", "Va nella cartella corrispondente"),
    Reason.NAMESPACE: Term("Stands beside the Inbox there", "Là è accanto alla Posta in arrivo"),
    Reason.ESCAPED: Term("Renamed: characters not allowed there", "Rinominata: caratteri là non ammessi"),
    Reason.SHORTENED: Term("Shortened: too long there", "Abbreviata: troppo lunga"),
    Reason.EXISTING: Term("Written as it stands there", "Scritta come là"),
    Reason.COLLISION: Term("Renamed: another folder has the name", "Rinominata: nome già usato"),
    Reason.KNOWN: Term("As in the earlier run", "Come nell'esecuzione precedente"),
}

TYPES: dict[str, Term] = {
    "standard-ssl": Term("Standard-SSL", "Standard-SSL"),
    "standard-starttls": Term("Standard-STARTTLS", "Standard-STARTTLS"),
    "standard-no-ssl": Term("Standard-no-SSL", "Standard-no-SSL"),
}

# Words of the seeds that stay.
PAGE: dict[str, Term] = {
    "migrations": Term("Migrations", "Migrazioni"),
    "new_migration": Term("+ Migration", "+ Migrazione"),
    "asap": Term("Run first migration as soon as possible", "Esegui la prima migrazione appena possibile"),
    "migrate": Term("Migrate", "Migra"),
    "delete": Term("Delete", "Elimina"),
    "resources": Term("Resources", "Risorse"),
    "status": Term("Status", "Stato"),
    "requested_by": Term("Requested by", "Richiesta da"),
    "code": Term("Code", "Codice"),
    "type": Term("Type", "Tipo"),
    "first_run": Term("First run", "Prima esecuzione"),
    "second_run": Term("Second run", "Seconda esecuzione"),
    "mailboxes": Term("Mailboxes", "Caselle"),
    "log": Term("Log", "Log"),
    "nothing_yet": Term("No migrations yet", "Nessuna migrazione"),
}


def line_failed(line: int, language: Language) -> str:
    """`Line 3: migration test failed`."""
    return LINE_FAILED[language].format(line=line)
