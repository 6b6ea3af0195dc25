"""The judgement itself: what was expected against what is there, folder by folder, as multisets."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from checker.model import Expectation, Folder, Mailbox, Message, Path, shown

# How a missing message and a surplus one in the same folder are recognised as one that was altered, nearest first:
# the same bytes with other flags or another date, then other bytes at the same instant, which is what a changed header
# or a cut body looks like.
ALIKE = (
    (attrgetter("digest", "instant"), "flags"),
    (attrgetter("digest", "flags"), "date"),
    (attrgetter("digest"), "date and flags"),
    (attrgetter("instant", "flags"), "bytes"),
    (attrgetter("instant"), "bytes and flags"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault; `what` names it (lost, doubled, altered, unexpected) and `detail` says how and where."""

    what: str
    message: Message
    detail: str


@dataclass(slots=True)
class FolderVerdict:
    """The account of one folder."""

    path: Path
    expected: int = 0
    present: int = 0
    findings: list[Finding] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # of the folder itself: missing, unexpected, not subscribed

    def count(self, what: str) -> int:
        """Count the findings of one name."""
        return sum(finding.what == what for finding in self.findings)

    @property
    def exact(self) -> bool:
        """Say whether nothing at all was found fault with."""
        return not self.findings and not self.faults


def judge(expected: Expectation, found: Mailbox) -> list[FolderVerdict]:
    """Judge one mailbox; every expected folder has a verdict, an unexpected one only where it is at fault."""
    nothing: Counter[Message] = Counter()
    there = {path: Counter(folder.messages) for path, folder in found.items()}
    missing = {path: want - there.get(path, nothing) for path, want in expected.folders.items()}
    surplus = {path: have - expected.folders.get(path, nothing) for path, have in there.items()}
    homes = _homes(missing)
    verdicts = []
    for path in sorted(expected.folders.keys() | found.keys()):
        verdict = FolderVerdict(path, expected.folders.get(path, nothing).total(), there.get(path, nothing).total())
        verdict.faults += _folder_faults(path, expected, found)
        less = list(missing.get(path, nothing).elements())
        more = list(surplus.get(path, nothing).elements())
        altered, less, more = _altered(less, more)
        known = {message.digest for message in expected.folders.get(path, nothing)}
        verdict.findings += altered
        verdict.findings += [Finding("lost", message, _whereabouts(message, surplus, path)) for message in less]
        verdict.findings += [_extra(message, known, homes, expected.left_out) for message in more]
        if path in expected.folders or not verdict.exact:
            verdicts.append(verdict)
    return verdicts


def _homes(missing: Mapping[Path, Counter[Message]]) -> dict[str, str]:
    """Return, for each digest that is missing somewhere, a folder where it should be."""
    return {message.digest: shown(path) for path, messages in missing.items() for message in messages}


def _folder_faults(path: Path, expected: Expectation, found: Mailbox) -> list[str]:
    """Fault a folder that is missing, unsubscribed, or there without reason.

    INBOX and folders that carry the platform's own special-use attribute may be there without a reason.
    """
    folder: Folder | None = found.get(path)
    if folder is None:
        return ["missing"]
    if path not in expected.folders:
        return [] if folder.role or path == ("INBOX",) else ["unexpected"]
    return ["not subscribed"] if path in expected.subscribed and not folder.subscribed else []


def _altered(less: list[Message], more: list[Message]) -> tuple[list[Finding], list[Message], list[Message]]:
    """Pair what is missing with what is there instead; return the pairs as findings, and what stayed alone."""
    findings: list[Finding] = []
    for key, changed in ALIKE:
        waiting: dict[object, list[Message]] = defaultdict(list)
        for message in more:
            waiting[key(message)].append(message)
        alone = []
        for message in less:
            if twins := waiting[key(message)]:
                findings.append(Finding("altered", message, f"{changed}: {_difference(message, twins.pop(), changed)}"))
            else:
                alone.append(message)
        less, more = alone, [message for messages in waiting.values() for message in messages]
    return findings, less, more


def _difference(before: Message, after: Message, changed: str) -> str:
    """Say what a message was and what it is now."""
    parts = []
    if "bytes" in changed:
        parts.append(f"{before.size} octets became {after.size} with digest {after.digest[:16]}")
    if "date" in changed:
        parts.append(f"{after.instant - before.instant:+d} s")
    if "flags" in changed:
        parts.append(f"({' '.join(before.flags)}) became ({' '.join(after.flags)})")
    return ", ".join(parts)


def _whereabouts(message: Message, surplus: Mapping[Path, Counter[Message]], here: Path) -> str:
    """Say where else in the mailbox a lost message's bytes stand."""
    digest = message.digest
    places = [shown(path) for path, more in surplus.items() if path != here and digest in {m.digest for m in more}]
    return f"stands in {', '.join(places)} instead" if places else ""


def _extra(message: Message, known: set[str], homes: Mapping[str, str], left_out: Mapping[str, str]) -> Finding:
    """Name a surplus message: a second copy, one that strayed, one that a rule keeps out, or a stranger."""
    if message.digest in known:
        return Finding("doubled", message, "")
    if home := homes.get(message.digest):
        return Finding("unexpected", message, f"belongs to {home}")
    if rule := left_out.get(message.digest):
        return Finding("unexpected", message, f"must be left out: {rule}")
    return Finding("unexpected", message, "not from the source")
