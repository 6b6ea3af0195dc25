"""How the demo speaks: headings, sentences, and commands shown as they would be typed."""

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from email import policy
from email.parser import BytesParser
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule

from mailhaul.errors import StackFailed

INDENT = "    "
PATIENCE = 300.0  # seconds for the longest command, on a machine that is busy with other things


class Voice:
    """Writes to the terminal; `environment` and `directory` are what the commands run with and in."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step = 0
        self.environment: Mapping[str, str] = {}
        self.directory = Path()

    def step(self, title: str) -> None:
        """The next chapter."""
        self._step += 1
        self._console.print()
        self._console.print(Rule(f"[bold]{self._step}. {title}[/]", align="left", characters="─"))

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, markup=False)

    def paste(self, text: str) -> None:
        """Lines to copy from the terminal, never broken."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def verdict(self, sentence: str, *, good: bool) -> None:
        self._console.print(f"[bold {'green' if good else 'red'}]{'✔' if good else '✘'} {sentence}[/]", highlight=False)

    def quote(self, text: str) -> None:
        """A text as it is, set off from our own words."""
        for line in text.rstrip().splitlines():
            self._console.print(INDENT + line, highlight=False, markup=False, soft_wrap=True, style="dim")

    def mail(self, octets: bytes) -> None:
        """A mail as its reader sees it: subject, recipient and plain text."""
        message = BytesParser(policy=policy.default).parsebytes(octets)
        body = message.get_body(("plain",))
        text = body.get_content() if body is not None else ""
        self.quote(f"To: {message['To']}\nSubject: {message['Subject']}\n\n{text}")

    def run(self, *words: str, allowed: Sequence[int] = (0,)) -> None:
        """Show and run a `mailhaul` command in this terminal; raises `StackFailed` at a status that is not allowed."""
        self._run(words, allowed, captured=False)

    def heard(self, *words: str) -> str:
        """The same, and return what the command said."""
        output = self._run(words, (0,), captured=True)
        self._console.file.write(output)
        return output

    def _run(self, words: Sequence[str], allowed: Sequence[int], *, captured: bool) -> str:
        self._console.print(f"[bold]$[/] [bold cyan]mailhaul {escape(shlex.join(words))}[/]", highlight=False)
        self._console.file.flush()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "mailhaul.cli", *words],
                env=dict(self.environment),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if captured else None,
                stderr=subprocess.STDOUT if captured else None,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired as error:
            raise StackFailed("demo_failed", f"mailhaul {words[0]} is not over after {PATIENCE:g} s") from error
        if done.returncode not in allowed:
            raise StackFailed("demo_failed", f"mailhaul {words[0]} ended with status {done.returncode}")
        return done.stdout or ""
