"""The sentences of a log, one for each kind of stored event, in English and Italian."""

from mailhaul.texts import Term

PHRASES: dict[str, Term] = {
    "MigrationSubmitted": Term(
        "{requested_by} submitted {row_count} mailboxes ({source_type})",
        "{requested_by} ha inviato {row_count} caselle ({source_type})",
    ),
    "RunRequested": Term("{requested_by} asked for a run", "{requested_by} ha chiesto un'esecuzione"),
    "RescheduleRequested": Term("{requested_by} asked for other times", "{requested_by} ha chiesto altri orari"),
    "PauseRequested": Term("{requested_by} asked for a pause", "{requested_by} ha chiesto una pausa"),
    "ResumeRequested": Term("{requested_by} asked to go on", "{requested_by} ha chiesto di riprendere"),
    "CancelRequested": Term("{requested_by} asked to cancel", "{requested_by} ha chiesto di annullare"),
    "RetryRequested": Term(
        "{requested_by} asked to try again what failed", "{requested_by} ha chiesto di riprovare ciò che è fallito"
    ),
    "CorrectRowRequested": Term("{requested_by} corrected line {line}", "{requested_by} ha corretto la riga {line}"),
    "LeaveOutRowRequested": Term("{requested_by} left a row out", "{requested_by} ha escluso una riga"),
    "RecheckRequested": Term("{requested_by} asked for another check", "{requested_by} ha chiesto un'altra verifica"),
    "DeleteRequested": Term("{requested_by} asked to delete it", "{requested_by} ha chiesto di eliminarla"),
    "RowSubmitted": Term("Line {line}: {source_user} on {host}", "Riga {line}: {source_user} su {host}"),
    "RowCorrected": Term(
        "Line {line} is checked again: {source_user} on {host}",
        "Riga {line} verificata di nuovo: {source_user} su {host}",
    ),
    "RowLeftOut": Term("The row was left out", "La riga è stata esclusa"),
    "RowChecked.passed": Term(
        "Line {line}: check passed; {folders} folders, {messages} messages, {octets} to copy, "
        "{left_out_messages} left out",
        "Riga {line}: verifica superata; {folders} cartelle, {messages} messaggi, {octets} da copiare, "
        "{left_out_messages} esclusi",
    ),
    "RowChecked": Term("Line {line}: {state}. {cause}", "Riga {line}: {state}. {cause}"),
    "MigrationAccepted": Term("Valid; first run: {first_at}", "Valida; prima esecuzione: {first_at}"),
    "MigrationRejected": Term("Not valid: {cause}", "Non valida: {cause}"),
    "MigrationReopened": Term("Checked again", "Di nuovo in verifica"),
    "MigrationRescheduled": Term(
        "First run: {first_at}; second run: {second_at}", "Prima esecuzione: {first_at}; seconda: {second_at}"
    ),
    "MigrationPaused": Term("Paused", "In pausa"),
    "MigrationResumed": Term("Resumed", "Ripresa"),
    "MigrationCancelled": Term("Cancelled", "Annullata"),
    "MigrationFinished": Term("Over; grade: {grade}", "Terminata; giudizio: {grade}"),
    "RunStarted": Term("Run {run} began, {mailboxes} mailboxes", "Esecuzione {run} iniziata, {mailboxes} caselle"),
    "RunEnded": Term("Run {run} is over", "Esecuzione {run} terminata"),
    "RunFinished": Term(
        "Run {run}: {account}; grade: {grade}; {advice}", "Esecuzione {run}: {account}; giudizio: {grade}; {advice}"
    ),
    "RequestRefused": Term("Refused: {cause}", "Rifiutato: {cause}"),
    "RunTriggered": Term("Run {run}: triggered ({scope})", "Esecuzione {run}: avviata ({scope})"),
    "MailboxStopRequested": Term("Stop asked for ({reason})", "Arresto richiesto ({reason})"),
    "FolderPlanned": Term(
        "Folder {source_name} → {destination_name}: is copied. {why}",
        "Cartella {source_name} → {destination_name}: viene copiata. {why}",
    ),
    "FolderPlanned.same": Term("Folder {source_name}: is copied", "Cartella {source_name}: viene copiata"),
    "FolderPlanned.skip": Term("Folder {source_name}. {why}", "Cartella {source_name}. {why}"),
    "FolderProgressed": Term("Run {run}, folder {folder}: {account}", "Esecuzione {run}, cartella {folder}: {account}"),
    "MessageOutcome": Term(
        "Run {run}, folder {folder}, message UID {source_uid} ({octets}): {outcome}. {cause}",
        "Esecuzione {run}, cartella {folder}, messaggio UID {source_uid} ({octets}): {outcome}. {cause}",
    ),
    "MailboxRunChanged.started": Term("Run {run}: started", "Esecuzione {run}: iniziata"),
    "MailboxRunChanged.parked": Term(
        "Run {run}: waits until {until} ({reason})", "Esecuzione {run}: in attesa fino a {until} ({reason})"
    ),
    "MailboxRunChanged.stopped": Term("Run {run}: stopped ({reason})", "Esecuzione {run}: fermata ({reason})"),
    "MailboxRunChanged.failed": Term("Run {run}: {cause}", "Esecuzione {run}: {cause}"),
    "MailboxRunChanged.finished": Term(
        "Run {run}: {account}; grade: {grade}", "Esecuzione {run}: {account}; giudizio: {grade}"
    ),
    "MailboxRunChanged.settled": Term(
        "Run {run}: settled; {account}; grade: {grade}", "Esecuzione {run}: consolidata; {account}; giudizio: {grade}"
    ),
    "NoticeRequested": Term("A mail is due: {notice}", "Una mail è da inviare: {notice}"),
    "NotificationChanged.sent": Term(
        "Mail sent to {recipients} recipients: {notice}", "Mail inviata a {recipients} destinatari: {notice}"
    ),
    "NotificationChanged.failed": Term(
        "Mail could not be sent: {notice}. {cause}", "Mail non inviata: {notice}. {cause}"
    ),
}

