"""Which folder of a tree has which role, and which one leads where several could."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhaul.folders.localised import NAMES, OFTEN_OWN
from mailhaul.folders.roles import CONTAINERS, Role, by_attribute, fold
from mailhaul.folders.tree import Levels, Node
from mailhaul.imap.names import is_inbox

LEFT_OUT = (Role.TRASH, Role.JUNK)


@dataclass(frozen=True, slots=True)
class Recognised:
    """`roles` by wire name for every folder; `leaders` has the one folder a role that goes to its counterpart."""

    roles: dict[bytes, Role]
    leaders: dict[Role, Node]

    def leads(self, node: Node) -> bool:
        leader = self.leaders.get(self.roles[node.wire])
        return leader is not None and leader.wire == node.wire


def recognise(nodes: Sequence[Node]) -> Recognised:
    """Attributes first, then exact names where such folders belong; what lies below Trash and Junk goes with them.

    Sent, Drafts, Archive and All stay with one folder each: a second one is somebody's own and keeps its name.
    """
    marked = {node.wire: role for node in nodes if (role := by_attribute(node.attributes))}
    said, marked_roles = dict(marked), frozenset(marked.values())
    for node in nodes:
        if node.wire not in marked and (name_says := _by_name(node, marked_roles)):
            said[node.wire] = name_says
    leaders: dict[Role, Node] = {}
    for role in set(said.values()):
        candidates = [node for node in nodes if said.get(node.wire) is role and node.selectable and not node.foreign]
        if candidates:
            leaders[role] = min(candidates, key=lambda node: _precedence(node, node.wire in marked, said[node.wire]))
    roles: dict[bytes, Role] = {}
    left_out = {node.levels: said[node.wire] for node in nodes if said.get(node.wire) in LEFT_OUT}
    for node in nodes:
        role = _role(node, said, marked, left_out)
        leading = leaders.get(role)
        if role not in (*LEFT_OUT, Role.FLAGGED, Role.INBOX) and (leading is None or leading.wire != node.wire):
            role = Role.CUSTOM
        roles[node.wire] = role
    return Recognised(roles, leaders)


def _by_name(node: Node, marked_roles: frozenset[Role]) -> Role | None:
    place = len(node.path) == 1 or (len(node.path) == 2 and fold(node.path[0]) in CONTAINERS)
    if not place or is_inbox(node.wire) or node.foreign:
        return None
    name = fold(node.path[-1])
    role = next((role for role, names in NAMES.items() if name in names), None)
    return None if name in OFTEN_OWN and role in marked_roles else role


def _precedence(node: Node, marked: bool, role: Role) -> tuple[bool, int, bool, bytes]:
    return not marked, len(node.path), fold(node.path[-1]) != role.value, node.wire


def _role(node: Node, said: dict[bytes, Role], marked: dict[bytes, Role], left_out: dict[Levels, Role]) -> Role:
    if is_inbox(node.wire):
        return Role.INBOX
    if node.wire in marked:
        return marked[node.wire]
    for end in range(1, len(node.levels) + 1):
        if node.levels[:end] in left_out:
            return left_out[node.levels[:end]]
    return said.get(node.wire, Role.CUSTOM)
