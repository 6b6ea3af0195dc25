"""Codes of the destination's directory, of secrets, of Mailhaul itself and its broker."""

from mailhaul.errors import Side
from mailhaul.texts.errors_reach import TRY_LATER
from mailhaul.texts.language import Entry, entry

AGAIN_EN, AGAIN_IT = TRY_LATER

CHECK: dict[str, Entry] = {
    "domain_not_granted": entry(
        Side.DESTINATION,
        ("The destination's domain is not yours yet.", "Have the domain granted, then check again."),
        ("Il dominio di destinazione non è ancora vostro.", "Farsi assegnare il dominio, poi verificare di nuovo."),
    ),
    "destination_missing": entry(
        Side.DESTINATION,
        ("The destination mailbox does not exist.", "Create the mailbox, then check again."),
        ("La casella di destinazione non esiste.", "Creare la casella, poi verificare di nuovo."),
    ),
    "destination_refused": entry(
        Side.DESTINATION,
        (
            "The platform does not let Mailhaul into this mailbox.",
            "Tell the support: the platform's master user fails.",
        ),
        (
            "La piattaforma non permette a Mailhaul di aprire la casella.",
            "Avvisare l'assistenza: l'utente master fallisce.",
        ),
    ),
    "no_room": entry(
        Side.DESTINATION,
        ("The destination mailbox has not enough room.", "Give the mailbox more room, then check again."),
        ("La casella di destinazione non ha abbastanza spazio.", "Aumentarne lo spazio, poi verificare di nuovo."),
    ),
    "bad_domain": entry(
        Side.REQUEST,
        ("This is not a domain name.", "Give a name such as example.com."),
        ("Non è un nome di dominio.", "Indicare un nome come example.com."),
    ),
    "domain_taken": entry(
        Side.REQUEST,
        ("The domain belongs to another customer.", "Ask the support."),
        ("Il dominio appartiene a un altro cliente.", "Contattare l'assistenza."),
    ),
    "not_tested": entry(
        Side.PLATFORM,
        ("The row was not tested in time.", "Check it again."),
        ("La riga non è stata verificata in tempo.", "Verificarla di nuovo."),
    ),
    "not_tested_refusals": entry(
        Side.SOURCE,
        (
            "Not tested: the server refused several sign-ins in a row.",
            "Correct the failed rows first, then check again.",
        ),
        ("Non verificata: il server ha rifiutato più accessi di seguito.", "Correggere prima le righe fallite."),
    ),
    "waiting_for_owner": entry(
        Side.REQUEST,
        ("The owner has yet to give the password.", "Send the link again, or give the password yourself."),
        ("Il proprietario deve ancora fornire la password.", "Inviare di nuovo il link o inserire la password."),
    ),
}

SECRETS: dict[str, Entry] = {
    "credentials_missing": entry(
        Side.REQUEST,
        ("The password has not been given yet.", "Give it, or send its owner the link again."),
        ("La password non è ancora stata fornita.", "Inserirla o inviare di nuovo il link al proprietario."),
    ),
    "credentials_expired": entry(
        Side.PLATFORM,
        ("The password was deleted for safety.", "Give it again."),
        ("La password è stata eliminata per sicurezza.", "Inserirla di nuovo."),
    ),
    "secret_misplaced": entry(
        Side.PLATFORM,
        ("The password on record belongs to another row.", "Give it again for this row."),
        ("La password registrata appartiene a un'altra riga.", "Inserirla di nuovo per questa riga."),
    ),
    "secret_void": entry(
        Side.PLATFORM,
        ("The password was given for another server or user.", "Give it again for this one."),
        ("La password era stata data per un altro server o utente.", "Inserirla di nuovo per questo."),
    ),
}

INTERNAL: dict[str, Entry] = {
    code: entry(
        Side.PLATFORM,
        (sentence_en, "Nothing is lost. The operators of this installation see it and act."),
        (sentence_it, "Nulla è perso. I gestori di questa installazione ne sono avvisati."),
    )
    for code, sentence_en, sentence_it in (
        ("fenced", "Another worker took the mailbox over.", "Un altro processo ha preso in carico la casella."),
        ("leased", "Another worker holds the mailbox.", "Un altro processo ha in carico la casella."),
        ("undecodable", "A record could not be read.", "Un record non è leggibile."),
        ("not_avro", "A record is not in the agreed format.", "Un record non è nel formato concordato."),
        ("unknown_schema", "A record has an unknown schema.", "Un record ha uno schema sconosciuto."),
        ("unknown_event_type", "A record is of an unknown type.", "Un record è di tipo sconosciuto."),
        ("no_event_headers", "A record does not say what it is.", "Un record non dice che cosa è."),
        ("wrong_topic", "A record lies on a topic where it does not belong.", "Un record è sul topic sbagliato."),
        ("tls_needed", "The panel is open to others without TLS.", "Il pannello è accessibile ad altri senza TLS."),
        ("no_destination_access", "There is no way into the destination.", "Non c'è accesso alla destinazione."),
        ("unexpected_event", "A service got a record that is not for it.", "Un record è giunto al servizio sbagliato."),
        ("unknown_notice", "A mail of an unknown kind was asked for.", "È stata richiesta un'e-mail sconosciuta."),
        ("impossible", "A record says what cannot be true.", "Un record afferma cose impossibili."),
        ("broker_unreachable", "The event broker does not answer.", "Il broker degli eventi non risponde."),
        ("topics_missing", "Topics are missing on the broker.", "Mancano dei topic sul broker."),
        ("topics_differ", "Topics differ from their settings.", "I topic differiscono dalle impostazioni."),
        ("retention_too_short", "The broker forgets too early.", "Il broker dimentica troppo presto."),
        ("database_unreachable", "The database does not answer.", "Il database non risponde."),
        ("database_outdated", "The database has not been upgraded.", "Il database non è aggiornato."),
        ("unsafe_setting", "A setting is not safe for production.", "Un'impostazione non è sicura in produzione."),
        ("smtp_refused", "The mail relay refused a mail.", "Il server di posta ha rifiutato un'e-mail."),
        ("smtp_unreachable", "The mail relay does not answer.", "Il server di posta non risponde."),
        ("unexpected", "Something unexpected happened.", "Si è verificato un imprevisto."),
    )
}

OPERATOR: dict[str, Entry] = {
    "bad_place": entry(
        Side.REQUEST,
        ("This is not the place of a record.", "Write it as topic/partition@offset."),
        ("Non è la posizione di un record.", "Scriverla come topic/partizione@offset."),
    ),
    "no_such_letter": entry(
        Side.REQUEST,
        ("There is no dead letter at that place.", "List the dead letters first."),
        ("In quella posizione non c'è alcun record.", "Elencare prima i record scartati."),
    ),
    "already_handled": entry(
        Side.REQUEST,
        ("This dead letter has been dealt with already.", "Nothing to do."),
        ("Questo record è già stato trattato.", "Nessuna azione necessaria."),
    ),
    "no_such_topic": entry(
        Side.REQUEST,
        ("There is no such topic.", "See the list of topics."),
        ("Questo topic non esiste.", "Vedere l'elenco dei topic."),
    ),
}
