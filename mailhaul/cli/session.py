"""What the options before the command say: which panel, whose token, which language."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from mailhaul.cli.client import Panel, where


@dataclass(frozen=True, slots=True)
class Session:
    url: str | None
    token_file: Path | None
    language: str
    patience: float


@contextmanager
def panel(context: typer.Context) -> Iterator[Panel]:
    """The panel that this command speaks to."""
    session = context.find_object(Session)
    assert session is not None
    with Panel(where(session.url, session.token_file), session.language, session.patience) as opened:
        yield opened