ACCOUNT = Term(
    "{found} found = {copied} copied + {already_there} already there + {skipped} skipped + {vanished} vanished"
    " + {failed} failed + {left} left",
    "{found} trovati = {copied} copiati + {already_there} già presenti + {skipped} esclusi + {vanished} scomparsi"
    " + {failed} non riusciti + {left} rimasti",
)

# Words of the events' own fields; what is not here is told as it is.
WORDS: dict[str, Term] = {
    "first": Term("newest mail first", "prima la posta più recente"),
    "bulk": Term("everything", "tutto"),
    "folder": Term("one folder", "una cartella"),
    "failed_messages": Term("what failed", "ciò che è fallito"),
    "settle": Term("settling", "consolidamento"),
    "continue": Term("others have their turn", "tocca ad altre"),
    "leased": Term("another worker has it", "la tiene un altro processo"),
    "throttled": Term("limited by the server", "limitata dal server"),
    "over_quota": Term("no room left", "spazio esaurito"),
    "server_down": Term("the server is down", "il server non risponde"),
    "retry": Term("another try", "nuovo tentativo"),
    "paused": Term("pause", "pausa"),
    "cancelled": Term("cancelled", "annullata"),
    "skipped": Term("skipped", "escluso"),
    "failed": Term("failed", "non riuscito"),
    "vanished": Term("vanished", "scomparso"),
    "surplus": Term("second copy", "seconda copia"),
    "switch_mx": Term("change your MX records now", "cambiare ora i record MX"),
    "do_not_switch": Term("do not change your MX records yet", "non cambiare ancora i record MX"),
    "finished": Term("nothing to do", "nessuna azione necessaria"),
    "none": Term("none", "nessuna"),
}
