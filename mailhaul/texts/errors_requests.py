"""Codes of what people ask: schedules, limits, states, rights."""

from mailhaul.errors import Side
from mailhaul.texts.language import Entry, entry

REQUEST = Side.REQUEST

SCHEDULE: dict[str, Entry] = {
    "bad_time": entry(
        REQUEST,
        ("This is not a date and time.", "Write it like 2026-03-29T21:30."),
        ("Non è una data con ora.", "Scriverla come 2026-03-29T21:30."),
    ),
    "unknown_zone": entry(
        REQUEST,
        ("This time zone is unknown.", "Give a name such as Europe/Rome."),
        ("Questo fuso orario è sconosciuto.", "Indicare un nome come Europe/Rome."),
    ),
    "no_such_hour": entry(
        REQUEST,
        ("This hour does not exist: the clocks are put forward over it.", "Choose an hour earlier or later."),
        ("Quest'ora non esiste per il cambio dell'ora legale.", "Scegliere un'ora prima o dopo."),
    ),
    "in_the_past": entry(
        REQUEST,
        ("This time has passed.", "Choose a later one, or start as soon as possible."),
        ("Questo orario è già passato.", "Sceglierne uno successivo o avviare appena possibile."),
    ),
    "too_far_ahead": entry(
        REQUEST,
        ("The first run lies too far ahead.", "Choose an earlier time."),
        ("La prima esecuzione è troppo lontana.", "Scegliere un orario precedente."),
    ),
    "second_before_first": entry(
        REQUEST,
        ("The second run has to come after the first.", "Choose a later time; 4 to 8 hours after are advised."),
        ("La seconda esecuzione deve seguire la prima.", "Scegliere un orario successivo; consigliate 4-8 ore."),
    ),
    "second_too_late": entry(
        REQUEST,
        ("The second run lies too long after the first.", "Choose an earlier time."),
        ("La seconda esecuzione è troppo lontana dalla prima.", "Scegliere un orario precedente."),
    ),
    "run_started": entry(
        REQUEST,
        ("The run has started already.", "Ask for a further run once it is over."),
        ("L'esecuzione è già iniziata.", "Richiederne un'altra quando è terminata."),
    ),
}

STATE: dict[str, Entry] = {
    "not_valid": entry(
        REQUEST,
        ("The migration is not valid yet.", "Correct the failed rows or leave them out."),
        ("La migrazione non è ancora valida.", "Correggere le righe fallite o escluderle."),
    ),
    "rows_failed": entry(
        REQUEST,
        ("Rows failed their check.", "Correct them or leave them out."),
        ("Alcune righe non hanno superato la verifica.", "Correggerle o escluderle."),
    ),
    "no_rows": entry(
        REQUEST,
        ("No row is left to migrate.", "Correct a row that was left out, or delete the migration."),
        ("Nessuna riga da migrare.", "Correggere una riga esclusa o eliminare la migrazione."),
    ),
    "running": entry(
        REQUEST,
        ("Not while the migration is running.", "Wait until the run is over, or cancel it first."),
        ("Non mentre la migrazione è in corso.", "Attendere la fine dell'esecuzione o annullarla prima."),
    ),
    "not_running": entry(
        REQUEST,
        ("The migration is not running.", "Nothing to do."),
        ("La migrazione non è in corso.", "Nessuna azione necessaria."),
    ),
    "paused": entry(
        REQUEST,
        ("The migration is paused.", "Resume it first."),
        ("La migrazione è in pausa.", "Riprenderla prima."),
    ),
    "not_paused": entry(
        REQUEST,
        ("The migration is not paused.", "Nothing to do."),
        ("La migrazione non è in pausa.", "Nessuna azione necessaria."),
    ),
    "cancelled": entry(
        REQUEST,
        ("The migration was cancelled.", "Submit a new one."),
        ("La migrazione è stata annullata.", "Inviarne una nuova."),
    ),
    "finished": entry(
        REQUEST,
        ("The migration is over.", "Ask for a further run if more is to be moved."),
        ("La migrazione è terminata.", "Richiedere un'altra esecuzione se serve."),
    ),
    "not_correctable": entry(
        REQUEST,
        ("This row cannot be corrected now.", "Rows can be corrected when their last sign-in failed."),
        ("Questa riga non può essere corretta ora.", "Si correggono le righe il cui ultimo accesso è fallito."),
    ),
    "nothing_failed": entry(
        REQUEST,
        ("Nothing has failed that could be retried.", "Nothing to do."),
        ("Non c'è nulla di fallito da riprovare.", "Nessuna azione necessaria."),
    ),
    "nothing_left": entry(
        REQUEST,
        ("Every row would be left out.", "Keep at least one row, or delete the migration."),
        ("Tutte le righe sarebbero escluse.", "Tenerne almeno una o eliminare la migrazione."),
    ),
    "too_many_rows": entry(
        REQUEST,
        ("The migration has more rows than are allowed.", "Split it into several migrations."),
        ("La migrazione ha più righe di quante ammesse.", "Dividerla in più migrazioni."),
    ),
    "too_many_migrations": entry(
        REQUEST,
        ("As many migrations as you may have are scheduled or running.", "Wait until one is over, or delete one."),
        (
            "Il numero massimo di migrazioni è già pianificato o in corso.",
            "Attendere che una termini o eliminarne una.",
        ),
    ),
    "mailbox_elsewhere": entry(
        REQUEST,
        ("Another migration is moving this mailbox.", "Wait until it is over."),
        ("Un'altra migrazione sta spostando questa casella.", "Attendere che termini."),
    ),
    "deleted": entry(
        REQUEST,
        ("The migration has been deleted.", "Submit a new one."),
        ("La migrazione è stata eliminata.", "Inviarne una nuova."),
    ),
}

