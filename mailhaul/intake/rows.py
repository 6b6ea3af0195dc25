"""What a file turns into: rows, or faults that name a line, a field and a rule and never what stood there."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr


class Kind(StrEnum):
    """The dialect of a file, chosen by whoever uploads it and never guessed row by row.

    A standard row whose password holds an unquoted `;` looks exactly like a master-user row.
    """

    STANDARD = "standard"
    MASTER_USER = "master-user"


class Field(StrEnum):
    """The columns, by the names that faults, templates and the API use."""

    DESTINATION = "destination"
    HOST = "host"
    SOURCE_USER = "source_user"
    PASSWORD = "password"
    MASTER_USER = "master_user"


class Rule(StrEnum):
    """Rules that a file can break; each is a code of the catalogue in `mailhaul/texts`."""

    # the whole file
    TOO_LARGE = "csv_too_large"
    NOT_TEXT = "csv_not_text"
    EMPTY = "csv_empty"
    HEADER_ONLY = "csv_header_only"
    TOO_MANY_ROWS = "csv_too_many_rows"
    HEADER_ORDER = "csv_header_order"
    # a line
    ENCODING = "csv_encoding"
    LINE_TOO_LONG = "csv_line_too_long"
    NUL = "csv_nul"
    LONE_CR = "csv_lone_cr"
    LINE_BREAK = "csv_line_break"
    UNBALANCED_QUOTE = "csv_unbalanced_quote"
    MISPLACED_QUOTE = "csv_misplaced_quote"
    TYPOGRAPHIC_QUOTE = "csv_typographic_quote"
    WRONG_DELIMITER = "csv_wrong_delimiter"
    FIELD_COUNT = "csv_field_count"
    # a field
    EMPTY_FIELD = "csv_empty_field"
    CONTROL_CHARACTER = "csv_control_character"
    BAD_ADDRESS = "csv_bad_address"
    DUPLICATE_DESTINATION = "csv_duplicate_destination"
    HOST_IS_URL = "csv_host_is_url"
    HOST_PORT = "csv_host_port"
    BAD_HOST = "csv_bad_host"
    FORBIDDEN_HOST = "csv_forbidden_host"
    # notices: said, and no hindrance
    HEADER_SKIPPED = "csv_header_skipped"
    SEPARATOR_LINE_SKIPPED = "csv_separator_line_skipped"
    SAME_SOURCE = "csv_same_source"
    PASSWORD_EDGE_SPACE = "csv_password_edge_space"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One rule, where it applies.

    `line` is the physical line number, 0 for the file as a whole; `field` is empty for a whole line. The other members
    fill the sentence: `name` comes from closed lists of ours (an encoding, a delimiter), never from the file.
    """

    rule: Rule
    line: int = 0
    field: Field | None = None
    other_line: int = 0
    expected: int = 0
    got: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One mailbox to move, as the file says it; the password is exactly what stood there, edges included."""

    line: int
    destination: str  # as `ids.canonical_address` writes it
    host: str  # a name in ASCII and lower case without its last dot, or an address in its short form
    port: int | None  # None: the port of the migration's type
    source_user: str
    password: SecretStr | None  # None: its owner has yet to give it
    master_user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps that hold before anything is parsed, and the largest number of rows."""

    rows: int = 500
    octets: int = 1_048_576
    line_octets: int = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The answer to a file: with one fault `rows` is empty, so that nothing of a faulty file can be stored."""

    kind: Kind
    rows: tuple[Row, ...]
    faults: tuple[Remark, ...]
    notices: tuple[Remark, ...]
    read: int  # lines that hold a row, good or faulty

    @property
    def accepted(self) -> bool:
        return not self.faults
