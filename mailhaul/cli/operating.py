"""`topics`, `dlq`, `events`, `db`, `rebuild`: operators' commands, which touch Kafka and SQL themselves."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mailhaul.cli.exits import CommandFailed, Exit
from mailhaul.cli.installing import module
from mailhaul.cli.output import Form, Output, data, note, table

if TYPE_CHECKING:
    from mailhaul.kafka.bus import Bus
    from mailhaul.kafka.connection import Cluster
    from mailhaul.kafka.dead_letters import Letter
    from mailhaul.settings import Settings

T = TypeVar("T")
BOOTSTRAP = "MAILHAUL_KAFKA__BOOTSTRAP"
topics = typer.Typer(help="Topics on the cluster", no_args_is_help=True, rich_markup_mode=None)
dlq = typer.Typer(help="Dead letters: records that a service put aside", no_args_is_help=True, rich_markup_mode=None)
events = typer.Typer(help="Events on the topics", no_args_is_help=True, rich_markup_mode=None)
db = typer.Typer(help="The database", no_args_is_help=True, rich_markup_mode=None)
rebuild = typer.Typer(help="Rebuild what can be rebuilt", no_args_is_help=True, rich_markup_mode=None)
Execute = Annotated[bool, typer.Option("--execute", help="Do it; without this it is only said what would be done")]
Place = Annotated[str, typer.Argument(metavar="TOPIC/PARTITION@OFFSET", help="As `mailhaul dlq list` names it")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for group, name in ((topics, "topics"), (dlq, "dlq"), (events, "events"), (db, "db"), (rebuild, "rebuild")):
        app.add_typer(group, name=name)


@topics.command("check")
def topics_check(output: Output = Form.TABLE) -> None:
    """Compare the cluster with what Mailhaul needs; exit code 1 when something differs."""
    from mailhaul.kafka.admin import TopicsAdmin

    settings, where = _cluster()
    found = _said(lambda: TopicsAdmin(where, replication=settings.kafka.replication).check())
    if output is Form.JSON:
        data([{"topic": f.topic, "setting": f.setting, "wanted": f.wanted, "found": f.found} for f in found])
    else:
        for finding in found:
            typer.echo(str(finding))
    note("Everything is as it should be." if not found else f"{len(found)} differences.")
    if found:
        raise typer.Exit(int(Exit.ERROR))


@topics.command("create")
def topics_create() -> None:
    """Make the topics that are missing; what is there stays as it is."""
    from mailhaul.kafka.admin import TopicsAdmin

    settings, where = _cluster()
    made = _said(lambda: TopicsAdmin(where, replication=settings.kafka.replication).create())
    for name in made:
        typer.echo(name)
    note(f"{len(made)} topics made.")


@topics.command("export")
def topics_export() -> None:
    """The topics as JSON, for whoever makes them by other means."""
    from mailhaul.kafka.admin import export
    from mailhaul.kafka.connection import cluster
    from mailhaul.settings import Settings

    settings = Settings()
    data(export(cluster(settings.kafka), replication=settings.kafka.replication))


@dlq.command("list")
def dlq_list(
    handled: Annotated[bool, typer.Option("--handled", help="Also those that were retried or dropped")] = False,
    output: Output = Form.TABLE,
) -> None:
    """The records that were put aside, oldest first."""
    from mailhaul.kafka.dead_letters import list_letters

    letters = _on_the_bus(lambda bus: list_letters(bus, handled=handled))
    if output is Form.JSON:
        data([_letter(letter) for letter in letters])
        return
    heads = ("Place", "Event", "Code", "Reason", "From", "Handled")
    rows = ((one.place, one.event_type, one.code, one.reason, one.origin, one.handled or "-") for one in letters)
    table("", heads, rows)


@dlq.command("show")
def dlq_show(place: Place) -> None:
    """One dead letter, with its headers and its event when it can be decoded."""
    from mailhaul.kafka.dead_letters import show_letter
    from mailhaul.kafka.tail import envelope

    letter = _on_the_bus(lambda bus: show_letter(bus, place))
    data(_letter(letter) | {"record": envelope(letter.record)})


@dlq.command("retry")
def dlq_retry(place: Place, execute: Execute = False) -> None:
    """Send a dead letter to the topic it came from, unchanged."""
    from mailhaul.kafka.dead_letters import retry_letter, show_letter

    if not execute:
        letter = _on_the_bus(lambda bus: show_letter(bus, place))
        note(f"Would send {letter.event_type or 'the record'} back to {letter.origin}; give --execute to do it.")
        return
    letter = _on_the_bus(lambda bus: retry_letter(bus, place))
    note(f"Sent back to where it came from, {letter.origin}.")


@dlq.command("drop")
def dlq_drop(place: Place, execute: Execute = False) -> None:
    """Take a dead letter off the list for good."""
    from mailhaul.kafka.dead_letters import drop_letter, show_letter

    if not execute:
        letter = _on_the_bus(lambda bus: show_letter(bus, place))
        note(f"Would drop {letter.event_type or 'the record'}: {letter.reason}; give --execute to do it.")
        return
    _on_the_bus(lambda bus: drop_letter(bus, place))
    note("Dropped.")


@events.command("tail")
def events_tail(
    topic: Annotated[str, typer.Argument(help="Such as rows, or mailhaul.rows")],
    newest: Annotated[int | None, typer.Option("-n", help="Only the newest of each partition; default: all")] = None,
    follow: Annotated[bool, typer.Option("-f", help="Go on with what comes")] = False,
) -> None:
    """The events of a topic as lines of JSON, decoded, in the shape of kcat -J."""
    from mailhaul.kafka.tail import tail

    async def told(bus: "Bus") -> None:
        async for text in tail(bus, topic, newest=newest, follow=follow):
            typer.echo(text)
            if follow:
                sys.stdout.flush()

    _on_the_bus(told)


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the schema of this release."""
    from mailhaul.db import embedded_url, open_database
    from mailhaul.db.upgrade import upgrade
    from mailhaul.settings import Settings

    settings = Settings()

    async def upgraded() -> None:
        database = open_database(settings.database.url or embedded_url(settings.state_dir))
        try:
            await upgrade(database)
        finally:
            await database.close()

    _said(lambda: asyncio.run(upgraded()))
    note("The database is up to date.")


