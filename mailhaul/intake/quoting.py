"""One line to cells: `;` between them, `"` around a cell that holds `;`, a quote inside such a cell doubled.

A quote opens a cell only as its very first character; inside an unquoted cell it is a character like any other. The
standard library's reader takes an unbalanced quote for a cell that goes on over all the following rows.
"""

import re
from dataclasses import dataclass

from mailhaul.intake.rows import Rule

# Quotation marks that word processors put in the place of ": the seed's own page prints them.
TYPOGRAPHIC = "“”„‟«»＂″"
BLANKS = " \t\u00a0"  # what trimming takes off the edges of every field but a password

_CELL = re.compile(r'"(?P<quoted>(?:[^"]|"")*+)"(?P<rest>[^;]*)|(?P<plain>[^;]*)')


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Cells:
    cells: tuple[Cell, ...]
    fault: Rule | None


def split(text: str, separator: str = ";") -> Cells:
    """The cells of a line, or the first rule of quoting that it breaks; the cells are whole only without a fault."""
    assert separator == ";", "further dialects bring their own splitting"
    cells: list[Cell] = []
    position = 0
    while True:
        match = _CELL.match(text, position)
        assert match is not None  # the pattern matches the empty cell
        quoted, rest, plain = match.group("quoted", "rest", "plain")
        if quoted is not None:
            if rest:
                return Cells(tuple(cells), Rule.MISPLACED_QUOTE)
            cells.append(Cell(quoted.replace('""', '"'), quoted=True))
        elif plain.startswith('"'):
            return Cells(tuple(cells), Rule.UNBALANCED_QUOTE)
        elif plain.lstrip(BLANKS).startswith('"'):
            return Cells(tuple(cells), Rule.MISPLACED_QUOTE)
        else:
            cells.append(Cell(plain, quoted=False))
        position = match.end()
        if position == len(text):
            return Cells(tuple(cells), None)
        position += 1


def typographic_edges(cells: tuple[Cell, ...]) -> bool:
    """True where a typographic mark stands at the edge of an unquoted cell, as if it were a quote."""
    edges = (cell.text.strip(BLANKS) for cell in cells if not cell.quoted)
    return any(text[:1] in TYPOGRAPHIC or text[-1:] in TYPOGRAPHIC for text in edges if text)


def typographic_pair(cell: Cell) -> bool:
    """True where typographic marks stand around an unquoted cell: used as quotes beyond reasonable doubt."""
    text = cell.text.strip(BLANKS)
    return not cell.quoted and len(text) > 1 and text[0] in TYPOGRAPHIC and text[-1] in TYPOGRAPHIC
