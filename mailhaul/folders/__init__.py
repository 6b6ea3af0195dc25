"""Which folders are copied, which are left out, and where each one goes: pure, for validator and copier alike."""

from mailhaul.folders.decisions import Action, FolderDecision, Reason
from mailhaul.folders.escape import escape, unescape
from mailhaul.folders.plan import plan
from mailhaul.folders.refusals import learn
from mailhaul.folders.roles import Role
from mailhaul.folders.rules import MAX_OCTETS, Caps, FolderRules, Refusals, folder_rules, too_large
from mailhaul.folders.tree import Listing, Tree

__all__ = [
    "MAX_OCTETS",
    "Action",
    "Caps",
    "FolderDecision",
    "FolderRules",
    "Listing",
    "Reason",
    "Refusals",
    "Role",
    "Tree",
    "escape",
    "folder_rules",
    "learn",
    "plan",
    "too_large",
    "unescape",
]
