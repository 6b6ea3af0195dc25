"""`up`, `down`, `status`, `run`, `domains`: the installation."""

import os
import sys
from typing import Annotated

import typer

from mailhaul.cli.exits import CommandFailed, Exit
from mailhaul.cli.output import Form, Output, data, following, note, size, table
from mailhaul.cli.session import panel

domains = typer.Typer(help="Domains that mail may be moved into", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (up, down, status, run):
        app.command()(command)
    app.add_typer(domains, name="domains")


def up(
    port: Annotated[int | None, typer.Option(help="The panel's port; 0: any free one")] = None,
    kafka: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Use this cluster instead of the embedded broker")
    ] = "",
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay here until Ctrl-C")] = False,
) -> None:
    """Start the stack on this machine: broker, database, services, panel; return when it is ready."""
    from mailhaul.errors import StackFailed
    from mailhaul.settings import Settings
    from mailhaul.stack.control import supervisor_command
    from mailhaul.stack.control import up as start
    from mailhaul.stack.installation import Installation
    from mailhaul.stack.supervisor import StackOptions

    settings = Settings()
    here = Installation(settings.state_dir)
    options = StackOptions(bootstrap=kafka or settings.kafka.bootstrap, panel_port=port)
    if foreground:
        command = supervisor_command(here, options)
        os.execv(command[0], command)
    try:
        found = start(here, options, os.environ, progress=lambda step: note(f"Starting: {step}"))
    except StackFailed as failed:
        raise CommandFailed(failed.text, hint=f"look into {here.directory / 'logs'}") from failed
    typer.echo(found.panel_url)
    note(f"Ready. The API's token is in {found.token_file}.")
    following("mailhaul domains grant YOUR.DOMAIN, then mailhaul submit FILE")


def down() -> None:
    """Stop the stack of this machine; everything it knows stays."""
    from mailhaul.settings import Settings
    from mailhaul.stack.control import down as stop
    from mailhaul.stack.installation import Installation

    note("Stopped." if stop(Installation(Settings().state_dir)) else "Nothing was running.")


def status(output: Output = Form.TABLE) -> None:
    """The stack, process by process; exit code 0 only when it is ready."""
    from mailhaul.settings import Settings
    from mailhaul.stack.control import status as look
    from mailhaul.stack.installation import Installation, StackState

    found = look(Installation(Settings().state_dir))
    if output is Form.JSON:
        members = [
            {"name": one.name, "pid": one.pid, "alive": one.alive, "starts": one.starts, "memory": one.memory}
            for one in found.members
        ]
        data({"state": found.state.value, "message": found.message, "panel": found.panel_url, "members": members})
    else:
        heads = ("Process", "Pid", "State", "Starts", "Memory")
        rows = [
            (one.name, str(one.pid or "-"), "up" if one.alive else "down", str(one.starts), size(one.memory))
            for one in found.members
        ]
        table(f"{found.state.value}  {found.panel_url}  {found.message}".strip(), heads, rows)
    if found.state is not StackState.READY:
        following("mailhaul up")
        raise typer.Exit(int(Exit.ERROR))


def run(
    service: Annotated[str, typer.Argument(help="panel, validator, scheduler, copier, notifier, projector or meter")],
) -> None:
    """Run one service in the foreground, as a container does."""
    from mailhaul.stack.roster import SERVICES

    if service not in SERVICES:
        raise CommandFailed(f"there is no service {service!r}; there are {', '.join(SERVICES)}", Exit.USAGE)
    module(f"services.{service}", [])


def module(name: str, arguments: list[str]) -> None:
    """Become another of our programs; the kernel imports no service."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", name, *arguments])


@domains.command("grant")
def grant(
    context: typer.Context,
    domain: str,
    customer: Annotated[str | None, typer.Option(help="Whose; default: your own")] = None,
) -> None:
    """Let a customer move mail into a domain."""
    with panel(context) as api:
        done = api.post("/domains", {"domain": domain, "customer": customer})
    note(f"{done['domain']} is granted to {done['customer']}.")


@domains.command("revoke")
def revoke(
    context: typer.Context,
    domain: str,
    customer: Annotated[str | None, typer.Option(help="Whose; default: your own")] = None,
) -> None:
    """Take a grant back."""
    with panel(context) as api:
        api.delete(f"/domains/{domain}", customer=customer)
    note(f"{domain} is granted no more.")


@domains.command("list")
def listed(context: typer.Context, output: Output = Form.TABLE) -> None:
    """The domains granted."""
    with panel(context) as api:
        found = api.get("/domains")
    if output is Form.JSON:
        data(found)
    else:
        table("", ("Domain", "Customer"), ((one["domain"], one["customer"]) for one in found))
