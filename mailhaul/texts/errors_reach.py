"""Codes of reaching a server and signing in to it; which server it was is said by the error."""

from mailhaul.errors import Side
from mailhaul.texts.language import Entry, entry

TRY_LATER = ("Mailhaul tries again by itself.", "Mailhaul riprova da solo.")

REACH: dict[str, Entry] = {
    "name_not_resolved": entry(
        None,
        ("The server's name has no address.", "Check the spelling of the server, or give its IP address."),
        ("Il nome del server non ha un indirizzo.", "Controllare il nome del server o indicarne l'indirizzo IP."),
    ),
    "host_malformed": entry(
        None,
        ("The server's name is not a host name.", "Give a name such as imap.example.net or an IP address."),
        ("Il nome del server non è valido.", "Indicare un nome come imap.example.net o un indirizzo IP."),
    ),
    "address_forbidden": entry(
        None,
        ("The server's address is not open to migrations.", "Give a public address, or ask the support."),
        ("L'indirizzo del server non è ammesso.", "Indicare un indirizzo pubblico o contattare l'assistenza."),
    ),
    "port_forbidden": entry(
        None,
        ("This port is not open to migrations.", "Use 993 or 143, or ask the support for another port."),
        ("Questa porta non è ammessa.", "Usare 993 o 143, oppure chiedere all'assistenza un'altra porta."),
    ),
    "plaintext_forbidden": entry(
        None,
        ("The connection would not be encrypted.", "Choose a type with SSL or STARTTLS."),
        ("La connessione non sarebbe cifrata.", "Scegliere un tipo con SSL o STARTTLS."),
    ),
    "connection_refused": entry(
        None,
        ("Nothing answers at this address and port.", "Check server and port, and that IMAP is switched on there."),
        ("A questo indirizzo e porta non risponde nulla.", "Controllare server e porta e che IMAP sia attivo."),
    ),
    "network_unreachable": entry(
        None,
        ("There is no route to the server.", "Check the address; a firewall may stand before it."),
        ("Il server non è raggiungibile.", "Controllare l'indirizzo; potrebbe esserci un firewall."),
    ),
    "connect_timed_out": entry(
        None,
        ("The server did not answer in time.", "Check server and port; a firewall may drop the connection."),
        ("Il server non ha risposto in tempo.", "Controllare server e porta; un firewall può bloccare la connessione."),
    ),
    "greeting_timed_out": entry(
        None,
        ("The server took the connection and said nothing.", "Try again later, or check that port and type match."),
        ("Il server ha accettato la connessione senza rispondere.", "Riprovare più tardi o verificare porta e tipo."),
    ),
    "not_imap": entry(
        None,
        ("What answers there is not an IMAP server.", "Check server and port; IMAP may be switched off there."),
        ("Ciò che risponde non è un server IMAP.", "Controllare server e porta; IMAP potrebbe essere disattivato."),
    ),
    "preauth_in_clear": entry(
        None,
        ("The server claims in clear text that nobody needs to sign in.", "Choose a type with SSL."),
        ("Il server dichiara in chiaro che non serve l'accesso.", "Scegliere un tipo con SSL."),
    ),
    "starttls_unavailable": entry(
        None,
        ("The server offers no STARTTLS.", "Choose Standard-SSL, or Standard-no-SSL if the server has no encryption."),
        ("Il server non offre STARTTLS.", "Scegliere Standard-SSL, o Standard-no-SSL se il server non usa cifratura."),
    ),
    "tls_failed": entry(
        None,
        ("The encrypted connection could not be made.", "Check port and type, or ask the server's operator."),
        ("La connessione cifrata non è riuscita.", "Controllare porta e tipo o chiedere al gestore del server."),
    ),
    "tls_not_spoken": entry(
        None,
        ("The server does not speak TLS on this port.", "Use port 993, or choose STARTTLS or Standard-no-SSL."),
        ("Il server non usa TLS su questa porta.", "Usare la porta 993 o scegliere STARTTLS o Standard-no-SSL."),
    ),
    "tls_too_old": entry(
        None,
        ("The server speaks only outdated encryption.", "Have it updated, or choose Standard-no-SSL at your own risk."),
        (
            "Il server usa solo una cifratura obsoleta.",
            "Farlo aggiornare o scegliere Standard-no-SSL a proprio rischio.",
        ),
    ),
    "tls_name_mismatch": entry(
        None,
        ("The server's certificate is for another name.", "Give the server by the name in its certificate."),
        ("Il certificato del server è di un altro nome.", "Indicare il server con il nome del suo certificato."),
    ),
    "tls_untrusted": entry(
        None,
        ("The server's certificate is not from a trusted authority.", "Have it renewed, or ask the support."),
        ("Il certificato del server non è di un'autorità riconosciuta.", "Farlo rinnovare o contattare l'assistenza."),
    ),
    "tls_expired": entry(
        None,
        ("The server's certificate has expired.", "Have it renewed, then check again."),
        ("Il certificato del server è scaduto.", "Farlo rinnovare, poi verificare di nuovo."),
    ),
    "tls_not_yet_valid": entry(
        None,
        ("The server's certificate is not valid yet.", "Check the server's clock, then check again."),
        (
            "Il certificato del server non è ancora valido.",
            "Controllare l'orologio del server, poi verificare di nuovo.",
        ),
    ),
    "closed": entry(
        None,
        ("The connection was closed.", TRY_LATER[0]),
        ("La connessione è stata chiusa.", TRY_LATER[1]),
    ),
    "disconnected": entry(
        None,
        ("The server closed the connection.", "If it does so again and again, try again in 24 to 48 hours."),
        ("Il server ha chiuso la connessione.", "Se accade di continuo, riprovare tra 24-48 ore."),
    ),
    "stalled": entry(
        None,
        ("The server stopped sending.", "If it does so again and again, try again in 24 to 48 hours."),
        ("Il server ha smesso di rispondere.", "Se accade di continuo, riprovare tra 24-48 ore."),
    ),
}

