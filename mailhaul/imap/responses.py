"""Untagged responses as typed values: LIST, STATUS, SEARCH, QUOTA and their kin (RFC 9051 §7)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailhaul.imap.answers import Answer, parse_status
from mailhaul.imap.fetches import Fetched, parse_fetch
from mailhaul.imap.limits import MAX_INT
from mailhaul.imap.reader import Breach, Part
from mailhaul.imap.values import Atom, Value, number, parse_values, text, words


@dataclass(frozen=True, slots=True)
class Capability:
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Enabled:
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Listed:
    """One folder; `name` as it is on the wire, `attributes` in lower case (`\\noselect`, `\\trash`)."""

    name: bytes
    delimiter: bytes | None
    attributes: frozenset[bytes]
    subscribed: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """Numbers of a folder by item in capitals (`MESSAGES`, `UIDNEXT`, `SIZE`)."""

    name: bytes
    numbers: dict[str, int]


@dataclass(frozen=True, slots=True)
class Found:
    """SEARCH or ESEARCH: `uids` as a set of UIDs (b"" for none), `count` and `highest_modseq` where said."""

    uids: bytes
    count: int | None = None
    highest_modseq: int | None = None


@dataclass(frozen=True, slots=True)
class Vanished:
    uids: bytes
    earlier: bool


@dataclass(frozen=True, slots=True)
class Flags:
    flags: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """`* 23 EXISTS`, `RECENT` or `EXPUNGE`."""

    what: str
    number: int


@dataclass(frozen=True, slots=True)
class QuotaRoot:
    name: bytes
    roots: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Quota:
    """(usage, limit) by resource; STORAGE counts units of 1024 octets (RFC 9208 §5)."""

    root: bytes
    resources: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Namespaces:
    """(prefix, delimiter) of the personal, the other users' and the shared namespaces (RFC 2342)."""

    personal: tuple[tuple[bytes, bytes | None], ...] = ()
    others: tuple[tuple[bytes, bytes | None], ...] = ()
    shared: tuple[tuple[bytes, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """What the server says of itself (RFC 2971), keys in lower case."""

    fields: dict[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Other:
    """Nothing that we asked for: ignored."""

    word: str


Response = (
    Answer
    | Capability
    | Counted
    | Enabled
    | Fetched
    | Flags
    | Found
    | Identity
    | Listed
    | Namespaces
    | Other
    | Quota
    | QuotaRoot
    | Status
    | Vanished
)


def parse_response(parts: Sequence[Part]) -> Response:
    """The typed value of a whole untagged response; Breach when one that we know is garbled."""
    line = bytes(parts[0] or b"")
    if (status := parse_status(line[2:])) is not None:
        return status
    if line[2:3].isdigit():
        return _numbered(parts)
    word = line[2:].split(b" ", 1)[0].decode("ascii", "replace").upper()
    reader = _READERS.get(word)
    if reader is None:
        return Other(word)
    try:
        return reader(parse_values(parts)[2:])
    except (IndexError, ValueError) as error:
        raise Breach(f"a garbled {word} response") from error


def _numbered(parts: Sequence[Part]) -> Response:
    fetched = parse_fetch(parts)
    if fetched:
        return fetched
    count, _, word = bytes(parts[0] or b"")[2:].partition(b" ")
    if word.strip().upper() in (b"EXISTS", b"RECENT", b"EXPUNGE") and count.isdigit() and len(count) < 20:
        return Counted(word.strip().decode("ascii").upper(), int(count))
    return Other(word[:20].decode("ascii", "replace").upper())


def _names(values: list[Value]) -> frozenset[str]:
    return frozenset(text(value).decode("ascii", "replace").upper() for value in values)


def _listed(values: list[Value]) -> Listed:
    attributes, delimiter, name, *_ = values
    found = frozenset(word.lower() for word in words(attributes))
    sign = None if delimiter is None else text(delimiter)
    if sign is not None and len(sign) != 1:
        raise Breach("a hierarchy delimiter that is not one character")
    return Listed(text(name), sign, found, b"\\subscribed" in found)


def _status(values: list[Value]) -> Status:
    name, items, *_ = values
    flat = items if isinstance(items, list) else []
    if len(flat) % 2:
        raise Breach("a STATUS item without its number")
    numbers = {
        text(key).decode("ascii", "replace").upper(): number(value)
        for key, value in zip(flat[::2], flat[1::2], strict=True)
        if isinstance(value, Atom)  # MAILBOXID (RFC 8474) is a list: nothing we ask for
    }
    return Status(text(name), numbers)


def _search(values: list[Value]) -> Found:
    modseq = None
    if values and isinstance(last := values[-1], list):  # RFC 7162 §3.1.5: SEARCH 2 5 (MODSEQ 917)
        modseq = number(last[1])
        values = values[:-1]
    return Found(b",".join(b"%d" % number(value) for value in values), len(values), modseq)


def _esearch(values: list[Value]) -> Found:
    rest = list(values)
    if rest and isinstance(rest[0], list):  # (TAG "A7")
        rest.pop(0)
    if rest and isinstance(rest[0], Atom) and rest[0].upper() == b"UID":
        rest.pop(0)
    items = {text(key).upper(): value for key, value in zip(rest[::2], rest[1::2], strict=True)}
    found, count, modseq = items.get(b"ALL"), items.get(b"COUNT"), items.get(b"MODSEQ")
    return Found(
        b"" if found is None else text(found),
        None if count is None else number(count),
        None if modseq is None else number(modseq),
    )


def _vanished(values: list[Value]) -> Vanished:
    return Vanished(text(values[-1]), earlier=isinstance(values[0], list))


def _quota(values: list[Value]) -> Quota:
    root, items, *_ = values
    flat = items if isinstance(items, list) else []
    resources = {
        text(name).decode("ascii", "replace").upper(): (min(number(used), MAX_INT), number(limit))
        for name, used, limit in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    }
    return Quota(text(root), resources)


def _namespaces(values: list[Value]) -> Namespaces:
    def one(value: Value) -> tuple[tuple[bytes, bytes | None], ...]:
        found = []
        for item in value if isinstance(value, list) else ():
            if not isinstance(item, list):
                raise Breach("a namespace that is no list")
            found.append((text(item[0]), None if item[1] is None else text(item[1])))
        return tuple(found)

    return Namespaces(one(values[0]), one(values[1]), one(values[2]))


def _identity(values: list[Value]) -> Identity:
    flat = values[0] if isinstance(values[0], list) else []
    pairs = zip(flat[::2], flat[1::2], strict=False)
    return Identity({text(key).lower(): text(value) for key, value in pairs if value is not None})


_READERS: dict[str, Callable[[list[Value]], Response]] = {
    "CAPABILITY": lambda values: Capability(_names(values)),
    "ENABLED": lambda values: Enabled(_names(values)),
    "LIST": _listed,
    "LSUB": _listed,
    "STATUS": _status,
    "SEARCH": _search,
    "ESEARCH": _esearch,
    "VANISHED": _vanished,
    "FLAGS": lambda values: Flags(tuple(words(values[0]))),
    "QUOTAROOT": lambda values: QuotaRoot(text(values[0]), tuple(text(value) for value in values[1:])),
    "QUOTA": _quota,
    "NAMESPACE": _namespaces,
    "ID": _identity,
}
