"""A file to start from for every kind, and the page that explains it, in English and Italian."""

from dataclasses import dataclass

from mailhaul.intake.rows import Kind


@dataclass(frozen=True, slots=True)
class Template:
    """`content` is a CSV file that parses as it stands; `readme` is plain text, 78 columns at most."""

    file_name: str
    content: str
    readme: str


_STANDARD = """\
destination;host;source_user;password
anna@example.com;imap.example.net;anna@example.net;first-password
luca@example.com;192.0.2.7;luca;"a password; with a semicolon"
sara@example.com;imap.example.net:993;sara@example.net;"a ""quoted"" word; and a semicolon"
"""

_MASTER_USER = """\
destination;host;source_user;password;master_user
anna@example.com;imap.example.net;anna@example.net;master-password;migration
luca@example.com;192.0.2.7;luca;"master; password";migration@example.net
"""

_RULES_EN = """
Rules for the file
  - Plain text in UTF-8. Fields are separated by ; (semicolon), one mailbox a line.
  - A field that holds a semicolon stands between double quotes: "like;this".
    A double quote inside such a field is written twice: "say ""yes"";".
  - Straight quotes only. Word processors turn them into curved ones: edit the
    file with a plain text editor.
  - A password is taken exactly as it stands, blanks at its edges included.
    Blanks at the edges of the other fields do not matter.
  - The header line may stay; it is recognised and skipped. Empty lines too.
  - At most 500 mailboxes a file. A destination may appear once only.
  - The host is a name or an IP address, with a port if it is an unusual one
    (imap.example.net:1993). Not a web address.
  - Every destination mailbox must already exist.
"""

_RULES_IT = """
Regole per il file
  - Testo semplice in UTF-8. I campi sono separati da ; (punto e virgola), una
    casella per riga.
  - Un campo che contiene un punto e virgola va tra doppi apici: "cosi;scritto".
    Un doppio apice dentro un campo di questo tipo si scrive due volte:
    "dico ""si"";".
  - Solo apici diritti. I programmi di videoscrittura li rendono tipografici:
    modificare il file con un editor di testo semplice.
  - La password viene presa esattamente come sta, spazi iniziali e finali
    compresi. Negli altri campi gli spazi ai margini non contano.
  - La riga di intestazione può restare: viene riconosciuta e saltata. Anche le
    righe vuote.
  - Al massimo 500 caselle per file. Una destinazione può comparire una volta sola.
  - L'host è un nome o un indirizzo IP, con la porta se non è quella abituale
    (imap.example.net:1993). Non un indirizzo web.
  - Ogni casella di destinazione deve già esistere.
"""

_README = {
    (Kind.STANDARD, "en"): """\
Mailhaul: file for a standard migration

For mailboxes whose passwords you know. Four fields a line:

  destination   address of the mailbox on the new platform
  host          IMAP server to fetch the mail from
  source_user   user name there: the address or another name
  password      its password there
""",
    (Kind.STANDARD, "it"): """\
Mailhaul: file per una migrazione standard

Per le caselle di cui si conosce la password. Quattro campi per riga:

  destination   indirizzo della casella sulla nuova piattaforma
  host          server IMAP da cui prelevare i messaggi
  source_user   nome utente su quel server: l'indirizzo o un altro nome
  password      la sua password su quel server
""",
    (Kind.MASTER_USER, "en"): """\
Mailhaul: file for a migration with a master user

For mailboxes whose passwords you do not know, when the old server has a master
user that may open them all. Five fields a line:

  destination   address of the mailbox on the new platform
  host          IMAP server to fetch the mail from
  source_user   user name there: the address or another name
  password      the master user's password
  master_user   the master user's name
""",
    (Kind.MASTER_USER, "it"): """\
Mailhaul: file per una migrazione con utente master

Per le caselle di cui non si conosce la password, quando il vecchio server ha un
utente master che può aprirle tutte. Cinque campi per riga:

  destination   indirizzo della casella sulla nuova piattaforma
  host          server IMAP da cui prelevare i messaggi
  source_user   nome utente su quel server: l'indirizzo o un altro nome
  password      la password dell'utente master
  master_user   il nome dell'utente master
""",
}
_CONTENT = {Kind.STANDARD: _STANDARD, Kind.MASTER_USER: _MASTER_USER}
_RULES = {"en": _RULES_EN, "it": _RULES_IT}


def template(kind: Kind, language: str = "en") -> Template:
    """The template of a kind with its read-me; English where the language is not spoken here."""
    spoken = language if language in _RULES else "en"
    return Template(f"mailhaul-{kind.value}.csv", _CONTENT[kind], _README[kind, spoken] + _RULES[spoken])