SIGN_IN: dict[str, Entry] = {
    "sign_in_refused": entry(
        None,
        ("Wrong user name or password.", "Type the password again, or check that the user may use IMAP."),
        ("Nome utente o password errati.", "Inserire di nuovo la password o verificare che l'utente possa usare IMAP."),
    ),
    "sign_in_bad": entry(
        None,
        ("The server did not understand the sign-in.", "Check that the server is an IMAP server of the chosen type."),
        ("Il server non ha capito l'accesso.", "Verificare che sia un server IMAP del tipo scelto."),
    ),
    "authorization_refused": entry(
        None,
        ("The master user may not open this mailbox.", "Check the master user's rights and the mailbox's name."),
        ("L'utente master non può aprire questa casella.", "Controllare i diritti dell'utente master e il nome."),
    ),
    "password_expired": entry(
        None,
        ("The password has expired.", "Set a new one on that server and give it here."),
        ("La password è scaduta.", "Impostarne una nuova su quel server e inserirla qui."),
    ),
    "privacy_required": entry(
        None,
        ("The server lets users sign in over an encrypted connection only.", "Choose Standard-SSL or STARTTLS."),
        ("Il server accetta l'accesso solo su connessione cifrata.", "Scegliere Standard-SSL o STARTTLS."),
    ),
    "contact_admin": entry(
        None,
        ("The server asks the user to contact its administrator.", "Ask the administrator of that server."),
        ("Il server chiede di contattare il suo amministratore.", "Rivolgersi all'amministratore di quel server."),
    ),
    "login_disabled": entry(
        None,
        ("The server lets nobody sign in on this connection.", "Choose Standard-SSL or STARTTLS."),
        ("Il server non permette l'accesso su questa connessione.", "Scegliere Standard-SSL o STARTTLS."),
    ),
    "no_mechanism": entry(
        None,
        ("The server has no way to sign in that a master user needs.", "Use a file with each mailbox's password."),
        ("Il server non offre l'accesso necessario a un utente master.", "Usare un file con le singole password."),
    ),
    "preauth": entry(
        None,
        ("The server signed in by itself as somebody.", "Give the server that users sign in to."),
        ("Il server ha effettuato da solo un accesso.", "Indicare il server a cui accedono gli utenti."),
    ),
    "unsendable": entry(
        Side.REQUEST,
        ("The user name or password holds a character that cannot be sent.", "Correct it, or set another password."),
        (
            "Il nome utente o la password contiene un carattere non ammesso.",
            "Correggere o impostare un'altra password.",
        ),
    ),
}