@rebuild.command("projection")
def rebuild_projection(execute: Execute = False) -> None:
    """Replay the topics into fresh tables of the read model and put them in the place of the old ones."""
    if not execute:
        note("Would replay every topic into fresh tables and swap them in; a running projector may go on.")
        note("Give --execute to do it.")
        return
    import os

    _, where = _cluster()
    os.environ[BOOTSTRAP] = where.bootstrap
    module("services.projector", ["rebuild"])


def _cluster() -> "tuple[Settings, Cluster]":
    """The settings and the cluster: the one named, or this machine's running stack."""
    from mailhaul.kafka.connection import cluster
    from mailhaul.settings import Settings
    from mailhaul.stack.installation import Installation

    settings = Settings()
    where = cluster(settings.kafka, Installation(settings.state_dir).read().bootstrap)
    if not where.bootstrap:
        hint = f"start the stack with `mailhaul up`, or set {BOOTSTRAP}"
        raise CommandFailed("no broker is known", hint=hint)
    return settings, where


def _on_the_bus(work: "Callable[[Bus], Awaitable[T]]") -> T:
    from mailhaul.kafka.aiokafka_bus import AIOKafkaBus

    _, where = _cluster()

    async def connected() -> T:
        async with AIOKafkaBus(where, "cli") as bus:
            return await work(bus)

    return _said(lambda: asyncio.run(connected()))


def _said(work: Callable[[], T]) -> T:
    """The result, or the error as a sentence."""
    from mailhaul.errors import MailhaulError, RequestInvalid

    try:
        return work()
    except RequestInvalid as error:
        raise CommandFailed(error.text, Exit.USAGE) from error
    except MailhaulError as error:
        raise CommandFailed(error.text) from error


def _letter(letter: "Letter") -> dict[str, Any]:
    names = ("place", "origin", "service", "event_id", "event_type", "code", "side", "reason", "handled")
    return {name: getattr(letter, name) for name in names}
