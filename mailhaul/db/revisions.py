"""Alembic on our own connections; its revisions stand in `infra/database/versions`.

`python -m mailhaul.db.revisions` writes one revision for each owner whose tables say more than the revisions so far.
Read them before they are committed: a renamed column looks like one that went and one that came.
"""

import sys
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, MetaData

from mailhaul.db.engine import sqlite_engine
from mailhaul.db.metadata import metadata


def directory() -> Path:
    """Where the revisions lie: inside the installed package, or at the root of a checkout."""
    installed = Path(__file__).parents[1] / "infra" / "database"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "infra" / "database"


def any_written() -> bool:
    """Whether there is a first revision."""
    return bool(ScriptDirectory.from_config(_config()).get_heads())


def to_head(tx: Connection) -> None:
    """Apply every revision that is missing, in the caller's transaction."""
    command.upgrade(_config(connection=tx), "head")


def differences(tx: Connection, tables: MetaData) -> list[Any]:
    """What the database has that the tables do not, or the other way round."""
    return list(compare_metadata(MigrationContext.configure(tx), tables))


def write_next(message: str) -> None:
    """Write what is missing, on a scratch database that has every revision so far."""
    engine = sqlite_engine("sqlite://", read_only=False, connections=1)
    (directory() / "versions").mkdir(exist_ok=True)
    altering = any_written()
    with engine.begin() as tx:
        to_head(tx)
        for owner in sorted({name.partition("_")[0] for name in metadata.tables}):
            number = f"{len(list(ScriptDirectory.from_config(_config()).walk_revisions())) + 1:04d}"
            config = _config(connection=tx, owner=owner, altering=altering)
            title = f"{message}: {owner}" if message else f"Tables of {owner}"
            script = command.revision(config, message=title, autogenerate=True, rev_id=number)
            if isinstance(script, Script):
                _tidy(Path(script.path))
            to_head(tx)
    engine.dispose()


def _tidy(file: Path) -> None:
    """Without Alembic's own remarks, which say nothing about the tables."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.strip().startswith("# ###")), encoding="utf-8")


def _config(**attributes: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(attributes)
    return config


if __name__ == "__main__":
    write_next(" ".join(sys.argv[1:]))
