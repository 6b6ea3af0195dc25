"""`list`, `show`, `mailboxes`, `failures`, `logs`: what there is to see."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mailhaul.cli.client import of
from mailhaul.cli.exits import CommandFailed
from mailhaul.cli.output import Form, Output, account, counted, data, following, local, note, size, table, word
from mailhaul.cli.session import panel
from mailhaul.cli.submitting import Code

State = Annotated[str | None, typer.Option(help="Only what is in this state, such as failed")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("list")(list_)
    app.command()(show)
    app.command()(mailboxes)
    app.command()(failures)
    app.command()(logs)


def list_(
    context: typer.Context,
    state: State = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many, the newest first")] = 50,
    output: Output = Form.TABLE,
) -> None:
    """The migrations, newest first."""
    with panel(context) as api:
        found = api.get("/migrations", state=state, limit=limit)
    if output is Form.JSON:
        data(found)
        return
    heads = ("Status", "Code", "Name", "Requested by", "Type", "Resources", "First run", "Second run")
    table(
        "",
        heads,
        (
            (
                word(one["status"]),
                one["code"],
                one["name"],
                one["requested_by"],
                one["type"],
                str(one["resources"]),
                local(one["first_at"]),
                local(one["second_at"]),
            )
            for one in found["migrations"]
        ),
    )
    if not found["migrations"]:
        following("mailhaul template standard > accounts.csv, then mailhaul submit accounts.csv")


def show(context: typer.Context, code: Code, output: Output = Form.TABLE) -> None:
    """One migration: state, times, checks, runs and their accounts."""
    with panel(context) as api:
        found = api.get(of(code))
    if output is Form.JSON:
        data(found)
        return
    table(f"{found['code']}  {word(found['status'])}", ("", ""), _head(found))
    if found["runs"]:
        table("Runs", ("Run", "Started", "Ended", "Mailboxes", "Grade", "Messages"), map(_run, found["runs"]))
    _advise(found)


def mailboxes(context: typer.Context, code: Code, state: State = None, output: Output = Form.TABLE) -> None:
    """The mailboxes in the order of the file: check, runs, and why something failed."""
    with panel(context) as api:
        found = list(api.pages(of(code, "mailboxes"), "mailboxes", limit=500, state=state))
    if output is Form.JSON:
        data({"mailboxes": found})
        return
    table("", ("Line", "Mailbox", "From", "Check", "Latest run", "Messages"), map(_mailbox, found))
    failed = [box for box in found if box["check"]["text"]]
    for box in failed:
        note(box["check"]["text"])
    if failed:
        following(f"mailhaul fix {code.upper()} --line {failed[0]['line']}")


def failures(context: typer.Context, code: Code, output: Output = Form.TABLE) -> None:
    """What went wrong, grouped by cause."""
    with panel(context) as api:
        found = api.get(of(code, "failures"))
    if output is Form.JSON:
        data(found)
        return
    rows = (
        (
            f"{group['count']} x {group['of']} {group['outcome'].replace('_', ' ')}",
            group["cause"]["text"],
            group["cause"]["remedy"],
            ", ".join(map(str, group["lines"])),
        )
        for group in found["groups"]
    )
    table("", ("What", "Why", "What to do", "Lines"), rows)


def logs(
    context: typer.Context,
    code: Code,
    mailbox: Annotated[str | None, typer.Argument(metavar="[MAILBOX]", help="Destination address")] = None,
    run: Annotated[int | None, typer.Option(help="Only this run")] = None,
    file: Annotated[Path | None, typer.Option(help="Write it there instead of to the terminal")] = None,
    output: Output = Form.TABLE,
) -> None:
    """The log of a migration or of one mailbox; -o json gives lines of JSON."""
    path = of(code, "mailboxes", mailbox, "logs") if mailbox else of(code, "logs")
    form = "jsonl" if output is Form.JSON else "text"
    with panel(context) as api:
        lines = api.lines(path, run=run, format=form)
        if file is None:
            for part in lines:
                sys.stdout.write(part)
            return
        try:
            with file.open("w", encoding="utf-8") as opened:
                opened.writelines(lines)
        except OSError as error:
            raise CommandFailed(f"{file}: {error.strerror}") from error
    note(f"Written to {file}.")


def _head(found: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("Name", found["name"]),
        ("Requested by", found["requested_by"]),
        ("Type", found["type"]),
        ("Resources", str(found["resources"])),
        ("First run", local(found["first_at"])),
        ("Second run", local(found["second_at"])),
        ("Checks", counted(found["checks"]) or "-"),
        ("To copy", f"{found['expected_messages']:,} messages, {size(found['expected_octets'])}"),
        ("Recipients", ", ".join(found["recipients"]) or "-"),
    ]
    if found["invalid"]:
        rows.append(("Why", f"{found['invalid']['text']} {found['invalid']['remedy']}"))
    if found["grade"]:
        rows.append(("Grade", word(found["grade"])))
    if found["purge_at"]:
        rows.append(("Deleted by itself", local(found["purge_at"])))
    return rows


def _run(run: dict[str, Any]) -> tuple[str, ...]:
    grade = word(run["grade"]) if run["grade"] else "-"
    ended = local(run["ended_at"] or run["finished_at"])
    return str(run["run"]), local(run["started_at"]), ended, counted(run["mailboxes"]), grade, account(run["account"])


def _mailbox(box: dict[str, Any]) -> tuple[str, ...]:
    latest = box["runs"][-1] if box["runs"] else None
    check = box["check"]
    state = f"run {latest['run']}: {word(latest['status'])}" if latest else "-"
    messages = account(latest["account"]) if latest else f"{check['messages']:,} to copy"
    return (
        str(box["line"]),
        box["destination"],
        f"{box['source_user']} on {box['host']}",
        word(check["status"]),
        state,
        messages,
    )


def _advise(found: dict[str, Any]) -> None:
    code, state = found["code"], found["status"]["state"]
    advice = {
        "invalid": f"mailhaul mailboxes {code} --state failed",
        "paused": f"mailhaul resume {code}",
        "running": f"mailhaul watch {code}",
        "ready_for_cutover": "change the MX records, then mailhaul start " + code,
        "needs_attention": f"mailhaul failures {code}",
        "done_review": f"mailhaul failures {code}",
        "failed": f"mailhaul failures {code}",
    }
    if state == "valid" and not found["first_at"]:
        following(f"mailhaul start {code}")
    elif state in advice:
        following(advice[state])
