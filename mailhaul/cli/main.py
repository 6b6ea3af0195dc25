"""The `mailhaul` command line, put together; each command imports what it needs when it is called."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mailhaul import __version__
from mailhaul.cli import asking, following, installing, local, operating, reading, submitting
from mailhaul.cli.exits import CommandFailed
from mailhaul.cli.session import Session

HELP = """Move mailboxes in bulk: nothing lost, nothing doubled, nothing altered.

\b
First steps:   mailhaul up                                start the stack on this machine
               mailhaul domains grant example.com         let yourself move mail into a domain
               mailhaul template standard > accounts.csv  a file to fill in
               mailhaul submit accounts.csv --first asap  upload, check and start it
               mailhaul watch M-7K2QX                     look on
Without stack: mailhaul copy --help                       one mailbox, at once

\b
Exit codes: 0 ok · 1 error · 2 wrong use · 3 validation failed · 4 authentication · 5 finished with failures ·
            6 timed out · 7 refused · 75 run again
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mailhaul {__version__}")
        raise typer.Exit


@app.callback()
def session(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="MAILHAUL_PANEL__URL", help="The panel's address")] = None,
    token_file: Annotated[
        Path | None, typer.Option(envvar="MAILHAUL_PANEL__TOKEN_FILE", help="File with the API token")
    ] = None,
    language: Annotated[str, typer.Option(envvar="MAILHAUL_LANGUAGE", help="en | it")] = "en",
    patience: Annotated[float, typer.Option(min=0.0, help="Seconds to wait for the answer to what was asked")] = 5.0,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version")
    ] = False,
) -> None:
    """Which panel to speak to."""
    context.obj = Session(url or None, token_file, language, patience)


submitting.add_to(app)
reading.add_to(app)
following.add_to(app)
asking.add_to(app)
installing.add_to(app)
operating.add_to(app)
local.add_to(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command; a failure is a sentence and an exit code, never a traceback. Raises SystemExit."""
    try:
        app(args=arguments, prog_name="mailhaul")
    except CommandFailed as failed:
        typer.echo(f"mailhaul: {failed.text}", err=True)
        if failed.hint:
            typer.echo(f"Next: {failed.hint}", err=True)
        sys.exit(int(failed.code))
    except KeyboardInterrupt:
        sys.exit(130)
