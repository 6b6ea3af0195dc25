"""English and Italian say the same things: no code without words, no words in one language alone."""

import ast
import re
import string
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from mailhaul import errors
from mailhaul.errors import Side
from mailhaul.folders import Reason, Role
from mailhaul.intake import Field, Remark, Rule
from mailhaul.statement import Account
from mailhaul.states import CheckState, Grade, MailboxRunState, MigrationState
from mailhaul.texts import (
    CATALOGUE,
    Language,
    catalogue,
    explain,
    files,
    line_failed,
    remark_place,
    remark_sentence,
    row_failed,
    spoken,
    states,
    words,
)
from mailhaul.texts.language import Entry, Term

OUTCOMES = ("skipped", "failed", "vanished", "surplus")
CODE = re.compile(r"[a-z]+(_[a-z0-9]+)*")
ROOT = Path(__file__).resolve().parents[2]
RAISED = {
    name
    for name, thing in vars(errors).items()
    if isinstance(thing, type) and issubclass(thing, errors.MailhaulError) and thing is not errors.Fenced
}
# Events whose `code` is a key of the catalogue (`code` of other events is a migration's own code).
TOLD = {
    "RowChecked",
    "MigrationRejected",
    "RequestRefused",
    "MessageOutcome",
    "MailboxRunChanged",
    "NotificationChanged",
}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for part in ("mailhaul", "services"):
        for path in sorted((ROOT / part).rglob("*.py")):
            if "texts" not in path.parts:
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def strings(node: ast.AST | None, tables: dict[str, set[str]]) -> set[str]:
    """The texts that an expression can be: constants, both arms of a choice, the values of a module's table."""
    match node:
        case ast.Constant(value=str(text)) if text:
            return {text}
        case ast.IfExp(body=body, orelse=orelse):
            return strings(body, tables) | strings(orelse, tables)
        case ast.BoolOp(values=values):
            return set().union(*(strings(value, tables) for value in values))
        case ast.Subscript(value=ast.Name(id=name)):
            return tables.get(name, set())
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get"), args=args):
            return tables.get(name, set()).union(*(strings(arg, tables) for arg in args[1:]))
    return set()


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def code_of(node: ast.Call) -> ast.expr | None:
    """The expression that a call to an error or event class gives as its code."""
    by_name = next((keyword.value for keyword in node.keywords if keyword.arg == "code"), None)
    if called(node) in RAISED:
        return by_name or (node.args[0] if node.args else None)
    return by_name if called(node) in TOLD else None


def outcome_codes(values: list[ast.expr]) -> set[str]:
    """`..., "failed", "append_refused", ...`: an outcome's word and its code, behind something that is no text."""
    texts = [value.value if isinstance(value, ast.Constant) else None for value in values]
    pairs = pairwise(texts) if texts and not isinstance(texts[0], str) else ()
    return {code for word, code in pairs if word in OUTCOMES and isinstance(code, str)} - set(Account.__slots__)


