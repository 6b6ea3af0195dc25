"""Batches: how a folder's messages are cut into pushes, and how a refused push is halved."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Listed(NamedTuple):
    """A message as the source's listing shows it; `date` is None where the source gave none."""

    uid: int
    size: int
    date: int | None
    flags: bytes


def cut(messages: Iterable[Listed], most_messages: int, most_octets: int) -> Iterator[list[Listed]]:
    """Batches in the order given; a message larger than a batch travels alone."""
    batch: list[Listed] = []
    octets = 0
    for message in messages:
        if batch and (len(batch) >= most_messages or octets + message.size > most_octets):
            yield batch
            batch, octets = [], 0
        batch.append(message)
        octets += message.size
    if batch:
        yield batch


def halve(messages: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Two halves of a refused push; the poison is found in log2(n) steps."""
    if len(messages) < 2:
        raise ValueError("a single message cannot be halved")
    middle = len(messages) // 2
    return messages[:middle], messages[middle:]
