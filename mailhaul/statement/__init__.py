"""The completeness statement: the account of every message, and its grade."""

from mailhaul.statement.accounts import Account, Grade, grade, total, worst

__all__ = ["Account", "Grade", "grade", "total", "worst"]
