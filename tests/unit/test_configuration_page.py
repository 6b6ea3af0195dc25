"""The page of settings is current, and every setting says what it means."""

from pathlib import Path

from pydantic import BaseModel

from mailhaul.configuration import page
from mailhaul.settings import Settings

ROOT = Path(__file__).parents[2]


def test_page_is_current() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == page(), "run `make docs`"


def test_every_setting_has_a_description() -> None:
    silent = []

    def look(model: type[BaseModel], prefix: str) -> None:
        for name, info in model.model_fields.items():
            kind = info.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                look(kind, f"{prefix}{name}.")
            elif not info.description:
                silent.append(prefix + name)

    look(Settings, "")
    assert silent == []
