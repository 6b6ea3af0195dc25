"""Who calls: bearer tokens, known by their digests; the local user's is made at the first start (joint 36)."""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, select

from mailhaul.db import Microseconds, insert_missing
from mailhaul.ids import CustomerId
from services.panel.tables import panel_token

PREFIX = "mhl_"
LOCAL_CUSTOMER = CustomerId("local")
LOCAL_USER = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Every query is limited to the caller's customer."""

    customer_id: CustomerId
    user_name: str
    operator: bool


def digest(token: str) -> str:
    """What is stored of a token: it has 256 random bits, so a plain hash can't be guessed back."""
    return sha256(token.encode()).hexdigest()


def add(tx: Connection, token: str, caller: Caller, at: Microseconds) -> None:
    """Let a token speak for a caller."""
    row = {"digest": digest(token), "customer_id": caller.customer_id, "user_name": caller.user_name}
    insert_missing(tx, panel_token, [row | {"operator": int(caller.operator), "created_at": at}])


def find(tx: Connection, token: str) -> Caller | None:
    """Whose token it is."""
    row = tx.execute(select(panel_token).where(panel_token.c.digest == digest(token))).one_or_none()
    return None if row is None else Caller(CustomerId(row.customer_id), row.user_name, bool(row.operator))


def local_token(file: Path, fresh: str) -> str:
    """The token in the file; `fresh` is put there, readable by its owner alone, when there is no file yet."""
    return secret_file(file, PREFIX + fresh)


def secret_file(file: Path, fresh: str) -> str:
    """The secret in the file, or `fresh` written to it; two first starts end with one secret."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.touch(mode=0o600)
    part.write_text(fresh + "\n", encoding="ascii")
    try:
        os.link(part, file)
    except FileExistsError:
        return file.read_text(encoding="ascii").strip()
    finally:
        part.unlink()
    return fresh
