"""`copy`, `check`, `template`: what needs no stack."""

from typing import Annotated

import typer

from mailhaul.cli.exits import CommandFailed, Exit
from mailhaul.cli.installing import module
from mailhaul.cli.output import note

# Their options are their own programs' to read, `--help` included.
THEIRS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(context_settings=dict(THEIRS))(copy)
    app.command(context_settings=dict(THEIRS))(check)
    app.command()(template)


def copy(context: typer.Context) -> None:
    """Copy mailboxes at once, without a stack: --from imaps://USER@HOST --to imaps://USER@HOST, or --csv FILE."""
    module("services.copier.local", context.args)


def check(context: typer.Context) -> None:
    """Parse a file, sign in to both ends of every row, count what is there; store nothing."""
    module("services.validator.local", context.args)


def template(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="standard | master-user")] = "standard",
    readme: Annotated[bool, typer.Option("--readme", help="The page that explains it instead")] = False,
) -> None:
    """A file to fill in, on stdout."""
    from mailhaul.cli.session import Session
    from mailhaul.intake import Kind
    from mailhaul.intake import template as made

    if kind not in set(Kind):
        raise CommandFailed(f"there is no kind {kind!r}; there are {', '.join(Kind)}", Exit.USAGE)
    session = context.find_object(Session)
    found = made(Kind(kind), session.language if session else "en")
    typer.echo(found.readme if readme else found.content, nl=False)
    if not readme:
        note(f"What the columns mean: mailhaul template {kind} --readme")
