"""Writes the schema files from the event classes: `python -m mailhaul.kafka.release check | amend | next`.

`next` releases a new version of each class that changed; `amend` rewrites the newest version, which is allowed only
until it was published with a release of Mailhaul. New fields go to the end and have a default.
"""

import json
import sys
from pathlib import Path
from typing import Any

from mailhaul.kafka import schemas
from mailhaul.kafka.derive import schema_of
from mailhaul.topics import events_carried


def text_of(schema: dict[str, Any]) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def newest(folder: Path, name: str) -> int:
    """The newest released version of an event type; 0 when there is none."""
    versions = [int(file.name.split(".v")[1].split(".")[0]) for file in (folder / "released").glob(f"{name}.v*.avsc")]
    return max(versions, default=0)


def write(folder: Path, mode: str) -> list[str]:
    """Bring the files in line with the classes; returns the names of those that were not."""
    (folder / "released").mkdir(parents=True, exist_ok=True)
    numbers = _numbers(folder)
    changed = []
    for kind in events_carried():
        name, wanted = kind.__name__, text_of(schema_of(kind))
        version = newest(folder, name)
        place = folder / "released" / f"{name}.v{version}.avsc"
        if version and place.read_text(encoding="utf-8") == wanted:
            continue
        changed.append(name)
        if mode == "check":
            continue
        if mode == "next" or not version:
            version += 1
        numbers.setdefault(name, {}).setdefault(str(version), 1 + max(_given(numbers), default=0))
        for file in (folder / f"{name}.avsc", folder / "released" / f"{name}.v{version}.avsc"):
            file.write_text(wanted, encoding="utf-8")
    if mode != "check":
        (folder / "ids.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return changed


def _numbers(folder: Path) -> dict[str, dict[str, int]]:
    file = folder / "ids.json"
    return dict(schemas.load(file)) if file.exists() else {}


def _given(numbers: dict[str, dict[str, int]]) -> list[int]:
    return [number for versions in numbers.values() for number in versions.values()]


def main(arguments: list[str]) -> int:
    """Exit status 1 when `check` found a difference, 2 on wrong use."""
    if len(arguments) != 1 or arguments[0] not in ("check", "amend", "next"):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    changed = write(schemas.directory(), arguments[0])
    sys.stdout.write("".join(f"{name}\n" for name in changed))
    return 1 if changed and arguments[0] == "check" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
