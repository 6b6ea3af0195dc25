"""`watch` and `wait`: look on, or block a script until something is reached."""

import sys
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from mailhaul.cli.client import Panel, of
from mailhaul.cli.exits import CommandFailed, Exit
from mailhaul.cli.goals import Goal, Verdict, judge, moving, resting
from mailhaul.cli.output import Form, Output, account, counted, following, line, note, word
from mailhaul.cli.session import panel
from mailhaul.cli.submitting import Code

LOOK = 0.5
FOLLOWING = 5.0  # seconds


class Target(StrEnum):
    VALID = "valid"
    RUN1 = "run1"
    DONE = "done"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(watch)
    app.command()(wait)


def wait(
    context: typer.Context,
    code: Code,
    target: Annotated[Target, typer.Option("--for", help="What to wait for")] = Target.DONE,
    timeout: Annotated[str, typer.Option(help="How long at most: 90, 30m, 8h")] = "8h",
) -> None:
    """Block until the target is reached, or any state that only a person can leave; the exit code tells which."""
    deadline = time.monotonic() + seconds(timeout)
    last: Verdict | None = None
    with panel(context) as api:
        while True:
            shown = api.get(of(code))
            verdict = judge(shown, Goal(target))
            # An answer that ends the wait badly must stand a moment: topics are read side by side.
            if verdict is not None and (verdict.code is Exit.OK or verdict == last):
                break
            last = verdict
            if time.monotonic() > deadline:
                raise CommandFailed(f"{code.upper()} is {shown['status']['text']}", Exit.TIMED_OUT)
            time.sleep(LOOK)
    note(f"{code.upper()}: {word(shown['status'])}")
    if verdict.hint:
        following(verdict.hint)
    raise typer.Exit(int(verdict.code))


def watch(
    context: typer.Context,
    code: Code,
    exit_status: Annotated[bool, typer.Option("--exit-status", help="End with the code that `wait` would")] = False,
    output: Output = Form.TABLE,
) -> None:
    """Look on: a live table with bars, until nothing moves any more. Leave with Ctrl-C; nothing stops."""
    with panel(context) as api:
        live = output is Form.TABLE and sys.stdout.isatty()
        shown = _live(api, code) if live else _lines(api, code, output)
    verdict = judge(shown, Goal.DONE)
    if verdict is not None and verdict.hint:
        following(verdict.hint)
    if exit_status and verdict is not None:
        raise typer.Exit(int(verdict.code))


class Rest:
    """Says when nothing moves any more; topics are read side by side, so the mailboxes get a moment to follow."""

    def __init__(self) -> None:
        self._since: float | None = None

    def reached(self, shown: Mapping[str, Any]) -> bool:
        if not resting(shown):
            self._since = None
            return False
        self._since = self._since or time.monotonic()
        return not moving(shown) or time.monotonic() - self._since > FOLLOWING


def _lines(api: Panel, code: str, output: Form) -> dict[str, Any]:
    """A line whenever something has changed."""
    said, rest = "", Rest()
    while True:
        shown: dict[str, Any] = api.get(of(code))
        told = f"{word(shown['status'])}  {counted(shown['mailboxes'] or shown['checks'])}  {account(shown['account'])}"
        if told != said:
            line(shown) if output is Form.JSON else typer.echo(f"{shown['code']}  {told}")
            sys.stdout.flush()
            said = told
        if rest.reached(shown):
            return shown
        time.sleep(LOOK)


def _live(api: Panel, code: str) -> dict[str, Any]:
    from rich.live import Live

    from mailhaul.cli.picture import picture

    rest = Rest()
    with Live(refresh_per_second=4, transient=False) as live:
        while True:
            shown: dict[str, Any] = api.get(of(code))
            boxes = list(api.pages(of(code, "mailboxes"), "mailboxes", limit=500))
            live.update(picture(shown, boxes, live.console.height))
            if rest.reached(shown):
                return shown
            time.sleep(LOOK)


def seconds(text: str) -> float:
    """`90`, `90s`, `30m`, `8h`. Raises CommandFailed."""
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(text[-1:], 0)
    number = text[:-1] if unit else text
    if not number.isdecimal():
        raise CommandFailed("a time-out looks like 90, 30m or 8h", Exit.USAGE)
    return float(int(number) * (unit or 1))
