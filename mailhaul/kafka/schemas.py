"""The schemas that are shipped: what each event type looks like on the wire, in every released version."""

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from fastavro import parse_schema

NAMESPACE = "org.mailhaul"
_RELEASED = re.compile(r"(?P<name>\w+)\.v(?P<version>\d+)\.avsc")


def directory() -> Path:
    """Where the schemas lie: inside the installed package, or at the root of a checkout."""
    installed = Path(__file__).parents[1] / "schemas"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "schemas"


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of one event type: its number, its id on the wire and its schema as fastavro parsed it."""

    name: str
    version: int
    schema_id: int
    parsed: Any


def load(file: Path) -> Any:
    """A schema file as plain JSON."""
    return json.loads(file.read_text(encoding="utf-8"))


class Catalogue:
    """The schemas of one folder, read when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._released: dict[str, dict[int, Registered]] = {}

    @cached_property
    def ids(self) -> dict[str, dict[int, int]]:
        """Schema ids by event type and version; an id once given is never given again."""
        table = load(self.folder / "ids.json")
        return {
            name: {int(version): number for version, number in versions.items()} for name, versions in table.items()
        }

    def released(self, name: str) -> dict[int, Registered]:
        """Every released version of an event type, oldest first."""
        known = self._released.get(name)
        if known is None:
            known = self._released[name] = self._read(name)
        return known

    def current(self, name: str) -> Registered:
        """The newest version, which is what we write; raises KeyError for a type that has none."""
        versions = self.released(name)
        if not versions:
            raise KeyError(name)
        return versions[max(versions)]

    def _read(self, name: str) -> dict[int, Registered]:
        found = {}
        for file in (self.folder / "released").glob(f"{name}.v*.avsc"):
            match = _RELEASED.fullmatch(file.name)
            if match and match["name"] == name:
                version = int(match["version"])
                found[version] = Registered(name, version, self.ids[name][version], parse_schema(load(file), {}))
        return dict(sorted(found.items()))


@cache
def shipped() -> Catalogue:
    """The schemas that came with this release."""
    return Catalogue(directory())
