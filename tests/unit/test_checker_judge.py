"""The independent checker's judgement, tried by seeded corruptions and against judges that are too kind."""

import ast
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path as FilePath

import pytest

import checker
from checker.corruptions import CORRUPTIONS, Corruption
from checker.expectation import Rules, as_mailbox, from_source
from checker.judge import FolderVerdict, judge
from checker.model import Expectation, Folder, Mailbox, Message, Pair, normal_flags
from checker.report import MailboxVerdict, Verdict
from checker.selftest import caught, generate, self_test

SEED = 20


def test_every_seeded_corruption_is_caught_and_no_correct_copy_is_blamed() -> None:
    result = self_test(SEED, 30)
    assert result.missed == ()
    assert result.false_alarms == ()
    assert result.seeded >= 500


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.__name__)
def test_each_corruption_is_called_by_its_name(corruption: Corruption) -> None:
    print(f"seed {SEED}/{corruption.__name__}")
    expected = generate(random.Random(SEED))
    assert caught(judge, expected, corruption, CORRUPTIONS[corruption], f"{SEED}/{corruption.__name__}")


def blind_to(*names: str) -> set[str]:
    """Return what the self-test misses with a judge that cannot see some property of a message."""

    def veiled(message: Message) -> Message:
        digest = "" if "digest" in names else message.digest
        instant = 0 if "instant" in names else message.instant
        return Message(digest, instant, () if "flags" in names else message.flags, message.size)

    def blind(expected: Expectation, found: Mailbox) -> list[FolderVerdict]:
        kind = Expectation(subscribed=expected.subscribed, left_out=expected.left_out)
        for path, messages in expected.folders.items():
            kind.folders[path] = Counter(veiled(message) for message in messages.elements())
        seen = {path: replace(folder, messages=list(map(veiled, folder.messages))) for path, folder in found.items()}
        return judge(kind, seen)

    return {line.split(",")[0] for line in self_test(SEED, 5, blind).missed}


def test_the_self_test_notices_a_judge_that_sees_no_date() -> None:
    assert "shift_date" in blind_to("instant")


def test_the_self_test_notices_a_judge_that_sees_no_flags() -> None:
    assert {"drop_flag", "add_flag", "swap_flags"} <= blind_to("flags")


def test_the_self_test_notices_a_judge_that_sees_no_bytes() -> None:
    assert {"alter_byte", "alter_header", "empty_message"} <= blind_to("digest")


def test_the_self_test_notices_a_judge_that_sees_sets_instead_of_multisets() -> None:
    def forgetful(expected: Expectation, found: Mailbox) -> list[FolderVerdict]:
        once = Expectation(subscribed=expected.subscribed, left_out=expected.left_out)
        once.folders = {path: Counter(set(messages)) for path, messages in expected.folders.items()}
        seen = {path: replace(folder, messages=list(set(folder.messages))) for path, folder in found.items()}
        return judge(once, seen)

    assert {"lose_twin", "double_twin", "double"} <= {
        line.split(",")[0] for line in self_test(SEED, 5, forgetful).missed
    }


def test_flags_are_compared_without_case_and_without_recent() -> None:
    assert normal_flags(["\\SEEN", "\\Recent", "$Label1"]) == normal_flags(["$label1", "\\Seen"])


def test_a_live_source_is_mapped_by_the_rules_of_the_command_line() -> None:
    source: Mailbox = {
        ("INBOX",): Folder([Message("a", 1, (), 10), Message("b", 2, (), 999)], subscribed=True),
        ("Posta inviata", "2023"): Folder([Message("c", 3, (), 1)]),
        ("Trash", "Old"): Folder([Message("d", 4, (), 1)]),
        ("Trashed",): Folder(),
    }
    expected = from_source(source, Rules({"Posta inviata": "Sent"}, frozenset({"trash"}), max_octets=998))
    assert set(expected.folders) == {("INBOX",), ("Sent", "2023"), ("Trashed",)}
    assert expected.left_out == {"b": "over 998 octets", "d": "below trash"}
    assert expected.subscribed == {("INBOX",)}


def test_the_closing_line_counts_and_says_exact_only_when_it_is() -> None:
    expected = generate(random.Random(SEED))
    total = sum(messages.total() for messages in expected.folders.values())
    exact = Verdict([MailboxVerdict(Pair("a", "b"), judge(expected, as_mailbox(expected)))])
    assert exact.closing_line() == (
        f"checker: 1 mailboxes, {total} messages expected: 0 lost, 0 doubled, 0 altered, 0 unexpected: exact"
    )
    assert exact.as_json()["exact"] is True
    empty = Verdict([MailboxVerdict(Pair("a", "b"), judge(expected, {}))])
    assert f"{total} lost, 0 doubled, 0 altered, 0 unexpected, 5 folders at fault: NOT EXACT" in empty.closing_line()
    assert Verdict([]).closing_line().endswith("NOT EXACT")


def test_the_checker_imports_nothing_but_itself_and_the_standard_library() -> None:
    allowed = set(sys.stdlib_module_names) | {"checker"}
    for module in FilePath(checker.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, module
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, module
                assert (node.module or "").split(".")[0] in allowed, module


def test_its_command_tests_itself() -> None:
    command = [sys.executable, "-m", "checker", "--self-test", "--rounds", "2", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "seed 3" in done.stdout
    assert "44 of 44 seeded corruptions caught, 0 false alarms on 2 correct copies" in done.stdout
