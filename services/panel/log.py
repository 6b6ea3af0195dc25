"""A log is a rendering of stored events (joint 34): read page by page, told in the reader's language."""

import heapq
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select

from mailhaul.db import from_microseconds
from mailhaul.folders.decisions import Reason
from mailhaul.ids import MigrationId
from mailhaul.readmodel import LIVE, SUMS
from mailhaul.texts import Language, moment, number, size
from mailhaul.texts.words import FOLDER_REASONS
from services.panel.log_phrases import ACCOUNT, PHRASES, WORDS
from services.panel.speech import cause, check_word, grade_word
from services.panel.tables import panel_row

PAGE = 500
_COUNTS = ("row_count", "folders", "messages", "left_out_messages", "mailboxes", "recipients")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events: of a whole migration, or of one mailbox, or of one run."""

    migration: MigrationId
    mailbox: str = ""
    run: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One stored event, with the names that its ids stand for."""

    event_id: str
    at: datetime
    kind: str
    run: int
    mailbox: str  # the destination address, empty for an event of the whole migration
    folder: str
    data: Mapping[str, Any]


def entries(tx: Connection, wanted: Wanted, after: tuple[int, str]) -> tuple[list[Entry], tuple[int, str] | None]:
    """A page of events in the order of their times, and where the next page begins."""
    event, item = LIVE.event.c, LIVE.outcome.c
    stored = tx.execute(_limited(select(LIVE.event), event, wanted, after)).all()
    outcomes = tx.execute(_limited(select(LIVE.outcome), item, wanted, after)).all()
    merged = list(heapq.merge(stored, outcomes, key=lambda row: (row.at, row.event_id)))[:PAGE]
    boxes = {row.mailbox_id for row in merged if row.mailbox_id}
    addresses = _addresses(tx, wanted.migration, sorted(boxes))
    data = [_data(row) for row in merged]
    folders = _folders(tx, wanted.migration, sorted({str(d["folder_id"]) for d in data if d.get("folder_id")}))
    found = [
        Entry(
            event_id=row.event_id,
            at=from_microseconds(row.at),
            kind=getattr(row, "kind", "MessageOutcome"),
            run=row.run_no,
            mailbox=addresses.get(row.mailbox_id, ""),
            folder=folders.get(str(fields.get("folder_id", "")), ""),
            data=fields,
        )
        for row, fields in zip(merged, data, strict=True)
    ]
    return found, (merged[-1].at, merged[-1].event_id) if len(merged) == PAGE else None


def _limited(query: Select[Any], columns: Any, wanted: Wanted, after: tuple[int, str]) -> Select[Any]:
    at, event = after
    query = query.where(
        columns.migration_id == wanted.migration,
        or_(columns.at > at, and_(columns.at == at, columns.event_id > event)),
    )
    if wanted.mailbox:
        query = query.where(columns.mailbox_id == wanted.mailbox)
    if wanted.run is not None:
        query = query.where(columns.run_no == wanted.run)
    return query.order_by(columns.at, columns.event_id).limit(PAGE)


def _data(row: Any) -> dict[str, Any]:
    if hasattr(row, "data"):
        found: dict[str, Any] = json.loads(row.data)
        return found
    names = ("folder_id", "source_uidvalidity", "source_uid", "outcome", "code", "octets")
    return {name: getattr(row, name) for name in names}


def _addresses(tx: Connection, migration: MigrationId, boxes: list[str]) -> dict[str, str]:
    row = panel_row.c
    query = select(row.mailbox_id, row.destination).where(row.migration_id == migration, row.mailbox_id.in_(boxes))
    return {each.mailbox_id: each.destination for each in tx.execute(query)}


def _folders(tx: Connection, migration: MigrationId, folders: list[str]) -> dict[str, str]:
    folder = LIVE.folder.c
    query = select(folder.folder_id, folder.source_name)
    query = query.where(folder.migration_id == migration, folder.folder_id.in_(folders))
    return {each.folder_id: each.source_name for each in tx.execute(query)}


def sentence(entry: Entry, zone: str, language: Language) -> str:
    """What an entry says."""
    phrase = PHRASES.get(_kind(entry))
    if phrase is None:
        return entry.kind
    filled = phrase[language].format_map(_Filled(_words(entry, zone, language)))
    # Folder names and servers' words come from outside: nothing of them may steer the reader's terminal.
    return "".join(mark if mark.isprintable() else "\ufffd" for mark in " ".join(filled.split()))


def text_line(entry: Entry, zone: str, language: Language) -> str:
    """A line of the log as text: instant, mailbox, sentence."""
    whose = f"{entry.mailbox}  " if entry.mailbox else ""
    return f"{entry.at.isoformat(timespec='seconds')}  {whose}{sentence(entry, zone, language)}\n"


def json_line(entry: Entry, zone: str, language: Language) -> str:
    """A line of the log as JSON, with the event's own fields beside the sentence."""
    line = {
        "at": entry.at.isoformat(),
        "event": entry.kind,
        "event_id": entry.event_id,
        "mailbox": entry.mailbox,
        "run": entry.run,
        "text": sentence(entry, zone, language),
        "data": dict(entry.data),
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


class _Filled(dict[str, str]):
    """A field that an older event did not have is told as nothing."""

    def __missing__(self, key: str) -> str:
        return ""


def _kind(entry: Entry) -> str:
    """The key of the phrase: some kinds say different things."""
    data = entry.data
    match entry.kind:
        case "RowChecked" if data["state"] == "passed":
            return "RowChecked.passed"
        case "FolderPlanned" if data["action"] == "skip":
            return "FolderPlanned.skip"
        case "FolderPlanned" if data["source_name"] == data["destination_name"]:
            return "FolderPlanned.same"
        case "MailboxRunChanged" if data["change"] in ("finished", "settled") and data["code"]:
            return "MailboxRunChanged.failed"
        case "MailboxRunChanged":
            return f"MailboxRunChanged.{data['change']}"
        case "NotificationChanged":
            return f"NotificationChanged.{data['state']}"
        case kind:
            return kind


def _words(entry: Entry, zone: str, language: Language) -> dict[str, str]:
    words = dict(_plain(entry.data, zone, language))
    why = cause(str(entry.data.get("code", "")), str(entry.data.get("side", "")), language)
    words["cause"] = f"{why.text} {why.remedy}" if why else ""
    words["run"], words["folder"] = str(entry.run), entry.folder
    words["host"] = str(entry.data.get("source", {}).get("host", ""))
    if "found" in entry.data:
        account = {name: number(int(entry.data.get(name, 0)), language) for name in SUMS}
        words["account"] = ACCOUNT[language].format_map(account)
    if entry.kind == "FolderPlanned":
        words["why"] = FOLDER_REASONS[Reason(str(entry.data["reason"]))][language]
    if entry.kind == "RowChecked":
        words["state"] = check_word(str(entry.data["state"]), language).text
    grade = grade_word(str(entry.data.get("grade") or ""), language)
    words["grade"] = grade.text if grade else ""
    return words


def _plain(data: Mapping[str, Any], zone: str, language: Language) -> Iterator[tuple[str, str]]:
    for name, value in data.items():
        if name in ("first_at", "second_at", "until"):
            told = moment(datetime.fromisoformat(value), zone, language) if value else WORDS["none"][language]
            yield name, told
        elif name == "octets":
            yield name, size(int(value), language)
        elif name in _COUNTS and isinstance(value, int):
            yield name, number(value, language)
        elif isinstance(value, str) and value in WORDS and name != "notice":
            yield name, WORDS[value][language]
        else:
            yield name, "" if value is None else str(value)
