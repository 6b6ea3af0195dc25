"""The sums add up at every level, and the grade follows from them alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul.statement import COMPLETE, Account, grade, total, worst
from mailhaul.states import Grade

COUNTS = st.integers(min_value=0, max_value=10**12)


def accounts() -> st.SearchStrategy[Account]:
    names = ("copied", "already_there", "skipped", "vanished", "failed", "left", "removed_by_owner", "surplus")
    return st.fixed_dictionaries(dict.fromkeys(names, COUNTS)).map(
        lambda n: Account(found=sum(n[name] for name in names[:6]), **n)
    )


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (Account(), Grade.EXACT),
        (Account(found=3, copied=2, already_there=1), Grade.EXACT),
        (Account(found=3, copied=2, skipped=1), Grade.GOOD),
        (Account(found=3, copied=2, vanished=1), Grade.GOOD),
        (Account(found=3, copied=3, removed_by_owner=1), Grade.GOOD),
        (Account(found=3, copied=2, failed=1), Grade.REVIEW),
        (Account(found=3, copied=3, surplus=1), Grade.REVIEW),
        (Account(found=3, copied=2, left=1), Grade.PROBLEM),
        (Account(found=3, copied=3, mismatched=1), Grade.PROBLEM),
        (Account(found=3, copied=2), Grade.PROBLEM),
        (Account(found=3, copied=4), Grade.PROBLEM),
        (Account(found=4, copied=2, failed=1, skipped=1, mismatched=1), Grade.PROBLEM),
    ],
)
def test_grade_follows_from_the_sums(account: Account, expected: Grade) -> None:
    assert grade(account) is expected


def test_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="copied"):
        Account(copied=-1)


@given(st.lists(accounts(), max_size=6))
def test_sums_of_balanced_accounts_balance(parts: list[Account]) -> None:
    whole = total(parts)
    assert whole.balanced
    assert whole.found == sum(part.found for part in parts)
    assert grade(whole) is worst(grade(part) for part in parts)


def test_worst_of_none_is_exact_and_complete_means_exact_or_good() -> None:
    assert worst([]) is Grade.EXACT
    assert worst([Grade.GOOD, Grade.REVIEW, Grade.EXACT]) is Grade.REVIEW
    assert {Grade.EXACT, Grade.GOOD} == COMPLETE
