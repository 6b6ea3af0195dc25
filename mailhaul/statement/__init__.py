"""The completeness statement: the account of every message, and its grade."""

from mailhaul.statement.accounts import COMPLETE, Account, grade, total, worst

__all__ = ["COMPLETE", "Account", "grade", "total", "worst"]
