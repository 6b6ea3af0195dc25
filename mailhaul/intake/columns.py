"""A dialect is data: its columns in order, what each may hold, and the words that its header lines use."""

from dataclasses import dataclass

from mailhaul.intake.rows import Field, Kind

# Words seen at the head of such columns, in English and Italian, lower case and without blanks, `-` and `_`.
_ANY_USER = frozenset({"email", "mail", "user", "username", "utente", "login", "account"})
_HEADS: dict[Field, frozenset[str]] = {
    Field.DESTINATION: _ANY_USER
    | {"destination", "dest", "destinazione", "email@locale", "utentelocale@dominio", "local", "locale", "localemail"}
    | {"destinationaddress", "destinationemail", "indirizzodestinazione", "newaddress", "emaildestinazione"},
    Field.HOST: frozenset({"host", "server", "hostname", "imapserver", "imap", "sourceserver", "sourcehost"})
    | {"imapserverremoto", "serverimapremoto", "serverimap", "remoteserver", "serverorigine", "serverdiorigine"},
    Field.SOURCE_USER: _ANY_USER
    | {"sourceuser", "source", "remoteuser", "remoteemail", "email@remota", "utenteremoto@dominio", "utenteremoto"}
    | {"utenteorigine", "utentediorigine", "sourceemail", "origine"},
    Field.PASSWORD: frozenset({"password", "pwd", "pass", "pwdremota", "passwordremota", "sourcepassword"})
    | {"pwdmasteruser", "masterpassword", "passwordmaster", "passwordutentemaster"},
    Field.MASTER_USER: frozenset({"masteruser", "masterusername", "master", "utentemaster", "nomeutentemaster"}),
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """`owners_may_give` says whether `passwords=owners` lets the password be empty in this kind."""

    kind: Kind
    columns: tuple[Field, ...]
    owners_may_give: bool


STANDARD = Dialect(Kind.STANDARD, (Field.DESTINATION, Field.HOST, Field.SOURCE_USER, Field.PASSWORD), True)
# The fourth column is the master user's password: without it there is nobody else to ask.
MASTER_USER = Dialect(Kind.MASTER_USER, (*STANDARD.columns, Field.MASTER_USER), False)

DIALECTS: dict[Kind, Dialect] = {dialect.kind: dialect for dialect in (STANDARD, MASTER_USER)}


def is_header(cells: tuple[str, ...]) -> bool:
    """True where a line holds column names: the first cell and at least one more say so.

    No word of the lists is an address that could exist, so no row is ever taken for a header.
    """
    known = [any(_folded(cell) in words for words in _HEADS.values()) for cell in cells]
    return known[0] and sum(known) > 1


def header_in_order(cells: tuple[str, ...], columns: tuple[Field, ...]) -> bool:
    """False where a known name stands over another column: a password taken for a user would leave the vault."""
    for cell, column in zip(cells, columns, strict=False):
        word = _folded(cell)
        if word not in _HEADS[column] and any(word in words for words in _HEADS.values()):
            return False
    return True


def _folded(cell: str) -> str:
    return "".join(mark for mark in cell.casefold() if mark not in " \t\u00a0-_\ufeff")
