"""Words of the mails; `{...}` are filled, and what is counted has a form for one and a form for more."""

from dataclasses import dataclass

from mailhaul.texts.language import Language, Term
from mailhaul.texts.numbers import number


@dataclass(frozen=True, slots=True)
class Counted:
    """A phrase with a number in it."""

    one: Term
    more: Term

    def text(self, count: int, language: Language) -> str:
        return (self.one if count == 1 else self.more)[language].format(n=number(count, language))


SUBJECT_SWITCH = Term("{code}: change your MX records now", "{code}: ora potete cambiare i record MX")
SUBJECT_WAIT = Term("{code}: do not change your MX records yet", "{code}: non cambiate ancora i record MX")
SUBJECT_FINAL = Term("{code}: migration finished, {outcome}", "{code}: migrazione conclusa, {outcome}")
OUTCOME_GOOD = Term("everything accounted for", "tutto a posto")
OUTCOME_REVIEW = Term("please review", "da verificare")
OUTCOME_HINDERED = Term("some mailboxes need you", "alcune caselle richiedono attenzione")

HEAD_SWITCH = Term("Change your MX records now", "Ora potete cambiare i record MX")
HEAD_WAIT = Term("Do not change your MX records yet", "Non cambiate ancora i record MX")
HEAD_FINAL = Term("The migration is finished", "La migrazione è conclusa")

MIGRATION = Term("Migration {code}", "Migrazione {code}")
MIGRATION_NAMED = Term("Migration {code} “{name}”", "Migrazione {code} «{name}»")

SWITCH = Term(
    "Run {run} is over: all mailboxes are on the new platform. Set these records at your DNS provider, so that new "
    "mail arrives there.",
    "L'esecuzione {run} è terminata: tutte le caselle sono sulla nuova piattaforma. Impostate questi record presso il "
    "vostro provider DNS, così la nuova posta arriverà lì.",
)
SWITCH_LATER = Term(
    "What hindered the change is solved: all mailboxes are on the new platform. Set these records at your DNS "
    "provider, so that new mail arrives there.",
    "Ciò che impediva il cambio è risolto: tutte le caselle sono sulla nuova piattaforma. Impostate questi record "
    "presso il vostro provider DNS, così la nuova posta arriverà lì.",
)
WAIT = Term(
    "Run {run} is over, but not every mailbox came through. If you changed the MX records now, these mailboxes would "
    "miss their old mail. We write again as soon as nothing hinders the change.",
    "L'esecuzione {run} è terminata, ma non tutte le caselle sono state trasferite. Cambiando ora i record MX, a "
    "queste caselle mancherebbe la vecchia posta. Vi scriveremo appena nulla impedirà il cambio.",
)
FINAL = Term(
    "This is the account of every message. Nothing more is planned.",
    "Questo è il resoconto di tutti i messaggi. Non sono previste altre esecuzioni.",
)
FINAL_MORE = Term(
    "This is the account of every message so far.",
    "Questo è il resoconto di tutti i messaggi finora.",
)
SECOND_AT = Term(
    "The second run starts on {time}. It brings over what reached the old server in the meantime.",
    "La seconda esecuzione parte il {time} e trasferisce ciò che nel frattempo è arrivato sul vecchio server.",
)
NO_SECOND = Term(
    "No second run is planned. Mail that reaches the old server from now on stays there unless you ask for one.",
    "Non è prevista una seconda esecuzione. La posta che da ora arriva sul vecchio server vi resta, salvo richiederla.",
)
KEEP_OLD = Term(
    "Keep the old mailboxes until you have read the final report.",
    "Conservate le vecchie caselle fino al resoconto finale.",
)

RECORDS = Term("Records to set", "Record da impostare")
MORE_DOMAINS = Counted(
    Term("{n} more domain: the same records", "altro dominio: gli stessi record"),
    Term("{n} more domains: the same records", "altri {n} domini: gli stessi record"),
)
MX_ONLY = Term("Remove every other MX record.", "Rimuovete ogni altro record MX.")
WEBMAIL = Term("Webmail", "Webmail")

