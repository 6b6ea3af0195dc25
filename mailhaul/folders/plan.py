"""Where each source folder goes, and which are left out and why: one answer for the validator's page and the copier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mailhaul.errors import ProtocolBroken, Side
from mailhaul.folders.decisions import Action, FolderDecision, Reason
from mailhaul.folders.recognise import Recognised, recognise
from mailhaul.folders.roles import Role, fold
from mailhaul.folders.rules import Caps, FolderRules, Refusals
from mailhaul.folders.target import Target
from mailhaul.folders.tree import INBOX, INBOX_LEVEL, Levels, Node, Path, Tree, key, nodes, path_of

RANK = {Role.INBOX: 0, Role.SENT: 1, Role.DRAFTS: 2}


def plan(
    source: Tree,
    destination: Tree,
    rules: FolderRules | None = None,
    *,
    refusals: Refusals | None = None,
    caps: Caps | None = None,
    known: Mapping[bytes, bytes] | None = None,
) -> tuple[FolderDecision, ...]:
    """A decision for every source folder: INBOX, Sent and Drafts first, parents before children, skipped ones last.

    `known` maps source to destination names on the wire as an earlier run decided them: those stay as they are, so
    that a folder which appears later never moves another. Raises ProtocolBroken where the source exceeds the caps.
    """
    caps = caps or Caps()
    seen = nodes(source)
    if len(seen) > caps.folders:
        raise ProtocolBroken("too_many_folders", f"the source lists {len(seen)} folders", side=Side.SOURCE)
    if any(len(node.path) > caps.depth for node in seen):
        raise ProtocolBroken("folders_too_deep", "the source nests folders beyond the cap", side=Side.SOURCE)
    target = Target(destination, refusals or Refusals())
    planner = _Planner(rules or FolderRules(), target, dict(known or {}), recognise(seen))
    return tuple(sorted(planner.decide(seen), key=_order))


def _order(decision: FolderDecision) -> tuple[bool, int, str, bytes]:
    skipped = decision.action is Action.SKIP
    return skipped, RANK.get(decision.role, 3), decision.source_name, decision.source


@dataclass(slots=True)
class _Planner:
    rules: FolderRules
    target: Target
    known: dict[bytes, bytes]
    recognised: Recognised
    placed: dict[Levels, tuple[Path, Reason]] = field(default_factory=dict)
    by_levels: dict[Levels, Node] = field(default_factory=dict)
    skip: frozenset[str] = field(init=False)
    translations: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.skip = frozenset(fold(name) for name in self.rules.skip)
        self.translations = {fold(old): new for old, new in self.rules.translations}

    def decide(self, seen: Sequence[Node]) -> list[FolderDecision]:
        self.by_levels = {node.levels: node for node in seen}
        reasons = {node.wire: self._left_out(node) for node in seen}
        kept = [node for node in seen if reasons[node.wire] is None]
        for wire in self.known.values():
            self.target.claim(self.target.path(wire))
        for node in sorted(kept, key=self._claims):
            self._place(node.levels, node)
        skipped = [self._skipped(node, reason) for node in seen if (reason := reasons[node.wire])]
        return [self._copied(node) for node in kept] + skipped

    def _left_out(self, node: Node) -> Reason | None:
        role = self.recognised.roles[node.wire]
        if node.foreign:
            return Reason.FOREIGN
        if self._skipped_by_rule(node.path):
            return Reason.SKIP_RULE
        if role is Role.TRASH and not self.rules.include_trash:
            return Reason.TRASH
        if role is Role.JUNK and not self.rules.include_junk:
            return Reason.JUNK
        if not node.selectable:
            return Reason.NOT_SELECTABLE
        return Reason.VIRTUAL if role is Role.FLAGGED else None

    def _claims(self, node: Node) -> tuple[int, int, bytes]:
        """Who chooses a name before whom: what is settled, INBOX, the user's pairs, roles, then level by level.

        A role goes before a name, because the folder that merely has the name keeps its mail under any other.
        """
        if node.wire in self.known:
            right = 0
        elif self.recognised.roles[node.wire] is Role.INBOX:
            right = 1
        elif self._translated(node.path) is not None:
            right = 2
        else:
            right = 3 if self.recognised.leads(node) else 4
        if right == 4:
            self.target.wanted_by_others.add(key(node.path))
        return right, len(node.levels), node.wire

    def _place(self, levels: Levels, node: Node | None) -> tuple[Path, Reason]:
        """Where a folder goes, or a level above one that no LIST line stands for; decided once."""
        if levels not in self.placed:
            self.placed[levels] = self._known(node) or self._decide(levels, node)
        return self.placed[levels]

    def _known(self, node: Node | None) -> tuple[Path, Reason] | None:
        earlier = self.known.get(node.wire) if node else None
        return None if earlier is None else (self.target.path(earlier), Reason.KNOWN)

    def _decide(self, levels: Levels, node: Node | None) -> tuple[Path, Reason]:
        path = path_of(levels)
        translated = self._translated(path)
        special = self.target.special.get(self.recognised.roles[node.wire]) if node else None
        if translated is not None:
            return self._claimed(translated, Reason.TRANSLATED)
        if levels == (INBOX_LEVEL,):
            return self._claimed(INBOX, Reason.NONE)
        if special is not None and node is not None and self.recognised.leads(node):
            return self._claimed(special, Reason.SPECIAL_USE, kept=len(special))
        above, reason = self._above(levels)
        return self._claimed((*above, path[-1]), reason, kept=len(above))

    def _above(self, levels: Levels) -> tuple[Path, Reason]:
        parent = levels[:-1]
        if not parent:
            return (), Reason.NONE
        if parent == (INBOX_LEVEL,) and self._translated(INBOX) is None:
            below = self.target.below_inbox
            return below, Reason.NONE if below else Reason.NAMESPACE
        return self._place(parent, self.by_levels.get(parent))

    def _claimed(self, wanted: Path, reason: Reason, kept: int = 0) -> tuple[Path, Reason]:
        fitted, escaped, shortened = self.target.fit(wanted, kept)
        final, collided = self.target.claim(fitted)
        if collided:
            return final, Reason.COLLISION
        if final != fitted:
            return final, Reason.EXISTING
        return final, Reason.SHORTENED if shortened else Reason.ESCAPED if escaped else reason

    def _translated(self, path: Path) -> Path | None:
        new = next((self.translations[form] for form in _forms(path) if form in self.translations), None)
        return None if new is None else self.target.spell(new)

    def _skipped_by_rule(self, path: Path) -> bool:
        return any(form in self.skip for end in range(1, len(path) + 1) for form in _forms(path[:end]))

    def _skipped(self, node: Node, reason: Reason) -> FolderDecision:
        role, action = self.recognised.roles[node.wire], Action.SKIP
        return FolderDecision(source=node.wire, source_name=node.shown, role=role, action=action, reason=reason)

    def _copied(self, node: Node) -> FolderDecision:
        path, reason = self.placed[node.levels]
        wire = self.known.get(node.wire) or self.target.wire(path)
        return FolderDecision(
            source=node.wire,
            source_name=node.shown,
            role=self.recognised.roles[node.wire],
            action=Action.COPY,
            reason=Reason.NONE if path == node.path else reason,
            destination=wire,
            destination_name="/".join(path),
            exists=self.target.exists(wire),
            subscribed=node.subscribed,
        )


def _forms(path: Path) -> tuple[str, str]:
    """A folder's name as rules may write it: with `/` or, as many old servers have it, with dots."""
    return fold("/".join(path)), fold(".".join(path))
