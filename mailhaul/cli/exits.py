"""Exit codes, and the errors that end a command with one of them and a sentence on stderr."""

from enum import IntEnum


class Exit(IntEnum):
    """Documented in `mailhaul --help`; scripts rely on them."""

    OK = 0
    ERROR = 1
    USAGE = 2
    INVALID = 3  # the file, or rows of the migration, did not pass
    AUTHENTICATION = 4
    FAILURES = 5  # finished, but mailboxes failed or need a look
    TIMED_OUT = 6
    REFUSED = 7  # the scheduler refused what was asked
    AGAIN = 75  # interrupted or parked: run the same command again


class CommandFailed(Exception):
    """Ends the command; `hint` says what to do next."""

    def __init__(self, text: str, code: Exit = Exit.ERROR, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.hint = hint
