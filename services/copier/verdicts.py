"""What becomes of a finished batch: pure, so that every refusal can stand in a table of tests."""

from dataclasses import dataclass, field

from mailhaul.errors import MailhaulError, Side, Throttled
from mailhaul.imap.refusals import refusal
from services.copier.batches import Listed, halve
from services.copier.pushes import Batch

TRIES = 2  # pushes of a single message before it has failed


@dataclass(slots=True)
class Verdict:
    """`again` goes back to the queue's head, `outcomes` are (UID, outcome, code, octets), `unseen` were not sent."""

    again: list[Batch] = field(default_factory=list)
    outcomes: list[tuple[int, str, str, int]] = field(default_factory=list)
    unseen: set[int] = field(default_factory=set)
    trouble: MailhaulError | None = None


def judge(batch: Batch) -> Verdict:
    """Every message of the batch is stored, queued again, given an outcome, or unseen.

    A refused push is atomic (RFC 3502): it is halved until the poison stands alone. Quota, throttling and a server in
    trouble are the mailbox's affair, never a message's.
    """
    verdict = Verdict()
    listed = {message.uid: message for message in batch.listed}
    for uid, size in batch.too_large:
        verdict.outcomes.append((uid, "skipped", "too_large", size))
    for answer, items in batch.refused:
        error = refusal(answer, "APPEND", Side.DESTINATION, answer.words)
        messages = [listed[item.uid] for item in items]
        # RFC 5530 §3: LIMIT is about the operation (Dovecot's quota_max_mail_size says it), not about the hour.
        if error.code == "folder_missing" or (isinstance(error, Throttled) and answer.code != "LIMIT"):
            error.retryable = True  # a folder that its owner removed meanwhile is made again by the next attempt
            verdict.trouble = verdict.trouble or error
        else:
            _halve(verdict, batch, messages, "append_refused" if error.code != "too_large" else error.code)
    seen = {item.uid for item in batch.items} | {uid for uid, _ in batch.too_large}
    missing = [message for uid, message in listed.items() if uid not in seen]
    if missing and batch.unread is not None:
        error = refusal(batch.unread, "FETCH", Side.SOURCE, batch.unread.words)
        if isinstance(error, Throttled):
            verdict.trouble = verdict.trouble or error
        else:
            _halve(verdict, batch, missing, "fetch_refused")
    elif missing and batch.tries:
        verdict.outcomes += [(message.uid, "failed", "not_returned", message.size) for message in missing]
    else:
        verdict.unseen = {message.uid for message in missing}
    return verdict


def _halve(verdict: Verdict, batch: Batch, messages: list[Listed], code: str) -> None:
    """Two halves, until the poison stands alone; alone it is tried again once, then it has failed."""
    alone = len(batch.listed) == 1
    if len(messages) > 1:
        first, second = halve(messages)
        verdict.again += [Batch(batch.folder, first), Batch(batch.folder, second)]
    elif not alone or (batch.tries + 1 < TRIES and code != "too_large"):
        verdict.again.append(Batch(batch.folder, messages, tries=batch.tries + 1 if alone else 0))
    else:
        verdict.outcomes += [(message.uid, "failed", code, message.size) for message in messages]
