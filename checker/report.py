"""The verdict over all mailboxes: its closing line, its lines for a person and its JSON."""

from dataclasses import dataclass, field
from typing import Any

from checker.judge import FolderVerdict
from checker.model import Pair, shown

WORDS = ("lost", "doubled", "altered", "unexpected")


@dataclass(slots=True)
class MailboxVerdict:
    """One move's folders; `source` has those of the source where it was looked at again, `error` why none were read."""

    pair: Pair
    folders: list[FolderVerdict] = field(default_factory=list)
    source: list[FolderVerdict] = field(default_factory=list)
    error: str = ""

    @property
    def exact(self) -> bool:
        """Say whether the destination is exact and the source as it was."""
        return not self.error and all(folder.exact for folder in (*self.folders, *self.source))


@dataclass(slots=True)
class Verdict:
    """The judgement of a whole migration."""

    mailboxes: list[MailboxVerdict]

    @property
    def exact(self) -> bool:
        """Say whether every mailbox is exact; of no mailbox at all nothing can be said, so that is not."""
        return bool(self.mailboxes) and all(mailbox.exact for mailbox in self.mailboxes)

    def count(self, what: str) -> int:
        """Count the findings of one name over all destinations."""
        return sum(folder.count(what) for mailbox in self.mailboxes for folder in mailbox.folders)

    def closing_line(self) -> str:
        """Return the one line that says it all."""
        expected = sum(folder.expected for mailbox in self.mailboxes for folder in mailbox.folders)
        counts = [f"{self.count(word):,} {word}" for word in WORDS]
        faults = sum(len(folder.faults) for mailbox in self.mailboxes for folder in mailbox.folders)
        touched = sum(not folder.exact for mailbox in self.mailboxes for folder in mailbox.source)
        unread = sum(bool(mailbox.error) for mailbox in self.mailboxes)
        counts += [f"{faults:,} folders at fault"] if faults else []
        counts += [f"{touched:,} source folders changed"] if touched else []
        counts += [f"{unread:,} mailboxes unread"] if unread else []
        verdict = "exact" if self.exact else "NOT EXACT"
        size = f"{len(self.mailboxes):,} mailboxes, {expected:,} messages expected"
        return f"checker: {size}: {', '.join(counts)}: {verdict}"

    def lines(self, limit: int = 50) -> list[str]:
        """Return one line a mailbox, then what was found fault with, at most `limit` lines of it."""
        lines = []
        faults: list[str] = []
        for mailbox in self.mailboxes:
            name = f"{mailbox.pair.source} -> {mailbox.pair.destination}"
            present = sum(folder.present for folder in mailbox.folders)
            expected = sum(folder.expected for folder in mailbox.folders)
            word = "exact" if mailbox.exact else mailbox.error or "not exact"
            lines.append(f"{name}: {len(mailbox.folders)} folders, {expected} expected, {present} present: {word}")
            for side, folders in (("", mailbox.folders), ("source ", mailbox.source)):
                faults += [f"{mailbox.pair.destination}: {side}{line}" for folder in folders for line in _lines(folder)]
        more = [f"... and {len(faults) - limit} more"] if len(faults) > limit else []
        return lines + faults[:limit] + more + [self.closing_line()]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "exact": self.exact,
            "closing_line": self.closing_line(),
            **{word: self.count(word) for word in WORDS},
            "mailboxes": [
                {
                    "source": mailbox.pair.source,
                    "destination": mailbox.pair.destination,
                    "exact": mailbox.exact,
                    "error": mailbox.error,
                    "folders": [_folder(folder) for folder in mailbox.folders],
                    "source_folders_changed": [_folder(folder) for folder in mailbox.source if not folder.exact],
                }
                for mailbox in self.mailboxes
            ],
        }


def _lines(folder: FolderVerdict) -> list[str]:
    lines = [f"folder {shown(folder.path)}: {fault}" for fault in folder.faults]
    for finding in folder.findings:
        message = finding.message
        described = f"{message.digest[:16]} of {message.size} octets at {message.instant} ({' '.join(message.flags)})"
        lines.append(f"folder {shown(folder.path)}: {finding.what} {described} {finding.detail}".rstrip())
    return lines


def _folder(folder: FolderVerdict) -> dict[str, Any]:
    return {
        "path": list(folder.path),
        "expected": folder.expected,
        "present": folder.present,
        **{word: folder.count(word) for word in WORDS},
        "faults": folder.faults,
        "findings": [
            {
                "what": finding.what,
                "digest": finding.message.digest,
                "instant": finding.message.instant,
                "flags": list(finding.message.flags),
                "size": finding.message.size,
                "detail": finding.detail,
            }
            for finding in folder.findings
        ],
    }