def names_in(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def codes_in(tree: ast.Module) -> set[str]:
    tables = {
        target.id: {
            inner.value
            for value in node.value.values
            for inner in ast.walk(value)
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and CODE.fullmatch(inner.value)
        }
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    found: set[str] = set()
    passed_on: dict[str, int] = {}  # functions that hand a parameter called `code` to an error: its position
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (code := code_of(node)) is not None:
            found |= strings(code, tables)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [argument.arg for argument in node.args.args]
            inner = [code_of(call) for call in ast.walk(node) if isinstance(call, ast.Call)]
            if "code" in names and any(isinstance(code, ast.Name) and code.id == "code" for code in inner):
                passed_on[node.name] = names.index("code")
        if isinstance(node, ast.Assign) and "code" in names_in(node.targets[0]):
            found |= strings(node.value, tables)
        if isinstance(node, ast.Call | ast.Tuple):
            found |= outcome_codes(node.args if isinstance(node, ast.Call) else node.elts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in passed_on and len(node.args) > passed_on[called(node)]:
            found |= strings(node.args[passed_on[called(node)]], tables)
    return found


def test_every_code_in_the_source_stands_in_the_catalogue() -> None:
    missing = {f"{path.relative_to(ROOT)}: {code}" for path, tree in sources() for code in codes_in(tree)} - {
        f"{path.relative_to(ROOT)}: {code}" for path, _ in sources() for code in CATALOGUE
    }
    assert sorted(missing) == []


def test_search_for_codes_finds_them() -> None:
    found = set().union(*(codes_in(tree) for _, tree in sources()))
    assert found >= {"sign_in_refused", "throttled", "tls_name_mismatch", "credentials_expired", "bad_translation"}
    assert found >= {"not_returned", "too_large"}
    assert len(found) > 40


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_entry_is_complete_and_alike_in_both_languages(code: str) -> None:
    entry = CATALOGUE[code]
    for text in (entry.en.sentence, entry.en.remedy, entry.it.sentence, entry.it.remedy):
        assert text == text.strip()
        assert text[0].isupper()
        assert text.endswith(".")
        assert "!" not in text
    assert entry.en != entry.it
    assert holes(entry.en.sentence) == holes(entry.it.sentence)
    assert not holes(entry.en.remedy) | holes(entry.it.remedy)


def holes(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def terms() -> Iterator[tuple[str, Term]]:
    for module in (words, states, files):
        for name, value in vars(module).items():
            if isinstance(value, Term):
                yield name, value
            if isinstance(value, dict):
                for key, inner in value.items():
                    term = getattr(inner, "term", inner)
                    if isinstance(term, Term):
                        yield f"{name}.{key}", term


@pytest.mark.parametrize(("name", "term"), list(terms()))
def test_term_has_both_languages_with_the_same_holes(name: str, term: Term) -> None:
    assert bool(term.en) == bool(term.it)
    assert holes(term.en) == holes(term.it)


def test_every_state_role_reason_field_and_side_has_its_word() -> None:
    assert set(states.MIGRATION) == set(MigrationState)
    assert set(states.CHECK) == set(CheckState)
    assert set(states.MAILBOX_RUN) == set(MailboxRunState)
    assert set(states.GRADE) == set(Grade)
    assert set(words.ROLES) == set(Role)
    assert set(words.FOLDER_REASONS) == set(Reason)
    assert set(words.SIDES) == set(Side)
    assert set(files.FIELDS) == set(Field)
    assert set(files.RULES) == {rule.value for rule in Rule}
    assert set(words.ACCOUNT) == set(Account.__dataclass_fields__)


def test_states_of_one_table_never_look_alike() -> None:
    for table in (states.MIGRATION, states.CHECK, states.MAILBOX_RUN):
        shown = [(word.mark, word.term.en) for word in table.values()]
        assert len(set(shown)) == len(shown)


def test_sentence_of_the_seeds_survives() -> None:
    assert line_failed(3, Language.IT) == "Linea 3: test di migrazione fallito"
    assert line_failed(3, Language.EN) == "Line 3: migration test failed"
    said = row_failed(3, "sign_in_refused", Language.EN, Side.SOURCE)
    assert said.startswith("Line 3: migration test failed. Source: wrong user name or password. ")


def test_unknown_code_is_told_as_something_unexpected() -> None:
    explained = explain("never_heard_of", Language.EN)
    assert explained.code == "never_heard_of"
    assert explained.sentence == CATALOGUE["unexpected"].en.sentence


def test_remark_is_a_sentence_with_its_place() -> None:
    remark = Remark(rule=Rule.FIELD_COUNT, line=7, expected=4, got=5)
    assert remark_place(remark, Language.EN) == "Line 7"
    assert remark_sentence(remark, Language.EN).startswith("The line has 5 fields; 4 are needed.")
    remark = Remark(rule=Rule.WRONG_DELIMITER, line=1, name="comma")
    assert remark_sentence(remark, Language.IT).startswith("I campi sono separati da una virgola.")
    remark = Remark(rule=Rule.EMPTY_FIELD, line=2, field=Field.PASSWORD)
    assert remark_place(remark, Language.IT) == "Riga 2, password"
    assert remark_place(Remark(rule=Rule.EMPTY), Language.IT) == "File"


@pytest.mark.parametrize(
    ("tag", "language"), [("it", "it"), ("it-CH", "it"), ("IT_it", "it"), ("de", "en"), ("", "en")]
)
def test_language_is_chosen_by_its_primary_tag(tag: str, language: str) -> None:
    assert spoken(tag) == language


def test_no_code_stands_in_two_parts() -> None:
    assert sum(len(part) for part in catalogue.PARTS) == len(CATALOGUE)
    assert all(isinstance(entry, Entry) for entry in CATALOGUE.values())
