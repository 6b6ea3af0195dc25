"""`submit`, `fix`, `recheck`: a file goes in, its rows are corrected."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mailhaul.cli.awaiting import granted
from mailhaul.cli.client import Problem
from mailhaul.cli.exits import CommandFailed, Exit
from mailhaul.cli.output import Form, Output, data, following, note, safe
from mailhaul.cli.session import panel

Code = Annotated[str, typer.Argument(metavar="CODE", help="The migration's code, such as M-7K2QX")]
PASSWORD = "MAILHAUL_PASSWORD"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(submit)
    app.command()(fix)
    app.command()(recheck)


def submit(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The CSV file; - reads standard input")],
    type: Annotated[str, typer.Option(help="standard-ssl | standard-starttls | standard-no-ssl")] = "standard-ssl",
    kind: Annotated[str, typer.Option(help="standard | master-user")] = "standard",
    first: Annotated[str, typer.Option(help="First run: none, asap, or a time such as 2026-03-29T21:30")] = "none",
    second: Annotated[str, typer.Option(help="Second run: none, 6h after the first, or a time")] = "none",
    name: Annotated[str, typer.Option(help="A unique name; a number when left out")] = "",
    zone: Annotated[str, typer.Option(help="IANA zone of the times; default: this machine's")] = "",
    recipient: Annotated[list[str], typer.Option(help="Who gets the mails; may be repeated")] = [],  # noqa: B006
    mail_language: Annotated[str, typer.Option(help="Language of the mails: en | it")] = "en",
    skip_folder: Annotated[list[str], typer.Option(metavar="NAME", help="Leave this folder out")] = [],  # noqa: B006
    translate: Annotated[list[str], typer.Option(metavar="OLD:NEW", help="Rename a folder")] = [],  # noqa: B006
    include_trash: Annotated[bool, typer.Option("--include-trash", help="Copy the trash too")] = False,
    include_junk: Annotated[bool, typer.Option("--include-junk", help="Copy junk mail too")] = False,
    owners: Annotated[bool, typer.Option("--owners", help="Empty passwords: their owners give them later")] = False,
    idempotency_key: Annotated[str | None, typer.Option(help="A repeat with the same key finds the first")] = None,
    output: Output = Form.TABLE,
) -> None:
    """Upload a CSV file; every row is checked, nothing is copied before its time."""
    content = _read(file)
    fields: dict[str, Any] = {
        "type": type,
        "kind": kind,
        "first": first,
        "second": second,
        "name": name,
        "zone": zone or local_zone(),
        "language": mail_language,
        "skip_folders": skip_folder,
        "translations": translate,
        "recipients": recipient,
        "include_trash": str(include_trash).lower(),
        "include_junk": str(include_junk).lower(),
        "passwords": "owners" if owners else "file",
    }
    with panel(context) as api:
        try:
            done = api.upload(fields, Path(file).name, content, key=idempotency_key)
        except Problem as problem:
            _faults(problem, output)
            raise
    if output is Form.JSON:
        data(done)
    else:
        typer.echo(done["code"])
    for notice in done["notices"]:
        note(notice)
    again = "was uploaded before" if done["repeated"] else "is being checked"
    note(f"Migration {done['code']} (name {safe(done['name'])}, {done['resources']} mailboxes) {again}.")
    following(f"mailhaul wait {done['code']} --for valid")


def fix(
    context: typer.Context,
    code: Code,
    line: Annotated[int, typer.Option(help="The row's line in the file")],
    password_file: Annotated[Path | None, typer.Option(help="File with the new password on its first line")] = None,
    host: Annotated[str | None, typer.Option(help="Another source server, HOST or HOST:PORT")] = None,
    user: Annotated[str | None, typer.Option(help="Another source user")] = None,
    master_user: Annotated[str | None, typer.Option(help="Another master user")] = None,
    destination: Annotated[str | None, typer.Option(help="Another destination mailbox")] = None,
    leave_out: Annotated[bool, typer.Option("--leave-out", help="Go on without this row")] = False,
) -> None:
    """Correct a row or leave it out; a password comes from a prompt, a file or MAILHAUL_PASSWORD, never an argument."""
    changes = {"host": host, "source_user": user, "master_user": master_user, "destination": destination}
    changes = {name: value for name, value in changes.items() if value is not None}
    if leave_out and (changes or password_file):
        raise CommandFailed("--leave-out stands alone", Exit.USAGE)
    body: dict[str, Any] = dict(changes)
    if not leave_out and set(changes) != {"destination"}:
        body["password"] = _password(password_file)
    what = "leave-out" if leave_out else "correct"
    with panel(context) as api:
        granted(api, code, ("rows", str(line), what), None if leave_out else body, line=line)
    note(f"Line {line} {'is left out' if leave_out else 'is checked again'}.")
    following(f"mailhaul wait {code.upper()} --for valid")


def recheck(
    context: typer.Context,
    code: Code,
    line: Annotated[int | None, typer.Option(help="One row; default: every row that did not pass")] = None,
) -> None:
    """Check rows again, as they are."""
    with panel(context) as api:
        granted(api, code, ("recheck",), {"line": line}, line=line)
    note("The check begins again.")
    following(f"mailhaul wait {code.upper()} --for valid")


def local_zone() -> str:
    """The IANA name of this machine's time zone; UTC where it has none."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if "/" in named and not named.startswith("/"):
        return named
    _, found, name = os.path.realpath("/etc/localtime").partition("zoneinfo/")
    return name if found else "UTC"


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise CommandFailed(f"{file}: {error.strerror}", Exit.USAGE) from error


def _faults(problem: Problem, output: Form) -> None:
    """Every fault of the file, before the sentence that it was refused."""
    if output is Form.JSON:
        data({"code": problem.problem, "errors": problem.errors})
        return
    for fault in problem.errors:
        place = fault.get("place") or fault.get("field", "")
        note(f"{place}: {fault.get('detail') or fault.get('code', '')}")


def _password(file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").partition("\n")[0].removesuffix("\r")
        except OSError as error:
            raise CommandFailed(f"{file}: {error.strerror}", Exit.USAGE) from error
    given = os.environ.get(PASSWORD)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        hint = f"give --password-file, set {PASSWORD}, or run it in a terminal"
        raise CommandFailed("the new password is needed", Exit.USAGE, hint)
    return str(typer.prompt("New password", hide_input=True, err=True))
