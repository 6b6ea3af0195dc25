"""Reads both servers and judges every mailbox, a few at a time."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from checker.expectation import Judged, Rules, from_source
from checker.judge import judge
from checker.model import Pair
from checker.reader import ReadError, Server, read_mailbox
from checker.report import MailboxVerdict, Verdict

AT_ONCE = 4


def against_manifest(moves: Sequence[Judged], source: Server | None, destination: Server) -> Verdict:
    """Judge destinations by the manifest and, where a source is given, that it still is as it was generated."""

    def one(move: Judged) -> MailboxVerdict:
        verdict = MailboxVerdict(move.pair)
        verdict.folders = judge(move.destination, read_mailbox(destination, move.pair.destination))
        if source is not None:
            verdict.source = judge(move.source, read_mailbox(source, move.pair.source))
        return verdict

    return _all((move.pair, partial(one, move)) for move in moves)


def against_source(pairs: Sequence[Pair], source: Server, destination: Server, rules: Rules) -> Verdict:
    """Judge destinations by what their live sources hold now, under the rules of the command line."""

    def one(pair: Pair) -> MailboxVerdict:
        expected = from_source(read_mailbox(source, pair.source), rules)
        return MailboxVerdict(pair, judge(expected, read_mailbox(destination, pair.destination)))

    return _all((pair, partial(one, pair)) for pair in pairs)


def _all(jobs: Iterable[tuple[Pair, Callable[[], MailboxVerdict]]]) -> Verdict:
    """Run every judgement; a mailbox that cannot be read has its error as its verdict and hinders no other."""

    def judged(job: tuple[Pair, Callable[[], MailboxVerdict]]) -> MailboxVerdict:
        pair, judgement = job
        try:
            return judgement()
        except ReadError as error:
            return MailboxVerdict(pair, error=str(error))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Verdict(list(pool.map(judged, jobs)))
