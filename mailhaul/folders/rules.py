"""What is left out, what is renamed, and how much of a tree is believed, as pure values."""

from dataclasses import dataclass

from mailhaul.errors import RequestInvalid

MAX_OCTETS = 52_428_800  # product.md: the seeds' 50 MB, a message of exactly this size is copied


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderRules:
    """`skip` and the old names of `translations` are whole names, levels joined by `/` or as the source writes them.

    Both hold for sub-folders as well; the longest old name wins.
    """

    include_trash: bool = False
    include_junk: bool = False
    skip: tuple[str, ...] = ()
    translations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """What a destination does not take as the name of one level; the delimiter is always among it."""

    characters: frozenset[str] = frozenset()
    level_octets: int = 255  # on the wire; what file systems allow
    name_octets: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """A server that lists more than this is answered with an error, not with a plan that never ends."""

    folders: int = 20_000
    depth: int = 64


def folder_rules(
    skip: tuple[str, ...] = (),
    translations: tuple[str, ...] = (),
    *,
    include_trash: bool = False,
    include_junk: bool = False,
) -> FolderRules:
    """The rules of a migration as they travel in events; raises RequestInvalid for a pair that is none."""
    return FolderRules(
        include_trash=include_trash,
        include_junk=include_junk,
        skip=tuple(name.strip() for name in skip if name.strip()),
        translations=tuple(translation(pair) for pair in translations if pair.strip()),
    )


def translation(pair: str) -> tuple[str, str]:
    """`old:new` taken apart at the first colon that no backslash stands before."""
    old, colon, new = pair.replace("\\:", "\0").partition(":")
    old, new = (name.replace("\0", ":").strip() for name in (old, new))
    if not colon or not old or not new:
        raise RequestInvalid("bad_translation", "a translation is written old:new, one pair a line")
    return old, new


def too_large(octets: int, max_octets: int = MAX_OCTETS) -> bool:
    """True for a message over the limit; an equal one is copied."""
    return octets > max_octets
