"""Whatever a server lists, no folder is lost, none shares its destination, and what was escaped can be read back."""

import unicodedata
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from mailhaul.folders import Action, FolderRules, Reason, Refusals, Tree, escape, plan, unescape
from mailhaul.folders.localised import NAMES, OFTEN_OWN
from mailhaul.folders.roles import fold
from mailhaul.folders.tree import key, nodes

ATTRIBUTES = st.sets(
    st.sampled_from([b"\\noselect", b"\\sent", b"\\trash", b"\\junk", b"\\archive", b"\\flagged", b"\\all"]), max_size=1
)
PIECES = st.sampled_from(
    [
        "INBOX",
        "inbox",
        "Trash",
        "Sent",
        "foo",
        "Foo",
        "é",
        "e\u0301",
        "a=2Fb",
        "=",
        "..",
        " x",
        "foo (2)",
        "v1.2",
        "",
        "~",
    ]
)
LEVELS = st.one_of(PIECES, st.text(st.characters(exclude_characters="/\r\n\0", exclude_categories=["Cs"]), max_size=6))


@dataclass(frozen=True, slots=True)
class Listed:
    name: bytes
    delimiter: bytes | None
    attributes: frozenset[bytes]
    subscribed: bool = False


def wire(levels: list[str], delimiter: str) -> bytes:
    """Names in whatever Unicode form the server keeps: encoded level by level without normalising."""
    return delimiter.encode().join(
        level.encode("utf-7").replace(b"+", b"&") if level.isalpha() and not level.isascii() else level.encode()
        for level in levels
    )


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    delimiter = draw(st.sampled_from(["/", "."]))
    names = draw(st.lists(st.lists(LEVELS, min_size=1, max_size=3), max_size=8))
    folders = [Listed(b"INBOX", delimiter.encode(), frozenset())]
    folders += [Listed(wire(n, delimiter), delimiter.encode(), frozenset(draw(ATTRIBUTES))) for n in names]
    prefix = draw(st.sampled_from([None, b"", b"INBOX" + delimiter.encode()]))
    return Tree(folders=folders, prefix=prefix, delimiter=draw(st.sampled_from([None, delimiter.encode()])))


@given(trees(), trees(), st.booleans())
@settings(max_examples=300)
def test_every_folder_has_one_decision_and_a_destination_of_its_own(source: Tree, there: Tree, trash: bool) -> None:
    decisions = plan(source, there, FolderRules(include_trash=trash, include_junk=trash))
    assert sorted(d.source for d in decisions) == sorted(node.wire for node in nodes(source))
    goals = [d for d in decisions if d.action is Action.COPY]
    assert all(d.destination for d in goals)
    assert len({key(tuple(d.destination_name.split("\0"))) for d in goals}) == len(goals)
    assert all(b"\0" not in d.destination and b"\r" not in d.destination for d in goals)
    assert all(bool(d.reason) for d in decisions if d.action is Action.SKIP)
    assert plan(source, there, FolderRules(include_trash=trash, include_junk=trash)) == decisions


@given(trees(), trees())
@settings(max_examples=150)
def test_known_names_stay_when_folders_appear(source: Tree, more: Tree) -> None:
    first = plan(source, Tree(folders=[]))
    known = {d.source: d.destination for d in first if d.action is Action.COPY}
    delimiter = source.delimiter
    added = [Listed(f.name, delimiter, frozenset()) for f in more.folders]
    grown = Tree(folders=[*source.folders, *added], prefix=source.prefix, delimiter=delimiter)
    later = {d.source: d for d in plan(grown, Tree(folders=[]), known=known)}
    for name, destination in known.items():
        if later[name].action is Action.COPY:
            assert later[name].destination == destination
    copied = [d.destination for d in later.values() if d.action is Action.COPY]
    assert len(set(copied)) == len(copied)


@given(st.text(max_size=12) | PIECES, st.sets(st.characters(), max_size=4), st.sampled_from(["/", ".", None]))
def test_escape_can_be_undone_and_leaves_nothing_refused(name: str, refused: set[str], delimiter: str | None) -> None:
    refusals = Refusals(characters=frozenset(refused - set("=0123456789ABCDEF")))
    text = escape(name, refusals, delimiter)
    assert unescape(text) == name
    assert text not in ("", ".", "..")
    assert not set(text) & refusals.characters
    assert delimiter is None or delimiter not in text


@given(st.sampled_from(sorted((role, name) for role, names in NAMES.items() for name in names)), st.booleans())
def test_localised_names_are_found_in_any_case_and_form(entry: tuple[str, str], decomposed: bool) -> None:
    role, name = entry
    spelt = unicodedata.normalize("NFD" if decomposed else "NFC", name.upper())
    spelt = spelt if fold(spelt) == name else name  # some letters have no upper case to come back from
    listing = Listed(spelt.encode(), b"/", frozenset())
    (decision,) = plan(Tree(folders=[listing], prefix=b"", delimiter=b"/"), Tree(folders=[]))
    assert decision.role == role
    assert (decision.reason in (Reason.TRASH, Reason.JUNK)) is (role in ("trash", "junk"))


def test_names_have_one_role_each() -> None:
    names = [name for group in NAMES.values() for name in group]
    assert len(names) == len(set(names))
    assert all(fold(name) == name for name in names)
    assert set(names) >= OFTEN_OWN
