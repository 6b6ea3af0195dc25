"""A file to rows, or to all of its faults at once; pure, and strict because a guess would move the wrong mailbox."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from pydantic import SecretStr

from mailhaul.intake.columns import DIALECTS, Dialect, header_in_order, is_header
from mailhaul.intake.encoding import Line, decode
from mailhaul.intake.names import Broken, Host, address, host, literal_address
from mailhaul.intake.quoting import BLANKS, Cell, Cells, split, typographic_edges, typographic_pair
from mailhaul.intake.rows import Field, Kind, Limits, Parsed, Remark, Row, Rule

# Delimiters of other programs, for the sentence that names the one that was found.
OTHER_DELIMITERS = {",": "comma", "\t": "tab", "|": "bar", ":": "colon"}
LINES_IN_A_CELL = 8  # how far a quoted cell is followed over line ends, to tell a break from a missing quote

Forbidden = Callable[[IPv4Address | IPv6Address], bool]


def parse(
    data: bytes,
    kind: Kind,
    *,
    limits: Limits | None = None,
    owners: bool = False,
    forbidden: Forbidden | None = None,
) -> Parsed:
    """The rows of a file of the given kind, or every rule that it breaks.

    `owners`: each mailbox's owner gives the password later, so it may be empty where the kind allows that.
    `forbidden`: the dial policy's verdict on an address, asked for hosts that need no resolver. Raises nothing.
    """
    limits = limits or Limits()
    decoded = decode(data, limits)
    reader = _Reader(DIALECTS[kind], limits, owners, forbidden)
    reader.faults.extend(decoded.faults)
    reader.read = decoded.faulty
    reader.take(decoded.lines)
    if not reader.read and not decoded.faults:
        headed = any(notice.rule is Rule.HEADER_SKIPPED for notice in reader.notices)
        reader.faults.append(Remark(rule=Rule.HEADER_ONLY if headed else Rule.EMPTY))
    return reader.parsed()


@dataclass(slots=True)
class _Reader:
    dialect: Dialect
    limits: Limits
    owners: bool
    forbidden: Forbidden | None
    rows: list[Row] = field(default_factory=list)
    faults: list[Remark] = field(default_factory=list)
    notices: list[Remark] = field(default_factory=list)
    read: int = 0
    destinations: dict[str, int] = field(default_factory=dict)
    sources: dict[tuple[str, int | None, str], int] = field(default_factory=dict)

    def parsed(self) -> Parsed:
        faults = tuple(sorted(self.faults, key=lambda fault: fault.line))
        rows = () if faults else tuple(self.rows)
        return Parsed(kind=self.dialect.kind, rows=rows, faults=faults, notices=tuple(self.notices), read=self.read)

    def take(self, lines: Sequence[Line]) -> None:
        """Goes over the lines that decoded; rows beyond the limit are counted and not looked at."""
        filled = [line for line in lines if line.text.strip(BLANKS)]
        filled = filled[self._preamble(filled) :]
        beyond = 0
        skip = 0
        for index, line in enumerate(filled):
            if skip:
                skip -= 1
                continue
            self.read += 1
            if self.read > self.limits.rows:
                beyond = beyond or line.number
                continue
            skip = self._one(line, filled[index + 1 : index + LINES_IN_A_CELL])
        if self.read > self.limits.rows:
            rule, expected = Rule.TOO_MANY_ROWS, self.limits.rows
            self.faults.append(Remark(rule=rule, line=beyond, expected=expected, got=self.read))

    def _preamble(self, filled: Sequence[Line]) -> int:
        """How many lines stand before the rows: `sep=;`, which some spreadsheets write, and a header."""
        count = 0
        if filled and filled[0].text.strip(BLANKS).casefold() in ("sep=;", '"sep=;"'):
            self.notices.append(Remark(rule=Rule.SEPARATOR_LINE_SKIPPED, line=filled[0].number))
            count = 1
        if count < len(filled):
            line = filled[count]
            cells = tuple(cell.text for cell in split(line.text).cells)
            if cells and is_header(cells):
                if header_in_order(cells, self.dialect.columns):
                    self.notices.append(Remark(rule=Rule.HEADER_SKIPPED, line=line.number))
                else:
                    self.faults.append(Remark(rule=Rule.HEADER_ORDER, line=line.number))
                count += 1
        return count

    def _one(self, line: Line, following: Sequence[Line]) -> int:
        """Reads one line; returns how many of the following ones belong to a cell that it left open."""
        cells = split(line.text)
        fault, skip = self._line_fault(line, cells, following)
        if fault is not None:
            self.faults.append(fault)
            return skip
        values = _Values(line.number, dict(zip(self.dialect.columns, cells.cells, strict=True)))
        before = len(self.faults)
        row = self._row(values)
        if row is not None and len(self.faults) == before:
            self.rows.append(row)
        return 0

    def _line_fault(self, line: Line, cells: Cells, following: Sequence[Line]) -> tuple[Remark | None, int]:
        """The one rule that explains best why a line is not a row of this kind."""
        wanted = len(self.dialect.columns)
        if "\r" in line.text:
            return Remark(rule=Rule.LONE_CR, line=line.number), 0
        if cells.fault is Rule.UNBALANCED_QUOTE:
            skip = _lines_of_broken_cell(line, following, wanted)
            return Remark(rule=Rule.LINE_BREAK if skip else Rule.UNBALANCED_QUOTE, line=line.number), skip
        if cells.fault is not None:
            return Remark(rule=cells.fault, line=line.number), 0
        got = len(cells.cells)
        if got != wanted:
            if got > 1 and typographic_edges(cells.cells):
                return Remark(rule=Rule.TYPOGRAPHIC_QUOTE, line=line.number), 0
            for mark, name in OTHER_DELIMITERS.items():
                if got == 1 and line.text.count(mark) >= wanted - 1:
                    return Remark(rule=Rule.WRONG_DELIMITER, line=line.number, name=name), 0
            return Remark(rule=Rule.FIELD_COUNT, line=line.number, expected=wanted, got=got), 0
        return None, 0

    def _row(self, values: "_Values") -> Row | None:
        for remark in values.shape_faults(self.dialect, self.owners):
            self.faults.append(remark)
        destination = self._destination(values)
        server = self._host(values)
        user = values.clean(Field.SOURCE_USER)
        password = values.cells[Field.PASSWORD].text
        if destination is None or server is None:
            return None
        self._notice_same_source(values.line, server, user)
        if password != password.strip(BLANKS):
            field_, rule = Field.PASSWORD, Rule.PASSWORD_EDGE_SPACE
            self.notices.append(Remark(rule=rule, line=values.line, field=field_))
        return Row(
            line=values.line,
            destination=destination,
            host=server.name,
            port=server.port,
            source_user=user,
            password=SecretStr(password) if password else None,
            master_user=values.clean(Field.MASTER_USER) if Field.MASTER_USER in values.cells else "",
        )

    def _destination(self, values: "_Values") -> str | None:
        if not values.sound(Field.DESTINATION):
            return None
        try:
            canonical = address(values.clean(Field.DESTINATION))
        except Broken as broken:
            self.faults.append(Remark(rule=broken.rule, line=values.line, field=Field.DESTINATION))
            return None
        first = self.destinations.setdefault(canonical, values.line)
        if first != values.line:
            rule, field_ = Rule.DUPLICATE_DESTINATION, Field.DESTINATION
            self.faults.append(Remark(rule=rule, line=values.line, field=field_, other_line=first))
            return None
        return canonical

    def _host(self, values: "_Values") -> Host | None:
        if not values.sound(Field.HOST):
            return None
        try:
            server = host(values.clean(Field.HOST))
            literal = literal_address(server.name)
            if self.forbidden is not None and literal is not None and self.forbidden(literal):
                raise Broken(Rule.FORBIDDEN_HOST)
        except Broken as broken:
            self.faults.append(Remark(rule=broken.rule, line=values.line, field=Field.HOST))
            return None
        return server

    def _notice_same_source(self, line: int, server: Host, user: str) -> None:
        first = self.sources.setdefault((server.name, server.port, user), line)
        if first != line:
            self.notices.append(Remark(rule=Rule.SAME_SOURCE, line=line, other_line=first))


@dataclass(slots=True)
class _Values:
    """The cells of one row by column, and what is wrong with each before its meaning is asked."""

    line: int
    cells: dict[Field, Cell]

    def clean(self, column: Field) -> str:
        """A value without blanks at its edges; passwords are never cleaned."""
        return self.cells[column].text.strip(BLANKS)

    def sound(self, column: Field) -> bool:
        return bool(self.clean(column)) and not self._unprintable(column) and not typographic_pair(self.cells[column])

    def shape_faults(self, dialect: Dialect, owners: bool) -> Iterator[Remark]:
        for column, cell in self.cells.items():
            rule: Rule | None = None
            if column is Field.PASSWORD:
                if not cell.text and not (owners and dialect.owners_may_give):
                    rule = Rule.EMPTY_FIELD
            elif not self.clean(column):
                rule = Rule.EMPTY_FIELD
            elif self._unprintable(column):
                rule = Rule.CONTROL_CHARACTER
            if rule is None and typographic_pair(cell):
                rule = Rule.TYPOGRAPHIC_QUOTE
            if rule is not None:
                yield Remark(rule=rule, line=self.line, field=column)

    def _unprintable(self, column: Field) -> bool:
        """Control, format and line-separating characters, and blanks other than the plain one."""
        return not self.clean(column).isprintable()


def _lines_of_broken_cell(line: Line, following: Sequence[Line], wanted: int) -> int:
    """How many following lines close the cell that `line` leaves open; 0 where a quote is merely missing."""
    text = line.text
    for count, more in enumerate(following, start=1):
        alone = split(more.text)
        if alone.fault is None and len(alone.cells) == wanted:
            return 0  # a row of its own: the quote above it is missing
        text += "\n" + more.text
        joined = split(text)
        if joined.fault is None and len(joined.cells) == wanted:
            return count
    return 0