FAILED = Counted(
    Term("{n} mailbox failed", "{n} casella non riuscita"), Term("{n} mailboxes failed", "{n} caselle non riuscite")
)
WAITING = Counted(
    Term("{n} mailbox is still waiting", "{n} casella ancora in attesa"),
    Term("{n} mailboxes are still waiting", "{n} caselle ancora in attesa"),
)
REVIEW = Counted(
    Term("{n} mailbox needs a look", "{n} casella da verificare"),
    Term("{n} mailboxes need a look", "{n} caselle da verificare"),
)
AND_MORE = Counted(
    Term("and {n} more in the panel", "e {n} altra nel pannello"),
    Term("and {n} more in the panel", "e altre {n} nel pannello"),
)
RETRY = Term(
    "Correct what is named and retry these mailboxes in the panel; the others are not touched.",
    "Correggete quanto indicato e riprovate queste caselle nel pannello; le altre non vengono toccate.",
)
WAITING_HELP = Term(
    "They go on by themselves as soon as their server lets them, or their owner has given the password.",
    "Proseguono da sole appena il server lo permette o il proprietario ha fornito la password.",
)
REVIEW_HELP = Term(
    "Messages stayed behind there that somebody should look at. Each one is listed in the panel, with its reason.",
    "Alcuni messaggi sono rimasti indietro e vanno verificati. Nel pannello ciascuno è elencato con il motivo.",
)

ACCOUNT = Term("The account of every message", "Il resoconto di tutti i messaggi")
MAILBOXES = Term("Mailboxes", "Caselle")
GRADE = Term("Grade", "Esito")
RUN = Term("Run", "Esecuzione")
STARTED = Term("Started", "Inizio")
FINISHED = Term("Finished", "Fine")
COPIED_SIZE = Term("Size copied", "Dimensione copiata")
NOT_MOVED = Term(
    "Not moved: the rights of shared folders, server-side filters (Sieve), PST files. POP3 clients that leave mail on "
    "the server fetch it again.",
    "Non trasferiti: i permessi delle cartelle condivise, i filtri sul server (Sieve), i file PST. I client POP3 che "
    "lasciano la posta sul server la scaricano di nuovo.",
)
PANEL = Term("Open the migration", "Apri la migrazione")
LOGS = Term(
    "The logs of every mailbox and run can be read and downloaded there.",
    "Lì si possono leggere e scaricare i log di ogni casella ed esecuzione.",
)
FOOT = Term(
    "Sent by Mailhaul because your address is named in this migration.",
    "Inviato da Mailhaul perché il vostro indirizzo è indicato in questa migrazione.",
)


@dataclass(frozen=True, slots=True)
class Notice:
    """A single mail asked for by another service: its words and which of them the request brings."""

    subject: Term
    head: Term
    body: tuple[Term, ...]
    needs: frozenset[str] = frozenset()
    moments: frozenset[str] = frozenset()  # words that are instants, shown in the reader's zone


NOTICES: dict[str, Notice] = {
    "valid": Notice(
        Term("{code}: the check is passed", "{code}: verifica superata"),
        Term("The migration is valid", "La migrazione è valida"),
        (
            Term(
                "Every row was signed in to. The first run starts at the time that you chose.",
                "L'accesso è riuscito per ogni riga. La prima esecuzione parte all'orario scelto.",
            ),
        ),
    ),
    "rejected": Notice(
        Term("{code}: rows need correcting", "{code}: righe da correggere"),
        Term("Rows failed their check", "Alcune righe non hanno superato la verifica"),
        (
            Term(
                "Rows that failed: {failed_rows}. Nothing is copied until they are corrected or left out; the file "
                "need not be uploaded again.",
                "Righe fallite: {failed_rows}. Nulla viene copiato finché non sono corrette o escluse; non serve "
                "caricare di nuovo il file.",
            ),
        ),
        frozenset({"failed_rows"}),
    ),
    "rescheduled": Notice(
        Term("{code}: the second run was moved", "{code}: seconda esecuzione spostata"),
        Term("The second run was moved", "La seconda esecuzione è stata spostata"),
        (
            Term(
                "The first run took longer than planned. The second one now starts on {second_at}.",
                "La prima esecuzione è durata più del previsto. La seconda ora parte il {second_at}.",
            ),
        ),
        frozenset({"second_at"}),
        frozenset({"second_at"}),
    ),
}
