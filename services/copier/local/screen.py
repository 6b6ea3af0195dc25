"""What `mailhaul copy` shows: a bar on a terminal, and the account of every message at the end."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from mailhaul.db import from_microseconds
from mailhaul.texts import Language, explain
from services.copier.local.moving import Move
from services.copier.work import Folder, Tally, sum_up

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

COLUMNS = ("found", "copied", "already_there", "skipped", "vanished", "failed", "left")
HEADS = ("found", "copied", "there", "skipped", "vanished", "failed", "left")


class Bars:
    """A progress bar a mailbox, on a terminal only."""

    def __init__(self, *, shown: bool) -> None:
        self._progress: Progress | None = _bars() if shown else None
        self._tasks: dict[str, TaskID] = {}
        if self._progress is not None:
            self._progress.start()

    def changed(self, move: Move) -> None:
        """Draw a move's numbers."""
        if self._progress is None:
            return
        name = move.order.job.pair_id
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(move.order.name, total=None, state="")
        tally = sum_up(folder.tally for folder in move.folders)
        state = move.state + (f" until {move.until:%H:%M:%S}" if move.state == "retrying" and move.until else "")
        total = tally.found or None
        self._progress.update(self._tasks[name], total=total, completed=tally.found - tally.left, state=state)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()


def _bars() -> "Progress":
    # Loaded only here: a run without a terminal starts a tenth of a second sooner.
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[state]}"),
    )
    return progress.Progress(*columns, console=Console(stderr=True))


def as_json(moves: Sequence[Move]) -> dict[str, Any]:
    """The account of every mailbox and folder, for programs."""
    return {"mailboxes": [_mailbox(move) for move in moves]}


def _mailbox(move: Move) -> dict[str, Any]:
    settle_at = move.result.settle_at
    return {
        "destination": move.order.name,
        "state": move.state,
        "grade": str(move.grade) if move.grade else None,
        "error": {"side": str(move.error.side), "code": move.error.code, "text": _sentence(move)}
        if move.error
        else None,
        "settle_at": from_microseconds(settle_at).isoformat() if settle_at else None,
        "late_copies_removed": move.result.removed,
        **_numbers(move.tally),
        "folders": [
            {
                "source": folder.source_text,
                "destination": folder.target_text,
                "role": folder.role,
                "reason": folder.reason,
                "digest": folder.digest,
                **_numbers(folder.tally),
            }
            for folder in move.folders
        ],
    }


def _numbers(tally: Tally) -> dict[str, int]:
    names = (*COLUMNS, "octets_found", "octets_copied", "removed_by_owner", "surplus", "mismatched", "flags_changed")
    return {name: getattr(tally, name) for name in names}


def _sentence(move: Move) -> str:
    if move.error is None:
        return ""
    said = f" ({move.error.server_text})" if move.error.server_text else ""
    return f"{move.error.text}{said}"


def show(moves: Sequence[Move], out: TextIO) -> None:
    """The account of every message, for people."""
    for move in moves:
        out.write(f"{move.order.name}: {move.state}" + (f", {move.grade}" if move.grade else "") + "\n")
        if move.error is not None and move.state != "done":
            why = explain(move.error.code, Language.EN, move.error.side)
            out.write(f"  {move.error.code}: {_sentence(move)}\n  {why.text}\n")
        told = [folder for folder in move.folders if folder.copied or folder.tally.found]  # not the mere branches
        rows = [(f"  {_folder_name(folder)}", folder.tally) for folder in told]
        width = max([len(name) for name, _ in rows], default=8) + 2
        if rows:
            out.write(" " * width + "".join(f"{head:>10}" for head in HEADS) + "\n")
        for name, tally in [*rows, ("  all", move.tally)] if rows else []:
            out.write(name.ljust(width) + "".join(f"{getattr(tally, column):>10}" for column in COLUMNS) + "\n")
        _notes(move, out)


def _folder_name(folder: Folder) -> str:
    name = _printable(folder.source_text)
    if not folder.copied:
        return f"{name} (left out: {folder.reason})"
    return name if folder.source_text == folder.target_text else f"{name} -> {_printable(folder.target_text)}"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _notes(move: Move, out: TextIO) -> None:
    tally = move.tally
    notes = {
        "messages were removed or moved by their owner since": tally.removed_by_owner,
        "possible second copies were reported and left alone": tally.surplus,
        "messages differ at the destination": tally.mismatched,
        "late copies of our own were removed": move.result.removed,
        "messages got other flags": tally.flags_changed,
    }
    for words, count in notes.items():
        if count:
            out.write(f"  {count} {words}\n")
    if move.result.settle_at and move.state == "done":
        when = from_microseconds(move.result.settle_at)
        out.write(
            f"  an interrupted push may still arrive late: run again with --settle after {when:%Y-%m-%d %H:%M:%S} UTC\n"
        )


def report(moves: Sequence[Move], output: str) -> None:
    """The end of the command, on standard output."""
    if output == "json":
        sys.stdout.write(json.dumps(as_json(moves), ensure_ascii=False, indent=2) + "\n")
    else:
        show(moves, sys.stdout)
    sys.stdout.flush()
