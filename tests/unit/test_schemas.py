"""The schema files: equal to the classes, compatible with what was released, flat and discreet where analytics read."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema

from mailhaul import topics
from mailhaul.events import Event
from mailhaul.kafka import release, schemas
from mailhaul.kafka.derive import schema_of

KINDS = list(topics.events_carried())
FOLDER = schemas.directory()
# Joint 33: what analytics read carries ids, roles, counts, sizes, times and the source server.
FORBIDDEN = ("address", "destination", "user", "recipient", "password", "secret", "token", "subject_", "name", "domain")
ALLOWED = {"pinned_address"}  # of a server, not of a person


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_each_class_equals_its_schema(kind: type[Event]) -> None:
    name = kind.__name__
    current = schemas.load(FOLDER / f"{name}.avsc")
    assert current == schema_of(kind)
    newest = max(schemas.shipped().released(name))
    assert schemas.load(FOLDER / "released" / f"{name}.v{newest}.avsc") == current


def test_there_is_no_schema_without_a_class() -> None:
    names = {kind.__name__ for kind in KINDS}
    assert {file.stem for file in FOLDER.glob("*.avsc")} == names
    assert {file.name.split(".v")[0] for file in (FOLDER / "released").iterdir()} == names
    assert set(schemas.shipped().ids) == names


def test_ids_are_given_once() -> None:
    given = [number for versions in schemas.shipped().ids.values() for number in versions.values()]
    assert len(given) == len(set(given))
    for name, versions in schemas.shipped().ids.items():
        assert sorted(versions) == list(range(1, len(versions) + 1))
        assert sorted(versions) == sorted(schemas.shipped().released(name))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_versions_only_append_fields_with_defaults(kind: type[Event]) -> None:
    # Which is FULL_TRANSITIVE, and lets a reader take the first bytes of a newer record for a record it knows.
    name = kind.__name__
    released = [FOLDER / "released" / f"{name}.v{version}.avsc" for version in schemas.shipped().released(name)]
    assert additive([schemas.load(file) for file in released]) == []


def additive(versions: list[dict[str, Any]]) -> list[str]:
    """What breaks the rule between successive versions."""
    faults = []
    for older, newer in pairwise(versions):
        before, after = [bare(field) for field in older["fields"]], [bare(field) for field in newer["fields"]]
        if after[: len(before)] != before:
            faults.append("changed a field")
        faults += [f"no default for {f['name']}" for f in newer["fields"][len(before) :] if "default" not in f]
    return faults


def bare(schema: Any) -> Any:
    """A schema without its words."""
    if isinstance(schema, dict):
        return {key: bare(value) for key, value in schema.items() if key != "doc"}
    return [bare(item) for item in schema] if isinstance(schema, list) else schema


def test_the_rule_sees_what_breaks_it() -> None:
    one = {"fields": [{"name": "a", "type": "string"}]}
    assert additive([one, {"fields": [{"name": "a", "type": "long"}]}]) == ["changed a field"]
    assert additive([one, {"fields": []}]) == ["changed a field"]
    assert additive([one, {"fields": [*one["fields"], {"name": "b", "type": "string"}]}]) == ["no default for b"]
    assert additive([one, {"fields": [*one["fields"], {"name": "b", "type": "string", "default": ""}]}]) == []


@pytest.mark.parametrize("topic", [topic for topic in topics.TOPICS if topic.public], ids=lambda topic: str(topic.name))
def test_joint_33_analytics_topics_are_flat_and_discreet(topic: topics.Topic) -> None:
    assert len(topic.carries) == 1
    for field in schema_of(topic.carries[0])["fields"]:
        assert kinds_of(field["type"]) <= {"string", "long", "boolean", "null"}, field
        assert field["name"] in ALLOWED or not any(word in field["name"] for word in FORBIDDEN), field


def kinds_of(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {kind for part in schema for kind in kinds_of(part)}
    return {schema["type"]} if isinstance(schema, dict) else {schema}


def test_joint_33_names_of_folders_and_people_stay_on_their_topics() -> None:
    where: dict[str, set[str]] = {}
    for topic in topics.TOPICS:
        for kind in topic.carries:
            for field in schema_of(kind)["fields"]:
                where.setdefault(field["name"], set()).add(topic.name)
    for name in ("source_name", "destination_name"):
        assert where[name] == {"plans"}
    people = {"requests", "rows", "migrations", "run-triggers", "run-completions", "notices"}
    for name in ("destination", "source_user", "master_user", "failed_mailboxes"):
        assert where[name] <= people
    assert not any("password" in name or name == "token" for name in where)


def test_every_schema_is_avro() -> None:
    for file in FOLDER.rglob("*.avsc"):
        parse_schema(json.loads(file.read_text()), {})


def test_releasing_writes_a_next_version_and_amending_the_same(tmp_path: Path) -> None:
    assert len(release.write(tmp_path, "next")) == len(KINDS)
    assert release.write(tmp_path, "check") == []
    place = tmp_path / "released" / "RowLeftOut.v1.avsc"
    place.write_text(place.read_text().replace('"row_version"', '"version"'))
    assert release.write(tmp_path, "check") == ["RowLeftOut"]
    assert release.write(tmp_path, "next") == ["RowLeftOut"]
    assert release.newest(tmp_path, "RowLeftOut") == 2
    numbers = json.loads((tmp_path / "ids.json").read_text())
    assert numbers["RowLeftOut"] == {"1": numbers["RowLeftOut"]["1"], "2": len(KINDS) + 1}
    place = tmp_path / "released" / "RowLeftOut.v2.avsc"
    place.write_text(place.read_text().replace('"row_version"', '"version"'))
    assert release.write(tmp_path, "amend") == ["RowLeftOut"]
    assert release.newest(tmp_path, "RowLeftOut") == 2


def test_the_tool_answers_by_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["check"]) == 0
    assert release.main([]) == 2
    assert "amend" in capsys.readouterr().err
