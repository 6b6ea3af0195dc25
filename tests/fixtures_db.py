"""Databases for tests: an SQLite file and a private PostgreSQL server, each test with a schema of its own."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from mailhaul.db import Database, open_database
from mailhaul.db.upgrade import upgrade

POSTGRESQL_HOMES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_postgres(command: list[str]) -> list[str]:
    # The server refuses to run as root; Debian's package brings a user for it.
    if os.geteuid() == 0:
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
    return command


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a private server on loopback, without its database's name."""
    if not POSTGRESQL_HOMES:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    binaries = POSTGRESQL_HOMES[0]
    # Not below pytest's own directory: that one is closed to the user postgres.
    home = Path("/tmp") / f"mailhaul-postgresql-{uuid.uuid4().hex[:12]}"
    home.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")
    data, port = home / "data", _free_port()
    settings = {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(home),
        "shared_buffers": "64MB",
        "max_connections": "60",
        "deadlock_timeout": "50ms",
    }
    subprocess.run(
        _as_postgres(
            [str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8"]
        ),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = (home / "log").open("wb")
    server = subprocess.Popen(
        _as_postgres([str(binaries / "postgres"), "-D", str(data), *options]), stdout=log, stderr=log, cwd=home
    )
    try:
        _wait_ready(port, server)
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)  # "fast": do not wait for clients
        server.wait(30)
        log.close()
        shutil.rmtree(home, ignore_errors=True)


def _wait_ready(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError("PostgreSQL did not start")
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            asyncio.run(asyncio.sleep(0.1))
        else:
            return
    raise RuntimeError("PostgreSQL was not ready within 30 s")


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> str:
    """A database with every table, to be copied by each test."""
    name = "template_mailhaul"
    with psycopg.connect(f"{postgresql_server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    asyncio.run(_prepare(f"{postgresql_server}/{name}"))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every table, to be copied by each test."""
    file = tmp_path_factory.mktemp("database") / "template.sqlite3"
    asyncio.run(_prepare(f"sqlite:///{file}"))
    return file


async def _prepare(url: str) -> None:
    database = open_database(url)
    await upgrade(database)
    await database.close()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """An SQLite database of the test's own, with every table."""
    file = tmp_path / "mailhaul.sqlite3"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture
def postgresql_url(postgresql_server: str, postgresql_template: str) -> Iterator[str]:
    """A PostgreSQL database of the test's own, with every table."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{postgresql_server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {postgresql_template}")
        yield f"{postgresql_server}/{name}"
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The test runs twice, once on each database."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with every table; the test runs on SQLite and on PostgreSQL."""
    opened = open_database(database_url)
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
