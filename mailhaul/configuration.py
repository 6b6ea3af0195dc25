"""docs/configuration.md, made from the settings' own descriptions: `python -m mailhaul.configuration FILE`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from mailhaul.settings import Settings, default_state_dir

HEAD = """# Configuration

Made by `make docs` from `mailhaul/settings.py`. Every setting is an environment variable. A process reads its settings
once, at its start; `mailhaul up` hands its own environment to every service that it starts. Lists are written as JSON.
"""


def page() -> str:
    """The whole page, the same for the same settings."""
    general = [row for name, info in Settings.model_fields.items() if (row := _row(f"MAILHAUL_{name.upper()}", info))]
    return "\n".join([HEAD, *_table(general), *_sections(Settings, "MAILHAUL_")]) + "\n"


def _sections(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        section = _section(info)
        if section is None:
            continue
        inner = f"{prefix}{name.upper()}__"
        yield f"\n## {inner}*\n"
        if section.__doc__ and not section.__doc__.startswith("!!!"):
            yield section.__doc__.strip().splitlines()[0] + "\n"
        yield from _table(
            [row for key, field in section.model_fields.items() if (row := _row(inner + key.upper(), field))]
        )
        yield from _sections(section, inner)


def _section(info: FieldInfo) -> type[BaseModel] | None:
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _table(rows: list[str]) -> list[str]:
    return ["| variable | default | meaning |", "|---|---|---|", *rows]


def _row(variable: str, info: FieldInfo) -> str:
    if _section(info) is not None:
        return ""
    meaning = (info.description or "").replace("|", "or")
    return f"| `{variable}` | {_default(info)} | {meaning} |"


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, Path):
        return "`" + str(value).replace(str(default_state_dir().parent.parent.parent), "~") + "`"
    if value is None or value == "" or isinstance(value, SecretStr):
        return ""
    return f"`{value}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
