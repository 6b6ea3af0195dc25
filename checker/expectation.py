"""Where the expectation comes from: the generator's manifest, or a live source and rules of the command line."""

import json
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from checker.model import Expectation, Folder, Mailbox, Message, Pair, Path, normal_flags, shown

FORMAT = 1


class ManifestError(Exception):
    """The manifest cannot be read; `README.md` has its format."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One move with what its destination must hold and, where the manifest says so, what its source must still show."""

    pair: Pair
    destination: Expectation
    source: Expectation


def read_manifest(file: FilePath) -> list[Judged]:
    """Read a manifest; a message without `left_out` in a folder with a destination is expected there."""
    try:
        document = json.loads(file.read_text("utf-8"))
        if document["format"] != FORMAT:
            raise ManifestError(f"{file}: format {document['format']} instead of {FORMAT}")
        return [_judged(mailbox) for mailbox in document["mailboxes"]]
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ManifestError(f"{file}: {type(error).__name__}: {error}") from error


def _judged(mailbox: dict[str, Any]) -> Judged:
    judged = Judged(Pair(mailbox["source"], mailbox["destination"]), Expectation(), Expectation())
    for folder in mailbox["folders"]:
        source = tuple(folder["source"])
        kept = judged.source.folders.setdefault(source, Counter())
        if folder["subscribed"]:
            judged.source.subscribed.add(source)
        goal: Path | None = tuple(folder["destination"]) if folder["destination"] else None
        if goal is not None:
            judged.destination.folders.setdefault(goal, Counter())
            if folder["subscribed"]:
                judged.destination.subscribed.add(goal)
        for digest, instant, flags, size, left_out in folder["messages"]:
            message = Message(digest, instant, normal_flags(flags), size)
            kept[message] += 1
            reason = folder["left_out"] or left_out
            if goal is None or reason:
                judged.destination.left_out[digest] = reason or "folder"
            else:
                judged.destination.folders[goal][message] += 1
    return judged


@dataclass(frozen=True, slots=True)
class Rules:
    """How a live source's folders become the destination's, as the command line states it."""

    renamed: dict[str, str] = field(default_factory=dict)  # whole folder names, components joined by "/"
    left_out: frozenset[str] = frozenset()  # folder names, with everything below them
    max_octets: int | None = None


def from_source(source: Mailbox, rules: Rules) -> Expectation:
    """Return what a destination must hold when everything that no rule keeps out was copied from this source."""
    expected = Expectation()
    for path, folder in source.items():
        excluded = next((rule for rule in sorted(rules.left_out) if _is_below(path, rule)), None)
        if excluded is not None:
            expected.left_out.update({message.digest: f"below {excluded}" for message in folder.messages})
            continue
        goal = _renamed(path, rules.renamed)
        wanted = expected.folders.setdefault(goal, Counter())
        if folder.subscribed:
            expected.subscribed.add(goal)
        for message in folder.messages:
            if rules.max_octets is not None and message.size > rules.max_octets:
                expected.left_out[message.digest] = f"over {rules.max_octets} octets"
            else:
                wanted[message] += 1
    return expected


def as_expected(mailbox: Mailbox) -> Expectation:
    """Return the expectation that a mailbox as it was read fulfils exactly."""
    return Expectation(
        {path: Counter(folder.messages) for path, folder in mailbox.items()},
        {path for path, folder in mailbox.items() if folder.subscribed},
    )


def as_mailbox(expected: Expectation) -> Mailbox:
    """Return a mailbox that fulfils an expectation exactly."""
    return {
        path: Folder(list(messages.elements()), path in expected.subscribed)
        for path, messages in expected.folders.items()
    }


def _is_below(path: Path, rule: str) -> bool:
    name = shown(path).casefold()
    return name == rule.casefold() or name.startswith(rule.casefold() + "/")


def _renamed(path: Path, renamed: dict[str, str]) -> Path:
    """Apply the longest matching translation to a folder or one of its parents; names travel in NFC."""
    for length in range(len(path), 0, -1):
        if (goal := renamed.get(shown(path[:length]))) is not None:
            return (*goal.split("/"), *path[length:])
    return tuple(unicodedata.normalize("NFC", part) for part in path)
