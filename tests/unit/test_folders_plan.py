"""Trees as servers list them, and what the plan must make of each folder."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from mailhaul.errors import ProtocolBroken, RequestInvalid, Side
from mailhaul.folders import (
    Action,
    Caps,
    FolderDecision,
    FolderRules,
    Reason,
    Refusals,
    Role,
    Tree,
    folder_rules,
    plan,
    too_large,
)
from mailhaul.folders.refusals import learn
from mailhaul.imap.names import encode_name


@dataclass(frozen=True, slots=True)
class Listed:
    name: bytes
    delimiter: bytes | None = b"/"
    attributes: frozenset[bytes] = frozenset()
    subscribed: bool = True


def listed(name: str | bytes, *attributes: str, delimiter: bytes | None = b"/") -> Listed:
    wire = name if isinstance(name, bytes) else encode_name(name)
    return Listed(wire, delimiter, frozenset(f"\\{attribute}".encode() for attribute in attributes))


def tree(*folders: str | bytes | Listed, delimiter: bytes | None = b"/", prefix: bytes | None = b"") -> Tree:
    lines = [f if isinstance(f, Listed) else listed(f, delimiter=delimiter) for f in ("INBOX", *folders)]
    return Tree(folders=lines, prefix=prefix, delimiter=delimiter)


PLATFORM = tree(listed("Sent", "sent"), listed("Drafts", "drafts"), listed("Trash", "trash"), listed("Junk", "junk"))
BARE = tree()


def goals(decisions: Sequence[FolderDecision]) -> dict[str, str]:
    """Source name -> destination on the wire, or the reason why there is none."""
    return {
        d.source_name: d.destination.decode("ascii") if d.action is Action.COPY else f"({d.reason.value})"
        for d in decisions
    }


def reasons(decisions: Sequence[FolderDecision]) -> dict[str, Reason]:
    return {d.source_name: d.reason for d in decisions}


def test_tree_is_replicated_with_its_names() -> None:
    names = ["Archive", "Archive/2023", "Archive/2023/Q4 (final)", "R&D", 'He said "yes" \\ no', "50% off, {now} + #1"]
    decisions = plan(tree(*names, "Projekte/München", "日本語/お客様"), BARE)
    assert [d.source_name for d in decisions if d.reason] == []
    assert goals(decisions)["Projekte/München"] == "Projekte/M&APw-nchen"
    assert all(d.destination == d.source for d in decisions)
    assert decisions[0].role is Role.INBOX


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # the seeds' five, other languages, other cases and forms
        *((name, "(trash)") for name in ("Trash", "Cestino", "Deleted Items", "TRASH", "Papierkorb")),
        *((name, "(trash)") for name in ("Gelo\u0308scht", "Gel\u00f6scht")),
        *((name, "(junk)") for name in ("Spam", "Posta indesiderata", "Junk Email", "İstenmeyen", "垃圾邮件", "Junk")),
        # with their sub-folders, and where clients keep them
        *((name, "(trash)") for name in ("Trash/Old", "Cestino/2020/May", "[Gmail]/Trash", "INBOX/Trash")),
        # named alike, or in somebody's own place
        *((name, "") for name in ("Junkyard", "Not Spam", "Trashcan", "Spam reports", "Trash talk", "My Trash")),
        *((name, "") for name in ("Old/Trash", "Archive/2019/Spam", "Projects/Junk", "Junkyard/Trash")),
    ],
)  # fmt: skip
def test_trash_and_junk_are_left_out_by_exact_name_and_place(name: str, expected: str) -> None:
    parents = ["/".join(name.split("/")[:end]) for end in range(1, name.count("/") + 1)]
    (decision,) = [d for d in plan(tree(*parents, name), BARE) if d.source == encode_name(name)]
    assert (f"({decision.reason.value})" if decision.action is Action.SKIP else "") == expected


def test_attributes_win_over_names() -> None:
    source = tree(listed("Junkyard", "junk"), listed("Spam", "archive"), listed("Old/Rubbish", "Trash"), "Old", "Trash")
    assert goals(plan(source, BARE)) == {
        "INBOX": "INBOX",
        "Old": "Old",
        "Spam": "Spam",
        "Junkyard": "(junk)",
        "Old/Rubbish": "(trash)",
        "Trash": "(trash)",
    }


def test_name_that_is_often_somebodys_own_counts_only_where_no_folder_is_marked() -> None:
    assert goals(plan(tree("Werbung"), BARE))["Werbung"] == "(junk)"
    assert goals(plan(tree("Werbung", listed("Spamverdacht", "junk")), BARE))["Werbung"] == "Werbung"


def test_trash_on_request_goes_to_the_destinations_own() -> None:
    decisions = plan(tree("Cestino", "Cestino/2020", "Spam"), PLATFORM, FolderRules(include_trash=True))
    assert goals(decisions) == {"INBOX": "INBOX", "Cestino": "Trash", "Cestino/2020": "Trash/2020", "Spam": "(junk)"}
    assert goals(plan(tree("Spam"), PLATFORM, FolderRules(include_junk=True)))["Spam"] == "Junk"


def test_special_use_folders_go_to_their_counterparts_with_their_children() -> None:
    source = tree(listed("Posta inviata", "sent"), "Posta inviata/2023", "Bozze", "Trash")
    decisions = plan(source, PLATFORM)
    assert goals(decisions) == {
        "INBOX": "INBOX",
        "Posta inviata": "Sent",
        "Bozze": "Drafts",
        "Posta inviata/2023": "Sent/2023",
        "Trash": "(trash)",
    }
    assert [d.role for d in decisions][:3] == [Role.INBOX, Role.SENT, Role.DRAFTS]
    assert reasons(decisions)["Posta inviata"] is Reason.SPECIAL_USE
    assert all(d.exists for d in decisions[:3])


def test_one_folder_a_role_is_mapped_and_the_others_keep_their_mail_apart() -> None:
    source = tree(listed("Sent Items", "sent"), "Sent", "Posta inviata", "sent-mail")
    decisions = plan(source, PLATFORM)
    assert goals(decisions) == {
        "INBOX": "INBOX",
        "Sent Items": "Sent",
        "Sent": "Sent (2)",
        "Posta inviata": "Posta inviata",
        "sent-mail": "sent-mail",
    }
    assert reasons(decisions)["Sent"] is Reason.COLLISION
    assert [d.role for d in decisions].count(Role.SENT) == 1


def test_later_look_at_a_filled_destination_decides_the_same() -> None:
    source = tree("Trash", "Old", "Old/Trash", "Deleted Items", "Sent", "Sent Items", "foo", "Foo", "foo/x", "Café")
    first = plan(source, PLATFORM)
    made = [d.destination for d in first if d.destination and not d.exists]
    filled = Tree(folders=[*PLATFORM.folders, *(listed(name) for name in made)], prefix=b"", delimiter=b"/")
    assert goals(plan(source, filled)) == goals(first)
    known = {d.source: d.destination for d in first if d.destination}
    more = plan(tree("FOO", "Sent-Mail", *(f.name for f in source.folders)), filled, known=known)
    assert {name: goal for name, goal in goals(more).items() if name in goals(first)} == goals(first)
    assert goals(more)["FOO"] == "FOO (3)"


def test_prefix_and_delimiter_are_translated() -> None:
    courier = tree("INBOX.Sent", "INBOX.Projects.R/D", "INBOX.Trash", "INBOX.v=2E", delimiter=b".", prefix=b"INBOX.")
    assert goals(plan(courier, BARE)) == {
        "INBOX": "INBOX",
        "Sent": "Sent",
        "Projects/R/D": "Projects/R=2FD",
        "v=2E": "v=3D2E",
        "Trash": "(trash)",
    }
    source = tree("Projects/v1.2", "INBOX/notes", "notes/2020")
    assert goals(plan(source, tree(delimiter=b".", prefix=b"INBOX."))) == {
        "INBOX": "INBOX",
        "Projects/v1.2": "INBOX.Projects.v1=2E2",
        "INBOX/notes": "INBOX.notes",
        "notes/2020": "INBOX.notes (2).2020",
    }


def test_server_without_namespace_shows_its_prefix_by_its_folders() -> None:
    source = tree("INBOX.Spam", "INBOX.Work", delimiter=b".", prefix=None)
    assert goals(plan(source, BARE)) == {"INBOX": "INBOX", "Work": "Work", "Spam": "(junk)"}
    mixed = tree("INBOX.Work", "Other", delimiter=b".", prefix=None)
    assert goals(plan(mixed, BARE)) == {"INBOX": "INBOX", "INBOX/Work": "INBOX/Work", "Other": "Other"}


def test_inbox_is_the_same_in_any_case_and_its_namesake_is_not() -> None:
    source = Tree(folders=[listed("inbox", delimiter=b"."), listed("INBOX.InBox", delimiter=b".")], prefix=b"INBOX.")
    decisions = plan(source, BARE)
    assert [(d.source, d.destination) for d in decisions] == [(b"inbox", b"INBOX"), (b"INBOX.InBox", b"InBox (2)")]
    assert decisions[0].exists


def test_collisions_of_case_form_and_escape_are_resolved_in_sight() -> None:
    source = tree("foo", "Foo", "foo/x", "foo (2)", b"Caf&AOk-", b"Cafe&AwE-", b"a&AC8-b", "a=2Fb")
    decisions = {d.source: d for d in plan(source, BARE)}
    assert decisions[b"Foo"].destination == b"Foo"
    assert decisions[b"foo"].destination == b"foo (3)"
    assert decisions[b"foo/x"].destination == b"foo (3)/x"
    assert decisions[b"foo (2)"].destination == b"foo (2)"
    assert {decisions[b"Cafe&AwE-"].destination, decisions[b"Caf&AOk-"].destination} == {b"Caf&AOk-", b"Caf&AOk- (2)"}
    assert decisions[b"a&AC8-b"].destination == b"a=2Fb"
    assert decisions[b"a=2Fb"].destination == b"a=3D2Fb"
    assert len({d.destination for d in decisions.values()}) == len(decisions)


def test_name_that_exists_in_another_case_or_form_is_used_as_it_stands() -> None:
    decisions = plan(tree("PROJEKTE/x", b"Caf&AOk-"), tree("Projekte", b"Cafe&AwE-"))
    assert goals(decisions)["PROJEKTE/x"] == "Projekte/x"
    assert goals(decisions)["Café"] == "Cafe&AwE-"
    assert decisions[1].exists


def test_skips_and_translations_hold_for_sub_folders() -> None:
    rules = folder_rules(("Lists", "work/old"), ("Work:Lavoro", "Work/Deep/er:Altro/Qui", "INBOX:Vecchia", "a\\:b:c"))
    source = tree(
        "Lists", "Lists/x", "Listserver", "Work", "Work/Old/x", "Work/Deep", "Work/Deep/er", "Work/Deep/er/y", "a:b"
    )
    assert goals(plan(source, PLATFORM, rules)) == {
        "INBOX": "Vecchia",
        "Listserver": "Listserver",
        "Work": "Lavoro",
        "Work/Deep": "Lavoro/Deep",
        "Work/Deep/er": "Altro/Qui",
        "Work/Deep/er/y": "Altro/Qui/y",
        "a:b": "c",
        "Lists": "(skip_rule)",
        "Lists/x": "(skip_rule)",
        "Work/Old/x": "(skip_rule)",
    }


def test_two_translations_to_one_name_do_not_merge() -> None:
    decisions = plan(tree("A", "B"), BARE, folder_rules((), ("A:X", "B:X")))
    assert goals(decisions) == {"INBOX": "INBOX", "A": "X", "B": "X (2)"}
    assert [d.reason for d in decisions] == [Reason.NONE, Reason.TRANSLATED, Reason.COLLISION]


@pytest.mark.parametrize("pair", ["old", ":new", "old:", "  :  "])
def test_translation_that_is_none_is_refused(pair: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        folder_rules((), (pair,))
    assert caught.value.code == "bad_translation"


def test_levels_without_mail_and_others_folders_are_left_out() -> None:
    source = Tree(
        folders=[
            listed("INBOX"),
            listed("Projects", "noselect"),
            listed("Projects/a"),
            listed("Gone", "nonexistent"),
            listed("Starred", "flagged"),
            listed("Everything", "all"),
            listed("Shared/team"),
            listed("INBOX"),
        ],
        prefix=b"",
        delimiter=b"/",
        foreign=(b"Shared/",),
    )
    assert goals(plan(source, BARE)) == {
        "INBOX": "INBOX",
        "Everything": "Everything",
        "Projects/a": "Projects/a",
        "Projects": "(not_selectable)",
        "Gone": "(not_selectable)",
        "Starred": "(virtual)",
        "Shared/team": "(foreign)",
    }


def test_refused_names_are_escaped_and_long_ones_shortened() -> None:
    long = "x" * 300
    refusals = Refusals(characters=frozenset("*"))
    decisions = plan(tree("..", "a//b", "~root", " edge ", "st*r", long, long + "y"), BARE, refusals=refusals)
    said = goals(decisions)
    assert (said[".."], said["a//b"], said["~root"], said[" edge "], said["st*r"]) == (
        *("=2E=2E", "a/=/b", "=7Eroot", "=20edge=20", "st=2Ar"),
    )
    assert len(said[long]) == len(said[long + "y"]) == 255
    assert said[long] != said[long + "y"]
    assert reasons(decisions)[long] is Reason.SHORTENED


def test_destination_without_levels_gets_them_in_the_name() -> None:
    assert goals(plan(tree("A/B/C"), tree(delimiter=None)))["A/B/C"] == "A=2FB=2FC"


def test_trees_beyond_the_caps_are_an_error_of_the_source() -> None:
    for source, caps, code in (
        (tree(*(f"f{n}" for n in range(20))), Caps(folders=20), "too_many_folders"),
        (tree("/".join("a" * 30)), Caps(depth=20), "folders_too_deep"),
    ):
        with pytest.raises(ProtocolBroken) as caught:
            plan(source, BARE, caps=caps)
        assert (caught.value.code, caught.value.side) == (code, Side.SOURCE)


def test_message_of_exactly_the_limit_is_copied() -> None:
    assert not too_large(52_428_800)
    assert too_large(52_428_801)


def test_refusal_of_the_destination_makes_another_name() -> None:
    source, refusals = tree("v1.2", "Example s.r.l./2020"), Refusals()
    learned = learn(refusals, "v1.2", "Character not allowed in mailbox name: '.' (0.001 secs).")
    assert learned == Refusals(characters=frozenset("."))
    assert goals(plan(source, BARE, refusals=learned)) == {
        "INBOX": "INBOX",
        "v1.2": "v1=2E2",
        "Example s.r.l./2020": "Example s=2Er=2El=2E/2020",
    }
    assert learn(learned, "v1.2", "Character not allowed in mailbox name: '.'") is None
    assert learn(refusals, "a*b", "no") == Refusals(characters=frozenset("*"))
    assert learn(refusals, "plain", "no") is None
    shorter = learn(refusals, "x" * 200, "Mailbox name too long")
    assert shorter is not None
    assert shorter.level_octets == 100
