"""Codes of servers at work: refusals, limits, folders, messages."""

from mailhaul.errors import Side
from mailhaul.texts.errors_reach import TRY_LATER
from mailhaul.texts.language import Entry, entry

AGAIN_EN, AGAIN_IT = TRY_LATER

SERVER: dict[str, Entry] = {
    "server_unavailable": entry(
        None,
        ("The server is unavailable for the moment.", AGAIN_EN),
        ("Il server è momentaneamente non disponibile.", AGAIN_IT),
    ),
    "server_error": entry(
        None,
        ("The server reports an internal error.", AGAIN_EN),
        ("Il server segnala un errore interno.", AGAIN_IT),
    ),
    "server_limit": entry(
        None,
        ("The server allows no more connections at once.", AGAIN_EN),
        ("Il server non ammette altre connessioni contemporanee.", AGAIN_IT),
    ),
    "throttled": entry(
        None,
        ("The server asks for patience.", "Mailhaul goes on by itself at the time shown."),
        ("Il server chiede di rallentare.", "Mailhaul riprende da solo all'ora indicata."),
    ),
    "mailbox_in_use": entry(
        None,
        ("Another program holds the mailbox.", AGAIN_EN),
        ("Un altro programma tiene occupata la casella.", AGAIN_IT),
    ),
    "over_quota": entry(
        None,
        ("The mailbox has no room left.", "Give the mailbox more room; Mailhaul then goes on by itself."),
        ("La casella è piena.", "Aumentare lo spazio della casella; Mailhaul riprende poi da solo."),
    ),
    "command_refused": entry(
        None,
        ("The server refused what was asked of it.", "See the details, and ask that server's administrator."),
        ("Il server ha rifiutato la richiesta.", "Vedere i dettagli e chiedere all'amministratore del server."),
    ),
    "command_bad": entry(
        None,
        ("The server did not understand a command.", "See the details, and tell the support."),
        ("Il server non ha capito un comando.", "Vedere i dettagli e contattare l'assistenza."),
    ),
    "not_permitted": entry(
        None,
        ("The server does not permit it.", "Check the rights on that folder or mailbox."),
        ("Il server non lo permette.", "Controllare i permessi sulla cartella o sulla casella."),
    ),
    "not_possible": entry(
        None,
        ("The server cannot do it.", "See the details; a folder's name may have to be translated."),
        ("Il server non può farlo.", "Vedere i dettagli; forse va tradotto il nome di una cartella."),
    ),
    "folder_missing": entry(
        None,
        ("A folder is no longer there.", AGAIN_EN),
        ("Una cartella non esiste più.", AGAIN_IT),
    ),
    "folder_exists": entry(
        None,
        ("A folder of that name is already there.", AGAIN_EN),
        ("Esiste già una cartella con quel nome.", AGAIN_IT),
    ),
    "protocol_broken": entry(
        None,
        ("The server sent what the protocol does not allow.", "Tell the support which server product it is."),
        ("Il server ha inviato dati non previsti dal protocollo.", "Comunicare all'assistenza il prodotto del server."),
    ),
    "uidvalidity_changed": entry(
        None,
        ("A folder was renumbered during the copy.", AGAIN_EN),
        ("Una cartella è stata rinumerata durante la copia.", AGAIN_IT),
    ),
    "too_many_folders": entry(
        Side.SOURCE,
        ("The mailbox has more folders than can be moved.", "Delete folders that nobody needs, or ask the support."),
        (
            "La casella ha più cartelle di quante si possano spostare.",
            "Eliminare quelle inutili o contattare l'assistenza.",
        ),
    ),
    "folders_too_deep": entry(
        Side.SOURCE,
        ("The mailbox nests its folders too deep.", "Move the deepest folders up, or ask the support."),
        (
            "Le cartelle della casella sono annidate troppo in profondità.",
            "Spostarle più in alto o contattare l'assistenza.",
        ),
    ),
    "marks_as_read": entry(
        Side.SOURCE,
        (
            "The old server marks mail as read when it is copied.",
            "Nothing was written there; ask the support for a repair.",
        ),
        (
            "Il vecchio server segna come letti i messaggi copiati.",
            "Nulla vi è stato scritto; chiedere all'assistenza.",
        ),
    ),
}

MESSAGE: dict[str, Entry] = {
    "too_large": entry(
        None,
        ("The message is over the size limit.", "Save it by hand if it is needed."),
        ("Il messaggio supera la dimensione massima.", "Salvarlo a mano se serve."),
    ),
    "append_refused": entry(
        Side.DESTINATION,
        ("The new server refused this message.", "See the details, then retry it or accept that it stays behind."),
        (
            "Il nuovo server ha rifiutato il messaggio.",
            "Vedere i dettagli, poi riprovare o accettare che resti indietro.",
        ),
    ),
    "folder_refused": entry(
        Side.DESTINATION,
        ("The new server does not take this folder's name.", "Translate the folder's name, then retry the mailbox."),
        ("Il nuovo server non accetta il nome della cartella.", "Tradurre il nome della cartella, poi riprovare."),
    ),
    "append_bad": entry(
        Side.DESTINATION,
        ("The new server did not understand a message's storing.", AGAIN_EN),
        ("Il nuovo server non ha capito l'archiviazione di un messaggio.", AGAIN_IT),
    ),
    "fetch_refused": entry(
        Side.SOURCE,
        ("The old server could not hand out this message.", "Try again in 24 to 48 hours, or save it by hand."),
        ("Il vecchio server non è riuscito a fornire il messaggio.", "Riprovare tra 24-48 ore o salvarlo a mano."),
    ),
    "not_returned": entry(
        Side.SOURCE,
        ("The old server lists this message and does not hand it out.", "Try again in 24 to 48 hours."),
        ("Il vecchio server elenca il messaggio ma non lo fornisce.", "Riprovare tra 24-48 ore."),
    ),
    "ends_sessions": entry(
        None,
        ("A server ended the connection each time this message was copied.", "Save it by hand if it is needed."),
        ("Un server ha chiuso la connessione ogni volta con questo messaggio.", "Salvarlo a mano se serve."),
    ),
    "empty_message": entry(
        Side.SOURCE,
        ("The message is empty on the old server.", "Nothing is lost: there is nothing in it."),
        ("Il messaggio è vuoto sul vecchio server.", "Non si perde nulla: non contiene nulla."),
    ),
    "empty_message_stored": entry(
        Side.DESTINATION,
        ("The new server stored an empty message in a test.", "Tell the support which server product it is."),
        ("Il nuovo server ha archiviato un messaggio vuoto durante una prova.", "Avvisare l'assistenza."),
    ),
    "vanished": entry(
        Side.SOURCE,
        ("The message was removed at the source before it was copied.", "Nothing to do."),
        ("Il messaggio è stato rimosso all'origine prima della copia.", "Nessuna azione necessaria."),
    ),
    "surplus_removed": entry(
        Side.DESTINATION,
        ("A late second copy of our own was removed.", "Nothing to do."),
        ("È stata rimossa una seconda copia tardiva creata da noi.", "Nessuna azione necessaria."),
    ),
    "surplus_reported": entry(
        Side.DESTINATION,
        ("There may be a second copy of this message.", "Look at both, and delete one if you do not need it."),
        ("Potrebbe esserci una seconda copia di questo messaggio.", "Confrontarle ed eliminarne una se non serve."),
    ),
    "mismatch": entry(
        Side.DESTINATION,
        ("The message at the destination is not the one that was copied.", "Retry the mailbox, or tell the support."),
        ("Il messaggio a destinazione non è quello copiato.", "Riprovare la casella o contattare l'assistenza."),
    ),
}
