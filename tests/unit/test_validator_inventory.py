"""Sums over a mailbox, and whether it fits where it goes."""

import pytest

from mailhaul.folders import Action, FolderDecision, Reason, Role
from services.validator.inventory import Held, Inventory, Line, fits


def line(name: str, messages: int, octets: int, reason: Reason = Reason.NONE, oversize: int = 0) -> Line:
    left_out = (Reason.TRASH, Reason.FOREIGN, Reason.VIRTUAL, Reason.NOT_SELECTABLE)
    decision = FolderDecision(
        source=name.encode(),
        source_name=name,
        role=Role.CUSTOM,
        action=Action.SKIP if reason in left_out else Action.COPY,
        reason=reason,
    )
    return Line(decision=decision, messages=messages, octets=octets, oversize=oversize)


WHOLE = Inventory(
    lines=(
        line("INBOX", 10, 10_000, oversize=1),
        line("Work", 5, 5_000),
        line("Trash", 3, 3_000, Reason.TRASH),
        line("Shared/Team", 100, 100_000, Reason.FOREIGN),
        line("Starred", 7, 7_000, Reason.VIRTUAL),
        line("Level", 0, 0, Reason.NOT_SELECTABLE),
    )
)


def test_sums() -> None:
    assert (WHOLE.folders, WHOLE.messages, WHOLE.octets) == (3, 18, 18_000)
    assert (WHOLE.left_out_messages, WHOLE.left_out_octets, WHOLE.oversize_messages) == (3, 3_000, 1)
    assert Inventory().messages == 0


@pytest.mark.parametrize(
    ("held", "room"),
    [
        (Held(quota={}), True),
        (Held(quota={"STORAGE": (0, 15)}), True),
        (Held(quota={"STORAGE": (0, 14)}), False),
        (Held(quota={"STORAGE": (5, 15)}), False),
        (Held(messages=15, quota={"STORAGE": (15, 15)}), True),
        (Held(messages=15, quota={"STORAGE": (15, 14)}), False),
        (Held(quota={"MESSAGE": (0, 15)}), True),
        (Held(quota={"MESSAGE": (0, 14)}), False),
        (Held(quota={"STORAGE": (9, 0)}), True),
    ],
)
def test_room(held: Held, room: bool) -> None:
    assert fits(WHOLE, held) is room
