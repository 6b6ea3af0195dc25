"""Databases that hold every table: each test gets a copy of a template made once, on SQLite and on PostgreSQL."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from mailhaul.db import Database, open_database
from mailhaul.db.upgrade import upgrade
from mailhaul.stack.postgres import PostgreSQL


async def _prepare(url: str) -> None:
    database = open_database(url)
    try:
        await upgrade(database)
    finally:
        await database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every table."""
    file = tmp_path_factory.mktemp("database") / "template.sqlite3"
    asyncio.run(_prepare(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgreSQL) -> str:
    """The name of a PostgreSQL database with every table."""
    name = "template_mailhaul"
    with psycopg.connect(_plain(postgres_server.url()), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    asyncio.run(_prepare(postgres_server.url(name)))
    return name


@pytest.fixture
def sqlite_schema_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of an SQLite database of this test's own, with every table."""
    file = tmp_path / "schema.sqlite3"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture
def postgres_schema_url(postgres_server: PostgreSQL, postgres_template: str) -> Iterator[str]:
    """URL of a PostgreSQL database of this test's own, with every table."""
    name = f"s{uuid4().hex[:10]}"
    with psycopg.connect(_plain(postgres_server.url()), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}".encode())
        yield postgres_server.url(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def schema_url(request: pytest.FixtureRequest) -> str:
    """URL of a database with every table: each test that asks for it runs on SQLite and on PostgreSQL."""
    fixture = "sqlite_schema_url" if request.param == "sqlite" else "postgres_schema_url"
    return str(request.getfixturevalue(fixture))


@pytest.fixture
async def database(schema_url: str) -> AsyncIterator[Database]:
    """An open database with every table: each test that asks for it runs on SQLite and on PostgreSQL."""
    opened = open_database(schema_url)
    yield opened
    await opened.close()


@pytest.fixture
async def open_databases() -> AsyncIterator[Callable[[str], Database]]:
    """Opens databases by address and closes them after the test."""
    opened: list[Database] = []

    def opener(url: str) -> Database:
        opened.append(open_database(url))
        return opened[-1]

    yield opener
    for each in opened:
        await each.close()


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")
