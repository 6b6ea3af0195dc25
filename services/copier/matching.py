"""Which message is which: multisets matched by their bytes, ties broken by date and flags."""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.copier.packing import Content

Key = Callable[[Content], Hashable]


def _whole(content: Content) -> Hashable:
    # Keywords are the same in any case (RFC 9051 §2.3.2), and servers keep the spelling that they saw first.
    return content._replace(flags=b" ".join(sorted(content.flags.lower().split())))


def _bytes_and_date(content: Content) -> Hashable:
    return content.digest, content.size, content.date


def _bytes(content: Content) -> Hashable:
    return content.digest


def _match(wanted: Mapping[int, Content], present: Mapping[int, Content], keys: Iterable[Key]) -> dict[int, int]:
    found: dict[int, int] = {}
    taken: set[int] = set()
    for key in keys:
        places: defaultdict[Hashable, deque[int]] = defaultdict(deque)
        for uid in sorted(present.keys() - taken):
            places[key(present[uid])].append(uid)
        for uid in sorted(wanted.keys() - found.keys()):
            if twins := places.get(key(wanted[uid])):
                found[uid] = twins.popleft()
                taken.add(found[uid])
    return found


def match_push(
    wanted: Mapping[int, Content],
    present: Mapping[int, Content],
    undated: int | None = None,
    pushes: Iterable[Sequence[int]] = (),
) -> dict[int, int]:
    """Which messages of open pushes arrived: {source UID: destination UID}.

    Bytes always decide, each destination message is used once; same date and flags first, then same date, so that
    twins with different dates keep theirs while their owner may have flagged what arrived. A message with the date
    `undated` has none, and got one of ours: for it the bytes alone decide. Of `pushes` each that lies whole at
    consecutive UIDs is matched there: else a twin of another push could be found in the midst of a second copy, and
    what is left of that copy would no longer look like one (joint 27).
    """
    found = _match_runs(wanted, present, pushes)
    taken = set(found.values())
    found |= _match(_without(wanted, found), _without(present, taken), (_whole, _bytes_and_date))
    taken = set(found.values())
    bare = {uid: each for uid, each in wanted.items() if each.date == undated and uid not in found}
    return found | _match(bare, _without(present, taken), (_bytes,))


def _without(contents: Mapping[int, Content], uids: Collection[int]) -> dict[int, Content]:
    return {uid: each for uid, each in contents.items() if uid not in uids}


def _match_runs(
    wanted: Mapping[int, Content], present: Mapping[int, Content], pushes: Iterable[Sequence[int]]
) -> dict[int, int]:
    starts: defaultdict[Hashable, list[int]] = defaultdict(list)
    for uid in sorted(present):
        starts[_bytes_and_date(present[uid])].append(uid)
    found: dict[int, int] = {}
    taken: set[int] = set()
    for push in pushes:
        rows = [_bytes_and_date(wanted[uid]) for uid in push if uid in wanted]
        for start in starts.get(rows[0], ()) if len(rows) == len(push) > 1 else ():
            run = range(start, start + len(rows))
            there = [_bytes_and_date(present[uid]) for uid in run if uid in present and uid not in taken]
            if there == rows:
                found.update(zip(push, run, strict=True))
                taken.update(run)
                break
    return found


def match_again(known: Mapping[int, Content], seen: Mapping[int, Content]) -> dict[int, int]:
    """The same messages under new UIDs: {old UID: new UID}.

    A restored folder may have lost its dates, and then the bytes alone say who is who: copying again would double.
    """
    return _match(known, seen, (_whole, _bytes_and_date, _bytes))


class Shape(NamedTuple):
    """What a listing says of a message without reading it."""

    size: int
    date: int | None


def alike(source: Mapping[int, Shape], target: Mapping[int, Shape]) -> tuple[set[int], set[int]]:
    """The UIDs on both sides whose size and date occur on the other side too."""
    shapes = set(source.values()) & set(target.values())
    return {u for u, s in source.items() if s in shapes}, {u for u, s in target.items() if s in shapes}


def match_headers(
    source: Mapping[int, Hashable], target: Mapping[int, Hashable]
) -> tuple[dict[int, int], set[int], set[int]]:
    """Match by (size, date, header digest): pairs alone on both sides, and the UIDs whose bytes must be read."""
    mine: defaultdict[Hashable, list[int]] = defaultdict(list)
    theirs: defaultdict[Hashable, list[int]] = defaultdict(list)
    for uid in sorted(source):
        mine[source[uid]].append(uid)
    for uid in sorted(target):
        theirs[target[uid]].append(uid)
    matched: dict[int, int] = {}
    read_source: set[int] = set()
    read_target: set[int] = set()
    for key in mine.keys() & theirs.keys():
        if len(mine[key]) == len(theirs[key]) == 1:
            matched[mine[key][0]] = theirs[key][0]
        else:
            read_source.update(mine[key])
            read_target.update(theirs[key])
    return matched, read_source, read_target


def missing(uids: Collection[int], *known: Collection[int]) -> list[int]:
    """The UIDs that stand in none of the collections, ascending."""
    rest = set(uids)
    for collection in known:
        rest.difference_update(collection)
    return sorted(rest)
