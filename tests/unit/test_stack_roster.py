"""Which process of the embedded stack may know what, and which Kafka it runs on."""

from pathlib import Path

import pytest

from mailhaul.errors import StackFailed
from mailhaul.stack.installation import Installation
from mailhaul.stack.kafka_home import find_kafka
from mailhaul.stack.roster import SERVICES, environment_of, shared_environment

PLACE = Installation(Path("/nowhere/state"))
OUTER = {
    "HOME": "/nowhere",
    "MAILHAUL_STATE_DIR": "/elsewhere",
    "MAILHAUL_PLATFORM__MASTER_PASSWORD": "canary",
    "MAILHAUL_SMTP__PASSWORD": "canary",
}


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="ascii")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("secret", "holders"),
    [
        ("MAILHAUL_VAULT__KEY_FILE", {"validator", "copier"}),
        ("MAILHAUL_PLATFORM__MASTER_PASSWORD", {"validator", "copier"}),
        ("MAILHAUL_SMTP__PASSWORD", {"notifier"}),
        ("MAILHAUL_VAULT__PUBLIC_KEY_FILE", set(SERVICES)),
    ],
)
def test_joint_30_only_those_who_need_a_secret_are_given_it(secret: str, holders: set[str]) -> None:
    shared = shared_environment(OUTER, PLACE, bootstrap="127.0.0.1:1", panel_port=2)
    assert {service for service in SERVICES if secret in environment_of(service, shared)} == holders


def test_the_stack_says_where_things_are_and_the_outer_environment_the_rest() -> None:
    shared = shared_environment(OUTER, PLACE, bootstrap="127.0.0.1:1", panel_port=2)
    assert shared["MAILHAUL_STATE_DIR"] == "/nowhere/state"
    assert shared["MAILHAUL_KAFKA__BOOTSTRAP"] == "127.0.0.1:1"
    assert shared["HOME"] == "/nowhere"
    own_key = shared_environment({"MAILHAUL_VAULT__KEY_FILE": "/own.key"}, PLACE, bootstrap="", panel_port=2)
    assert own_key["MAILHAUL_VAULT__KEY_FILE"] == "/own.key"


def test_kafka_home_goes_before_the_path_and_the_path_before_the_cache(tmp_path: Path) -> None:
    java = executable(tmp_path / "jvm" / "bin" / "java")
    (tmp_path / "own" / "libs").mkdir(parents=True)
    (tmp_path / "tarball" / "libs").mkdir(parents=True)
    executable(tmp_path / "tarball" / "bin" / "kafka-server-start.sh")
    base = {"JAVA_HOME": str(tmp_path / "jvm"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": ""}
    on_path = {**base, "PATH": str(tmp_path / "tarball" / "bin")}

    assert find_kafka({**on_path, "KAFKA_HOME": str(tmp_path / "own")}).jars == tmp_path / "own" / "libs"
    found = find_kafka(on_path)
    assert found.jars == tmp_path / "tarball" / "libs"
    assert found.serve(Path("server.properties"))[0] == str(java)
    with pytest.raises(StackFailed, match="make setup"):
        find_kafka(base)


def test_a_packaged_kafka_is_run_by_its_own_scripts(tmp_path: Path) -> None:
    executable(tmp_path / "jvm" / "bin" / "java")
    start = executable(tmp_path / "bin" / "kafka-server-start")
    environment = {"JAVA_HOME": str(tmp_path / "jvm"), "PATH": str(tmp_path / "bin")}
    with pytest.raises(StackFailed, match="kafka-storage"):
        find_kafka(environment)
    storage = executable(tmp_path / "bin" / "kafka-storage")
    found = find_kafka(environment)
    assert found.serve(Path("s.properties")) == [str(start), "s.properties"]
    assert found.format(Path("s.properties"), "id")[:2] == [str(storage), "format"]
    assert "-Xmx256m" in found.environment["KAFKA_HEAP_OPTS"]


def test_a_kafka_home_without_jars_is_named(tmp_path: Path) -> None:
    executable(tmp_path / "jvm" / "bin" / "java")
    with pytest.raises(StackFailed, match="KAFKA_HOME"):
        find_kafka({"JAVA_HOME": str(tmp_path / "jvm"), "PATH": "", "KAFKA_HOME": str(tmp_path)})
    with pytest.raises(StackFailed, match="Java 17"):
        find_kafka({"PATH": ""})
