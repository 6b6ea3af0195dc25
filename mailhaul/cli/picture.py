"""The live picture of a migration: one bar for the whole, one line a mailbox, as many as the terminal holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mailhaul.cli.output import account, safe, size, word

# What is worth a line when there are more mailboxes than lines.
FIRST = ("copying", "scanning", "retrying", "limited", "failed", "review", "paused", "waiting", "cancelled", "done")
STYLES = {"grey": "dim", "blue": "blue", "teal": "cyan", "green": "green", "amber": "yellow", "red": "red"}
STYLES |= {"violet": "magenta"}
AROUND = 7  # lines that are not mailboxes


def picture(shown: Mapping[str, Any], boxes: Sequence[Mapping[str, Any]], height: int) -> RenderableType:
    """Everything at once, no taller than the terminal."""
    room = max(3, height - AROUND)
    lines = sorted(boxes, key=lambda box: (_order(box), box["line"]))
    made = Table(box=None, pad_edge=False)
    for head in ("Mailbox", "State", "Progress", "Messages", "Size"):
        made.add_column(head, no_wrap=head != "State")
    for box in lines[:room]:
        made.add_row(*_line(box))
    more = len(lines) - room
    # A bar by itself ends without a line break; a grid adds it.
    whole = Table.grid()
    whole.add_row(_bar(shown["account"], shown["expected_messages"], 60))
    parts: list[RenderableType] = [_title(shown), whole, made]
    if more > 0:
        parts.append(Text(f"and {more} more", style="dim"))
    parts.append(Text(account(shown["account"]), style="dim"))
    return Group(*parts)


def _title(shown: Mapping[str, Any]) -> Text:
    return Text.assemble((f"{shown['code']}  ", "bold"), _styled(shown["status"]), f"  {safe(shown['name'])}")


def _styled(status: Mapping[str, str]) -> Text:
    return Text(word(status), style=STYLES.get(status["colour"], ""))


def _line(box: Mapping[str, Any]) -> tuple[RenderableType, ...]:
    check = box["check"]
    name = Text(safe(box["destination"]))
    if not box["runs"]:
        return name, _styled(check["status"]), Text(""), Text(f"{check['messages']:,}"), Text(size(check["octets"]))
    run = box["runs"][-1]
    sums = run["account"]
    # What a rule leaves out is no debt: a finished mailbox reads 199/199, not 199/235.
    due = (sums["found"] or check["messages"]) - sums["skipped"]
    moved = Text(f"{sums['copied'] + sums['already_there']:,}/{due:,}")
    state = _styled(run["status"])
    if run["status"]["state"] == "retrying":
        state.append(f" {run['retry']} of {run['retries']}")
    return name, state, _bar(sums, check["messages"], 24), moved, Text(size(sums["octets_copied"]))


def _bar(sums: Mapping[str, int], expected: int, width: int) -> ProgressBar:
    total = max(sums["found"], expected, 1)
    return ProgressBar(total=total, completed=max(0, sums["found"] - sums["left"]), width=width)


def _order(box: Mapping[str, Any]) -> int:
    state = box["runs"][-1]["status"]["state"] if box["runs"] else "waiting"
    return FIRST.index(state) if state in FIRST else len(FIRST)
