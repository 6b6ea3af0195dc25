"""The destination's side of a plan: what stands there, what is taken, and how a path is written there."""

from dataclasses import dataclass, field

from mailhaul.folders.escape import escape, shorten
from mailhaul.folders.recognise import recognise
from mailhaul.folders.roles import Role
from mailhaul.folders.rules import Refusals
from mailhaul.folders.tree import INBOX, Node, Path, Tree, delimiter_of, key, levels_of, nodes, path_of, prefix_of
from mailhaul.imap.names import encode_name, is_inbox


@dataclass(slots=True)
class Target:
    """Grows with every claim; a name is given to one source folder only."""

    tree: Tree
    refusals: Refusals
    prefix: bytes = field(init=False)
    delimiter: bytes | None = field(init=False)
    by_path: dict[Path, Node] = field(init=False)
    by_key: dict[Path, Path] = field(init=False)
    special: dict[Role, Path] = field(init=False)
    selectable: frozenset[bytes] = field(init=False)
    taken: set[Path] = field(default_factory=set)
    wanted_by_others: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.prefix, self.delimiter = prefix_of(self.tree), delimiter_of(self.tree)
        here = [node for node in nodes(self.tree) if not node.foreign]
        self.selectable = frozenset(node.wire for node in here if node.selectable)
        self.by_path, self.by_key = {}, {}
        for node in here:
            self.by_path.setdefault(node.path, node)
            self.by_key.setdefault(key(node.path), node.path)
        self.special = {role: node.path for role, node in recognise(here).leaders.items()}

    @property
    def below_inbox(self) -> Path:
        """Where sub-folders of INBOX go: with a prefix `INBOX.` every folder is one already."""
        return () if self.prefix and is_inbox(self.prefix[:5]) else INBOX

    def path(self, wire: bytes) -> Path:
        return path_of(levels_of(wire, self.prefix, self.delimiter))

    def spell(self, name: str) -> Path:
        """A name as a person writes it, in levels: at `/`, else at the destination's own delimiter."""
        own = self.delimiter.decode("latin-1") if self.delimiter else "/"
        levels = tuple(level for level in name.split("/" if "/" in name else own) if level)
        return INBOX if len(levels) == 1 and levels[0].upper() == "INBOX" else levels or (name,)

    def fit(self, path: Path, kept: int = 0) -> tuple[Path, bool, bool]:
        """The path with its levels from `kept` on as the destination takes them; what was done: escaped, shortened."""
        own = self.delimiter.decode("latin-1") if self.delimiter else "/"
        escaped = tuple(escape(level, self.refusals, own) for level in path[kept:])
        if self.delimiter is None and kept + len(escaped) > 1:  # a server without levels
            flat = "=2F".join((*path[:kept], *escaped))
            return (shorten(flat, self.refusals.level_octets),), True, len(flat) > self.refusals.level_octets
        short = tuple(shorten(level, self.refusals.level_octets) for level in escaped)
        whole = (*path[:kept], *short)
        excess = len(self.wire(whole)) - self.refusals.name_octets
        if excess > 0:  # only the last level can give way without moving others
            room = max(16, len(encode_name(whole[-1])) - excess)
            whole = (*whole[:-1], shorten(whole[-1], room))
        return whole, escaped != path[kept:], whole[kept:] != escaped

    def claim(self, wanted: Path) -> tuple[Path, bool]:
        """The path that a folder gets, and whether another had it before: then ` (2)` and so on stands behind it.

        What the destination has in another case or Unicode form is taken as it stands there.
        """
        collided = key(wanted) in self.taken
        final, number = wanted, 2
        while collided and (key(final) in self.taken or key(final) in self.wanted_by_others):
            mark = f" ({number})"
            room = self.refusals.level_octets - len(mark)
            final, number = (*wanted[:-1], shorten(wanted[-1], room) + mark), number + 1
        self.taken.add(key(final))
        return (final if final in self.by_path else self.by_key.get(key(final), final)), collided

    def wire(self, path: Path) -> bytes:
        """A path on the wire; a folder or parent that exists keeps the octets that the server itself uses."""
        if path in self.by_path:
            return self.by_path[path].wire
        if path == INBOX:
            return b"INBOX"
        delimiter = self.delimiter or b""
        if len(path) > 1 and path[:-1] in self.by_path:
            return self.by_path[path[:-1]].wire.removesuffix(delimiter) + delimiter + encode_name(path[-1])
        if len(path) > 1:
            return self.wire(path[:-1]) + delimiter + encode_name(path[-1])
        return self.prefix + encode_name(path[0])

    def exists(self, wire: bytes) -> bool:
        """True for a folder that holds mail or could at once."""
        return wire in self.selectable or is_inbox(wire)
