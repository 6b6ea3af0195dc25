"""A repeated request finds the first (joint 3): by the client's key, or by what was asked."""

import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, delete, select

from mailhaul.db import SECOND, Microseconds, insert_missing
from mailhaul.errors import RequestInvalid
from mailhaul.ids import CustomerId
from services.panel.tables import panel_repeat

CLIENT_KEY_LIVES = 24 * 3600 * SECOND
FINGERPRINT_LIVES = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Claim:
    """What identifies a request; `key` is the client's, or empty where what was asked must do."""

    customer_id: CustomerId
    key: str
    fingerprint: str

    @property
    def stored_key(self) -> str:
        return f"key:{self.key}" if self.key else f"same:{self.fingerprint}"

    @property
    def lives(self) -> Microseconds:
        return CLIENT_KEY_LIVES if self.key else FINGERPRINT_LIVES


def fingerprint(secret: str, parts: Iterable[object], file: bytes = b"") -> str:
    """A digest of what was asked, keyed because the file holds passwords."""
    text = json.dumps([str(part) for part in parts]).encode()
    return hmac.new(secret.encode(), sha256(text).digest() + sha256(file).digest(), "sha256").hexdigest()


def claim(tx: Connection, asked: Claim, migration_id: str, answer: str, at: Microseconds) -> str:
    """The answer of the first request with this claim; `answer` itself when this is the first.

    Whoever comes second waits here for the first one's commit. Raises RequestInvalid(`repeated_otherwise`) when the
    client's key was used for something else.
    """
    mine = panel_repeat.c.customer_id == asked.customer_id
    tx.execute(delete(panel_repeat).where(mine, panel_repeat.c.forget_at <= at))
    row = {"customer_id": asked.customer_id, "key": asked.stored_key, "fingerprint": asked.fingerprint}
    row |= {"migration_id": migration_id, "answer": answer}
    insert_missing(tx, panel_repeat, [row | {"forget_at": at + asked.lives}])
    first = tx.execute(select(panel_repeat).where(mine, panel_repeat.c.key == asked.stored_key)).one()
    if first.fingerprint != asked.fingerprint:
        raise RequestInvalid("repeated_otherwise", "this Idempotency-Key belongs to another request: choose a new one")
    return str(first.answer)
