"""Pages by key, never by offset: rows move while mail is copied."""

import base64
import binascii
import json

from mailhaul.errors import RequestInvalid


def write(*key: int | str) -> str:
    """The cursor behind a row with this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read(cursor: str, *kinds: type) -> tuple[int | str, ...]:
    """The key in a cursor. Raises RequestInvalid(`bad_request`) when it is none of ours."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise RequestInvalid("bad_request", "the cursor is not one that this list gave") from error
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise RequestInvalid("bad_request", "the cursor is not one that this list gave")
    return tuple(key)
