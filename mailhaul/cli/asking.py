"""`start`, `reschedule`, `pause`, `resume`, `cancel`, `retry`, `delete`: what people ask of a migration."""

from typing import Annotated, Any

import typer

from mailhaul.cli.awaiting import granted
from mailhaul.cli.exits import CommandFailed, Exit
from mailhaul.cli.output import following, note
from mailhaul.cli.session import panel
from mailhaul.cli.submitting import Code, local_zone

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (start, reschedule, pause, resume, cancel, retry, delete):
        app.command()(command)


def start(context: typer.Context, code: Code) -> None:
    """Start the next run now: the first, the second, or a further one."""
    _ask(context, code, "start", {}, "The run starts.", f"mailhaul watch {code.upper()}")


def reschedule(
    context: typer.Context,
    code: Code,
    first: Annotated[str | None, typer.Option(help="none, asap, or a time such as 2026-03-29T21:30")] = None,
    second: Annotated[str | None, typer.Option(help="none, 6h after the first, or a time")] = None,
    zone: Annotated[str, typer.Option(help="IANA zone of the times; default: this machine's")] = "",
) -> None:
    """Move a run, or drop it with none, as long as it has not started."""
    if first is None and second is None:
        raise CommandFailed("give --first, --second, or both", Exit.USAGE)
    body = {"first": first, "second": second, "zone": zone or local_zone()}
    _ask(context, code, "reschedule", body, "The times are changed.", f"mailhaul show {code.upper()}")


def pause(context: typer.Context, code: Code) -> None:
    """Stop copying within seconds; nothing that was copied is lost."""
    _ask(context, code, "pause", {}, "Paused.", f"mailhaul resume {code.upper()}")


def resume(context: typer.Context, code: Code) -> None:
    """Go on after a pause."""
    _ask(context, code, "resume", {}, "Resumed.", f"mailhaul watch {code.upper()}")


def cancel(context: typer.Context, code: Code, yes: Yes = False) -> None:
    """Give a migration up; what was copied stays where it is."""
    _certain(f"Cancel {code.upper()}?", yes)
    _ask(context, code, "cancel", {}, "Cancelled.", f"mailhaul show {code.upper()}")


def retry(
    context: typer.Context,
    code: Code,
    mailbox: Annotated[str | None, typer.Option(help="One mailbox by its destination address")] = None,
) -> None:
    """Try again what failed, and only that."""
    _ask(context, code, "retry", {"mailbox": mailbox}, "What failed is tried again.", f"mailhaul watch {code.upper()}")


def delete(context: typer.Context, code: Code, yes: Yes = False) -> None:
    """Delete a migration and every secret it held; never while it is running."""
    _certain(f"Delete {code.upper()}, its logs and its secrets?", yes)
    from mailhaul.cli.client import Problem

    with panel(context) as api:
        try:
            done = granted(api, code, (), delete=True)
        except Problem as problem:
            if problem.status != 404:
                raise
            done = True  # it is gone already: that is what was asked
    note("Deleted." if done else "Asked; it will be gone in a moment.")


def _ask(context: typer.Context, code: str, what: str, body: dict[str, Any], done: str, then: str) -> None:
    with panel(context) as api:
        shown = granted(api, code, (what,), body or None)
    note(done if shown else "Asked; the answer is not there yet.")
    following(then)


def _certain(question: str, yes: bool) -> None:
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed(f"{question} Give --yes to say so.", Exit.USAGE)
    if not typer.confirm(question, err=True):
        raise CommandFailed("left as it is", Exit.USAGE)
