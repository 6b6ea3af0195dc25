"""The rules of an uploaded file in words; `{...}` are filled with numbers and with names of our own lists."""

from mailhaul.errors import Side
from mailhaul.intake.rows import Field, Remark, Rule
from mailhaul.texts.language import Entry, Language, Term, entry

FIELDS: dict[Field, Term] = {
    Field.DESTINATION: Term("destination", "destinazione"),
    Field.HOST: Term("server", "server"),
    Field.SOURCE_USER: Term("source user", "utente di origine"),
    Field.PASSWORD: Term("password", "password"),
    Field.MASTER_USER: Term("master user", "utente master"),
}

NAMES: dict[str, Term] = {
    "comma": Term("a comma", "una virgola"),
    "tab": Term("a tab", "una tabulazione"),
    "bar": Term("a vertical bar", "una barra verticale"),
    "colon": Term("a colon", "due punti"),
}


def _rule(en: tuple[str, str], it: tuple[str, str]) -> Entry:
    return entry(Side.REQUEST, en, it)


RULES: dict[str, Entry] = {
    Rule.TOO_LARGE.value: _rule(
        ("The file is too large ({got} octets, at most {expected}).", "Split it into several files."),
        ("Il file è troppo grande ({got} byte, massimo {expected}).", "Dividerlo in più file."),
    ),
    Rule.NOT_TEXT.value: _rule(
        ("The file is not a text file ({name}).", "Save it as CSV in UTF-8."),
        ("Il file non è un file di testo ({name}).", "Salvarlo come CSV in UTF-8."),
    ),
    Rule.EMPTY.value: _rule(
        ("The file is empty.", "Write one mailbox a line."),
        ("Il file è vuoto.", "Scrivere una casella per riga."),
    ),
    Rule.HEADER_ONLY.value: _rule(
        ("The file holds a header and no mailbox.", "Write one mailbox a line."),
        ("Il file contiene solo l'intestazione.", "Scrivere una casella per riga."),
    ),
    Rule.TOO_MANY_ROWS.value: _rule(
        ("The file has {got} rows; {expected} are allowed.", "Split it into several files."),
        ("Il file ha {got} righe; ne sono ammesse {expected}.", "Dividerlo in più file."),
    ),
    Rule.HEADER_ORDER.value: _rule(
        ("The header names the columns in another order.", "Put the columns in the order of the template."),
        ("L'intestazione indica le colonne in un altro ordine.", "Disporre le colonne come nel modello."),
    ),
    Rule.ENCODING.value: _rule(
        ("The text is not UTF-8; it looks like {name}.", "Save the file in UTF-8."),
        ("Il testo non è UTF-8; sembra {name}.", "Salvare il file in UTF-8."),
    ),
    Rule.LINE_TOO_LONG.value: _rule(
        ("The line is too long ({got} octets, at most {expected}).", "Check that each mailbox has a line of its own."),
        ("La riga è troppo lunga ({got} byte, massimo {expected}).", "Verificare che ogni casella abbia la sua riga."),
    ),
    Rule.NUL.value: _rule(
        ("The line holds a NUL character.", "Save the file in UTF-8 with a plain text editor."),
        ("La riga contiene un carattere NUL.", "Salvare il file in UTF-8 con un editor di testo semplice."),
    ),
    Rule.LONE_CR.value: _rule(
        ("A carriage return stands alone.", "End lines with LF or CRLF."),
        ("C'è un ritorno a capo CR isolato.", "Terminare le righe con LF o CRLF."),
    ),
    Rule.LINE_BREAK.value: _rule(
        ("A field holds a line break.", "Write each mailbox on one line."),
        ("Un campo contiene un'interruzione di riga.", "Scrivere ogni casella su una sola riga."),
    ),
    Rule.UNBALANCED_QUOTE.value: _rule(
        ("A double quote is not closed.", "Close it; a double quote inside a quoted field is written twice."),
        ("Un doppio apice non è chiuso.", "Chiuderlo; dentro un campo tra apici, il doppio apice si scrive due volte."),
    ),
    Rule.MISPLACED_QUOTE.value: _rule(
        ("A double quote stands beside other text.", "Quote the whole field, without blanks around the quotes."),
        ("Un doppio apice è accanto ad altro testo.", "Racchiudere tra apici l'intero campo, senza spazi intorno."),
    ),
    Rule.TYPOGRAPHIC_QUOTE.value: _rule(
        ("Typographic quotes stand where straight ones belong.", 'Replace them by ".'),
        ("Ci sono apici tipografici al posto di quelli diritti.", 'Sostituirli con ".'),
    ),
    Rule.WRONG_DELIMITER.value: _rule(
        ("The fields are separated by {name}.", "Separate them by ; (semicolon)."),
        ("I campi sono separati da {name}.", "Separarli con ; (punto e virgola)."),
    ),
    Rule.FIELD_COUNT.value: _rule(
        ("The line has {got} fields; {expected} are needed.", "A field that holds ; stands between double quotes."),
        ("La riga ha {got} campi; ne servono {expected}.", "Un campo che contiene ; va tra doppi apici."),
    ),
    Rule.EMPTY_FIELD.value: _rule(
        ("The field is empty.", "Fill it."),
        ("Il campo è vuoto.", "Compilarlo."),
    ),
    Rule.CONTROL_CHARACTER.value: _rule(
        ("The field holds an invisible character.", "Type the field again."),
        ("Il campo contiene un carattere invisibile.", "Scrivere di nuovo il campo."),
    ),
    Rule.BAD_ADDRESS.value: _rule(
        ("This is not an e-mail address.", "Write it like anna@example.com."),
        ("Non è un indirizzo e-mail.", "Scriverlo come anna@example.com."),
    ),
    Rule.DUPLICATE_DESTINATION.value: _rule(
        ("Line {other_line} has the same destination.", "Keep one of the two lines."),
        ("La riga {other_line} ha la stessa destinazione.", "Tenere una sola delle due righe."),
    ),
    Rule.HOST_IS_URL.value: _rule(
        ("The server is given as a URL, a path or an address.", "Give its name alone, such as imap.example.net."),
        ("Il server è indicato come URL, percorso o indirizzo e-mail.", "Indicarne solo il nome: imap.example.net."),
    ),
    Rule.HOST_PORT.value: _rule(
        ("The port is not a number from 1 to 65535.", "Write it like imap.example.net:1993, or leave it out."),
        ("La porta non è un numero da 1 a 65535.", "Scriverla come imap.example.net:1993 oppure ometterla."),
    ),
    Rule.BAD_HOST.value: _rule(
        ("This is not a server's name or IP address.", "Write it like imap.example.net or 192.0.2.7."),
        ("Non è il nome né l'indirizzo IP di un server.", "Scriverlo come imap.example.net o 192.0.2.7."),
    ),
    Rule.FORBIDDEN_HOST.value: _rule(
        ("This address is not open to migrations.", "Give a public address, or ask the support."),
        ("Questo indirizzo non è ammesso.", "Indicare un indirizzo pubblico o contattare l'assistenza."),
    ),
    Rule.HEADER_SKIPPED.value: _rule(
        ("The header line was skipped.", "Nothing to do."),
        ("La riga di intestazione è stata saltata.", "Nessuna azione necessaria."),
    ),
    Rule.SEPARATOR_LINE_SKIPPED.value: _rule(
        ("The line sep=; was skipped.", "Nothing to do."),
        ("La riga sep=; è stata saltata.", "Nessuna azione necessaria."),
    ),
    Rule.SAME_SOURCE.value: _rule(
        ("Line {other_line} has the same source.", "Make sure that both destinations are meant."),
        ("La riga {other_line} ha la stessa origine.", "Verificare che le due destinazioni siano volute."),
    ),
    Rule.PASSWORD_EDGE_SPACE.value: _rule(
        ("The password begins or ends with a blank, which is kept.", "Make sure that it belongs to it."),
        ("La password inizia o finisce con uno spazio, che viene mantenuto.", "Verificare che ne faccia parte."),
    ),
}

LINE = Term("Line {line}", "Riga {line}")
WHOLE_FILE = Term("File", "File")


def remark_sentence(remark: Remark, language: Language) -> str:
    """What is wrong and what to do; fields and lines stand beside it, see `remark_place`."""
    words = RULES[remark.rule.value].words(language)
    name = NAMES[remark.name][language] if remark.name in NAMES else remark.name
    filled = words.sentence.format(expected=remark.expected, got=remark.got, name=name, other_line=remark.other_line)
    return f"{filled} {words.remedy}"


def remark_place(remark: Remark, language: Language) -> str:
    """`Line 3, password`, `Line 3` or `File`."""
    place = LINE[language].format(line=remark.line) if remark.line else WHOLE_FILE[language]
    return f"{place}, {FIELDS[remark.field][language]}" if remark.field else place