ROWS: dict[str, Entry] = {
    "unknown_row": entry(
        REQUEST,
        ("The migration has no such row.", "See the list of its rows."),
        ("La migrazione non ha questa riga.", "Vedere l'elenco delle righe."),
    ),
    "no_such_line": entry(
        REQUEST,
        ("The file has no mailbox on that line.", "See the list of its rows."),
        ("Il file non ha una casella su quella riga.", "Vedere l'elenco delle righe."),
    ),
    "no_such_mailbox": entry(
        REQUEST,
        ("The migration has no such mailbox.", "See the list of its mailboxes."),
        ("La migrazione non ha questa casella.", "Vedere l'elenco delle caselle."),
    ),
    "row_passed": entry(
        REQUEST,
        ("Only a row that failed or waits can be changed now.", "Nothing to do."),
        ("Ora si può modificare solo una riga fallita o in attesa.", "Nessuna azione necessaria."),
    ),
    "left_out": entry(
        REQUEST,
        ("The row is left out.", "Correct it to take it in again."),
        ("La riga è esclusa.", "Correggerla per includerla di nuovo."),
    ),
    "nothing_to_check": entry(
        REQUEST,
        ("Every row has passed.", "Nothing to do."),
        ("Tutte le righe hanno superato la verifica.", "Nessuna azione necessaria."),
    ),
    "duplicate_destination": entry(
        REQUEST,
        ("Another row has the same destination.", "Choose another destination, or leave one of the two out."),
        ("Un'altra riga ha la stessa destinazione.", "Scegliere un'altra destinazione o escludere una delle due."),
    ),
    "password_needed": entry(
        REQUEST,
        ("Another server or user needs the password again.", "Give the password with the correction."),
        ("Un altro server o utente richiede di nuovo la password.", "Indicare la password con la correzione."),
    ),
    "nothing_asked": entry(
        REQUEST,
        ("The request changes nothing.", "Say what is to change."),
        ("La richiesta non cambia nulla.", "Indicare che cosa deve cambiare."),
    ),
}

ASKING: dict[str, Entry] = {
    "bad_name": entry(
        REQUEST,
        ("A name holds letters, digits, blanks and signs only.", "Choose another name."),
        ("Un nome contiene solo lettere, cifre, spazi e segni.", "Scegliere un altro nome."),
    ),
    "bad_folder_name": entry(
        REQUEST,
        ("A folder to skip has a name, one a line.", "Correct the line."),
        ("Una cartella da escludere ha un nome, uno per riga.", "Correggere la riga."),
    ),
    "bad_recipient": entry(
        REQUEST,
        ("A recipient is not an e-mail address.", "Write it like admin@example.com."),
        ("Un destinatario non è un indirizzo e-mail.", "Scriverlo come admin@example.com."),
    ),
    "bad_translation": entry(
        REQUEST,
        ("A folder translation is written old:new, one pair a line.", "Correct the line."),
        ("La traduzione di una cartella si scrive vecchio:nuovo, una per riga.", "Correggere la riga."),
    ),
    "file_refused": entry(
        REQUEST,
        ("The file has faults; nothing was stored.", "Correct the lines named and upload the file again."),
        ("Il file contiene errori; nulla è stato salvato.", "Correggere le righe indicate e caricarlo di nuovo."),
    ),
    "unknown_kind": entry(
        REQUEST,
        ("This kind of file is unknown.", "Choose standard or master-user."),
        ("Questo tipo di file è sconosciuto.", "Scegliere standard o master-user."),
    ),
    "unknown_type": entry(
        REQUEST,
        ("This type of migration is unknown.", "Choose Standard-SSL, Standard-STARTTLS or Standard-no-SSL."),
        ("Questo tipo di migrazione è sconosciuto.", "Scegliere Standard-SSL, Standard-STARTTLS o Standard-no-SSL."),
    ),
    "name_taken": entry(
        REQUEST,
        ("Another migration has this name.", "Choose another, or leave it empty."),
        ("Un'altra migrazione ha questo nome.", "Sceglierne un altro o lasciarlo vuoto."),
    ),
    "not_found": entry(
        REQUEST,
        ("There is no such thing here.", "Check the code; it may have been deleted."),
        ("Non esiste.", "Controllare il codice; potrebbe essere stato eliminato."),
    ),
    "not_allowed": entry(
        REQUEST,
        ("You have no right to do that.", "Ask an admin."),
        ("Non si dispone dei diritti necessari.", "Rivolgersi a un amministratore."),
    ),
    "sign_in_needed": entry(
        REQUEST,
        ("A token is missing or wrong.", "Sign in again, or give the token of this installation."),
        ("Il token manca o è errato.", "Accedere di nuovo o indicare il token di questa installazione."),
    ),
    "wrong_host": entry(
        REQUEST,
        ("The request came under a name that is not this panel's.", "Open the panel by its own address."),
        ("La richiesta è arrivata con un nome che non è di questo pannello.", "Aprire il pannello al suo indirizzo."),
    ),
    "bad_request": entry(
        REQUEST,
        ("The request is not complete or not well formed.", "See the fields named."),
        ("La richiesta è incompleta o malformata.", "Vedere i campi indicati."),
    ),
    "repeated_otherwise": entry(
        REQUEST,
        ("The same key came with another request.", "Use a new Idempotency-Key."),
        ("La stessa chiave è arrivata con un'altra richiesta.", "Usare una nuova Idempotency-Key."),
    ),
    "body_too_large": entry(
        REQUEST,
        ("The upload is too large.", "Split the file; one MiB is the most."),
        ("Il caricamento è troppo grande.", "Dividere il file; il massimo è un MiB."),
    ),
}
