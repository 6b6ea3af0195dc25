"""A server's folders as paths: the namespace's prefix taken off, split on the wire, each level decoded for itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mailhaul.folders.roles import fold
from mailhaul.imap.names import decode_name, is_inbox

Path = tuple[str, ...]
Levels = tuple[bytes, ...]

INBOX: Path = ("INBOX",)
INBOX_LEVEL = b"\0INBOX"  # what no server can send: an `INBOX.INBOX` below a prefix is a folder of its own


class Listing(Protocol):
    """One line of LIST as `mailhaul.imap` gives it: wire name, delimiter, attributes in lower case."""

    @property
    def name(self) -> bytes: ...
    @property
    def delimiter(self) -> bytes | None: ...
    @property
    def attributes(self) -> frozenset[bytes]: ...
    @property
    def subscribed(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What a server says of its folders; `prefix` None where it has no NAMESPACE (RFC 2342) to ask.

    `foreign` holds the prefixes of other users' and of shared folders: those are not this mailbox's mail.
    """

    folders: Sequence[Listing]
    prefix: bytes | None = None
    delimiter: bytes | None = None
    foreign: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A folder in its place; `path` is NFC and begins with INBOX in capitals where it is INBOX or lies below it.

    Two folders can have one `path` (NFC and NFD of a name); `levels`, as they are on the wire, are always different.
    """

    wire: bytes
    levels: Levels
    path: Path
    attributes: frozenset[bytes]
    subscribed: bool
    foreign: bool

    @property
    def selectable(self) -> bool:
        # RFC 9051 §7.3.1: \NonExistent implies \Noselect; some servers send only the one or the other.
        return not self.attributes & {b"\\noselect", b"\\nonexistent"}

    @property
    def shown(self) -> str:
        """The name for people and for rules, levels joined by `/`."""
        return "/".join(self.path)


def delimiter_of(tree: Tree) -> bytes | None:
    """The namespace's delimiter, else the first that LIST names."""
    return tree.delimiter or next((folder.delimiter for folder in tree.folders if folder.delimiter), None)


def prefix_of(tree: Tree) -> bytes:
    """The personal namespace's prefix; without NAMESPACE it is `INBOX.` where every folder stands below INBOX."""
    if tree.prefix is not None:
        return tree.prefix
    delimiter = delimiter_of(tree)
    others = [folder.name for folder in tree.folders if not is_inbox(folder.name)]
    if delimiter and others and all(is_inbox(name[:5]) and name[5:6] == delimiter for name in others):
        return others[0][:5] + delimiter
    return b""


def nodes(tree: Tree) -> list[Node]:
    """Every folder once; of two lines for one folder (`inbox` and `INBOX`, `a` and `a/`) the one that holds mail."""
    prefix, delimiter = prefix_of(tree), delimiter_of(tree)
    found: dict[Levels, Node] = {}
    for folder in tree.folders:
        if folder.name:
            node = _node(folder, prefix, folder.delimiter or delimiter, tree.foreign)
            if node.levels not in found or (node.selectable and not found[node.levels].selectable):
                found[node.levels] = node
    return list(found.values())


def _node(folder: Listing, prefix: bytes, delimiter: bytes | None, foreign: tuple[bytes, ...]) -> Node:
    levels = levels_of(folder.name, prefix, delimiter)
    return Node(
        wire=folder.name,
        levels=levels,
        path=path_of(levels),
        attributes=frozenset(attribute.lower() for attribute in folder.attributes),
        subscribed=folder.subscribed,
        foreign=any(start and folder.name.startswith(start) for start in foreign),
    )


def levels_of(wire: bytes, prefix: bytes, delimiter: bytes | None) -> Levels:
    """The levels of a name below the personal namespace, split on the wire: a delimiter inside a level stays there."""
    if is_inbox(wire):
        return (INBOX_LEVEL,)
    inner = wire
    if prefix and wire[: len(prefix)].upper() == prefix.upper() and len(wire) > len(prefix):
        inner = wire[len(prefix) :]
    levels = inner.split(delimiter) if delimiter else [inner]
    while len(levels) > 1 and not levels[-1]:  # some servers list a parent with its delimiter behind it
        levels.pop()
    if inner is wire and is_inbox(levels[0]):  # RFC 9051 §5.1: INBOX is the one name that any case means
        levels[0] = INBOX_LEVEL
    return tuple(levels)


def path_of(levels: Levels) -> Path:
    """The levels as people read them, in NFC."""
    return tuple("INBOX" if level == INBOX_LEVEL else decode_name(level) for level in levels)


def key(path: Path) -> Path:
    """What two names have in common that some server or mail program cannot tell apart: case and Unicode form."""
    return tuple(fold(level) or level for level in path)
