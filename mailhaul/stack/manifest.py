"""What a loaded corpus holds and what a correct move makes of it, as the independent checker reads it.

The format is the checker's (`checker/README.md`); this side only writes it, and nothing here reads a server.
"""

import hashlib
import json
from pathlib import Path as FilePath
from typing import Any

from mailhaul.stack.corpus import Account, Corpus, Shelf
from mailhaul.stack.letters import Letter

FORMAT = 1


class Manifest:
    """Grows letter by letter while a corpus is loaded, and again when more mail arrives."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self._folders = {
            account: {shelf.path: (shelf, list[list[Any]]()) for shelf in corpus.shelves} for account in corpus.accounts
        }

    def add(self, account: Account, letter: Letter) -> None:
        """Note a letter that the source now serves."""
        served = letter.served
        left_out = "size" if len(served) > self.corpus.size_limit else ""
        instant = int(letter.date.timestamp())
        digest = hashlib.sha256(served).hexdigest()
        _, messages = self._folders[account][letter.folder]
        messages.append([digest, instant, list(letter.flags), len(served), left_out])

    def leave_out(self, account: Account) -> None:
        """Forget a mailbox that is not going to be moved."""
        del self._folders[account]

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The mailboxes that are to be moved."""
        return tuple(self._folders)

    @property
    def expected(self) -> int:
        """How many messages a correct move brings over."""
        return sum(
            not message[4]
            for folders in self._folders.values()
            for shelf, messages in folders.values()
            if not shelf.left_out
            for message in messages
        )

    def as_json(self) -> dict[str, Any]:
        """The document that the checker reads."""
        mailboxes = [
            {
                "source": account.source,
                "destination": account.destination,
                "folders": [_folder(shelf, messages) for shelf, messages in folders.values()],
            }
            for account, folders in self._folders.items()
        ]
        return {"format": FORMAT, "seed": self.corpus.seed, "mailboxes": mailboxes}

    def write(self, file: FilePath) -> FilePath:
        """Write the document and return where it stands."""
        file.write_text(json.dumps(self.as_json(), ensure_ascii=False, separators=(",", ":")), "utf-8")
        return file


def _folder(shelf: Shelf, messages: list[list[Any]]) -> dict[str, Any]:
    return {
        "source": list(shelf.path),
        "destination": list(shelf.goal) if shelf.goal is not None else None,
        "left_out": shelf.left_out,
        "subscribed": shelf.subscribed,
        "messages": messages,
    }
