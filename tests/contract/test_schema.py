"""The revisions lead to exactly the tables that the code describes, on both databases."""

import asyncio
from collections.abc import Callable

from sqlalchemy import Connection, inspect

from mailhaul.db import Database, revisions
from mailhaul.db.upgrade import all_tables, upgrade

HINT = "write what is missing with `python -m mailhaul.db.revisions`"


def _compared(tx: Connection) -> list[object]:
    return revisions.differences(tx, all_tables())


async def test_the_revisions_lead_to_the_tables(database_url: str, open_databases: Callable[[str], Database]) -> None:
    database = open_databases(database_url)
    await upgrade(database)
    assert revisions.any_written(), HINT
    assert await database.write(_compared) == [], HINT
    await upgrade(database)
    assert await database.write(_compared) == []


async def test_two_upgrades_at_once_take_turns(database_url: str, open_databases: Callable[[str], Database]) -> None:
    sides = [open_databases(database_url) for _ in range(2)]
    await asyncio.gather(*(upgrade(side) for side in sides))
    assert await sides[0].write(_compared) == []


async def test_the_templates_of_the_tests_are_the_schema(database: Database) -> None:
    names = await database.read(lambda tx: set(inspect(tx).get_table_names()))
    assert set(all_tables().tables) <= names
