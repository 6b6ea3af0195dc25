"""What a command says: data on stdout, words about it on stderr; no colour where nobody looks."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table


class Form(StrEnum):
    """How a reading command answers."""

    TABLE = "table"
    JSON = "json"


Output = Annotated[Form, typer.Option("--output", "-o", help="table for people, json for programs")]


def data(value: object) -> None:
    """JSON on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def line(value: object) -> None:
    """One line of JSON on stdout, at once."""
    typer.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    sys.stdout.flush()


def note(text: str) -> None:
    """A word on stderr."""
    typer.echo(text, err=True)


def following(text: str) -> None:
    """The next useful command."""
    note(f"Next: {text}")


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on stdout; as wide as it needs where no terminal limits it."""
    from rich.console import Console

    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(grid(title, heads, rows), markup=False, highlight=False)


def grid(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> "Table":
    """A table to be shown; names and servers' words in it are never markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        made.add_column(head, overflow="fold")
    for row in rows:
        made.add_row(*(Text(safe(cell)) for cell in row))
    return made


def safe(text: str) -> str:
    """A text from outside that can't steer the terminal."""
    return "".join(mark if mark.isprintable() or mark == "\n" else "\ufffd" for mark in text)


def word(status: Mapping[str, str]) -> str:
    """A state with its mark: `✓ Done`."""
    return f"{status['mark']} {status['text']}"


def local(instant: str | None) -> str:
    """An instant in the local time of whoever reads it."""
    if not instant:
        return "-"
    return datetime.fromisoformat(instant).astimezone().strftime("%Y-%m-%d %H:%M")


def size(octets: int) -> str:
    """`3.1 GB`."""
    value, unit = float(octets), 0
    units = ("B", "kB", "MB", "GB", "TB")
    while value >= 1000 and unit < len(units) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {units[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {units[unit]}"


def counted(states: Mapping[str, int]) -> str:
    """`12 done, 1 failed`."""
    return ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in states.items())


def account(sums: Mapping[str, Any]) -> str:
    """The account of messages in one line that adds up."""
    parts = ("copied", "already_there", "skipped", "vanished", "failed", "left")
    told = [f"{sums[part]:,} {part.replace('_', ' ')}" for part in parts if sums[part]]
    return f"{sums['found']:,} found = {' + '.join(told) or '0'}"
