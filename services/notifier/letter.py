"""A mail before it has a form: blocks in order, from which text and HTML are both made, so that they say the same."""

from dataclasses import dataclass
from typing import TypeAlias

from mailhaul.texts.states import Colour


@dataclass(frozen=True, slots=True)
class Heading:
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels and values, the values under each other; `sums` makes the first row the total of the others."""

    rows: tuple[tuple[str, str], ...]
    sums: bool = False


@dataclass(frozen=True, slots=True)
class Records:
    """DNS records as they are typed: name, type, value."""

    rows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list: what is named, and what is said about it."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Link:
    text: str
    url: str


Block: TypeAlias = Heading | Paragraph | Facts | Records | Items | Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail's content; `mark` and `colour` are the state's that it tells."""

    subject: str
    head: str
    mark: str
    colour: Colour
    intro: str
    blocks: tuple[Block, ...]
    foot: str
    language: str
