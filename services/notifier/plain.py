"""A letter as plain text: readable as it is, 72 columns where the words allow it."""

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from typing import assert_never

from services.notifier.letter import Block, Facts, Heading, Items, Letter, Link, Paragraph, Records

WIDTH = 72


def plain(letter: Letter) -> str:
    """The text part, lines ended by LF."""
    parts = [f"{letter.mark} {letter.head}", letter.intro]
    parts += ["\n".join(_block(block)) for block in letter.blocks]
    parts += ["-- \n" + "\n".join(_wrapped(letter.foot))]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield from (block.text, "-" * _columns(block.text))
        case Paragraph():
            yield from _wrapped(block.text)
        case Facts():
            yield from _facts(block)
        case Records():
            yield from _table(block.rows)
        case Items():
            for name, said in block.rows:
                yield f"  * {name}"
                if said:
                    yield from (f"    {line}" for line in _wrapped(said, WIDTH - 4))
        case Link():
            yield from (f"{block.text}:", block.url)
        case _:
            assert_never(block)


def _facts(block: Facts) -> Iterator[str]:
    labels = max((_columns(label) for label, _ in block.rows), default=0)
    values = max((_columns(value) for _, value in block.rows), default=0)
    for place, (label, value) in enumerate(block.rows):
        if not block.sums:
            yield f"  {_filled(label, labels)}  {value}"
            continue
        sign = " " if place == 0 else "=" if place == 1 else "+"
        yield f"  {sign} {_filled(label, labels)}  {' ' * (values - _columns(value))}{value}"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(_columns(row[at]) for row in rows) for at in range(len(rows[0]))] if rows else []
    for row in rows:
        yield "  " + "  ".join(_filled(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _wrapped(text: str, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _columns(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _filled(text: str, columns: int) -> str:
    return text + " " * (columns - _columns(text))
