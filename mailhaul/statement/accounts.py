"""Every message found is accounted for, and the sums say how good the move was."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from mailhaul.states import Grade

COMPLETE = frozenset({Grade.EXACT, Grade.GOOD})  # nothing stands between the mailbox and the word "Done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The messages of a folder, a mailbox or a migration, in numbers that add up.

    The first seven are one equation, ``found = copied + already_there + skipped + vanished + failed + left``; the
    last three stand beside it and say what the verification saw. All are counts of messages and never negative.
    """

    found: int = 0  # seen at the source
    copied: int = 0  # brought over by Mailhaul, in this run or an earlier one
    already_there: int = 0  # found at the destination and matched
    skipped: int = 0  # left out by a rule: Trash, Junk, size, a folder to skip
    vanished: int = 0  # removed at the source between the listing and the copy
    failed: int = 0  # tried and refused; each is listed with its code
    left: int = 0  # not tried yet; none once a run is over
    removed_by_owner: int = 0  # verified once, later removed or moved by their owner at the destination
    surplus: int = 0  # possible second copies, reported and not removed
    mismatched: int = 0  # at the destination with another size or date, or missing without its owner's doing

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name} counts messages and is never negative")

    def __add__(self, other: "Account") -> "Account":
        return Account(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def accounted(self) -> int:
        """The right side of the equation."""
        return self.copied + self.already_there + self.skipped + self.vanished + self.failed + self.left

    @property
    def balanced(self) -> bool:
        """True where every message found stands in exactly one column."""
        return self.found == self.accounted

    @property
    def moved(self) -> int:
        """The messages that stand at the destination."""
        return self.copied + self.already_there


def total(accounts: Iterable[Account]) -> Account:
    """The account one level up; the sum of none is the account of nothing found."""
    return sum(accounts, start=Account())


def grade(account: Account) -> Grade:
    """The grade of an account whose run is over.

    Exact: every message found stands at the destination. Good: the differences are explained by a rule or by an owner
    of the mail. Review: a person must look and accept. Problem: something is missing or the sums do not add up, and
    messages still left are a problem, not a promise.
    """
    if not account.balanced or account.left or account.mismatched:
        return Grade.PROBLEM
    if account.failed or account.surplus:
        return Grade.REVIEW
    if account.skipped or account.vanished or account.removed_by_owner:
        return Grade.GOOD
    return Grade.EXACT


def worst(grades: Iterable[Grade]) -> Grade:
    """The grade one level up: a migration is as good as its worst mailbox; of nothing, exact."""
    order = list(Grade)  # from best to worst
    return max(grades, key=order.index, default=Grade.EXACT)
