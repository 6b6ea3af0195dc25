"""Real servers for tests: broker, Dovecots, SMTP sink, PostgreSQL, and databases of either kind.

`broker`, `mail_authority`, `postgres_server` live for the session; what a test can spoil is made anew for each test.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from mailhaul.stack.broker import Broker
from mailhaul.stack.certificates import Authority
from mailhaul.stack.dovecot import Dovecot, DovecotSettings
from mailhaul.stack.kafka_home import find_kafka
from mailhaul.stack.postgres import PostgreSQL
from mailhaul.stack.smtp import SMTPSink

MASTER_USER = "migration"
MASTER_PASSWORD = "canary-master-Zq7:w"


@pytest.fixture
def directory() -> Iterator[Path]:
    """A temporary directory that servers with users of their own can reach too; pytest's own are root's alone."""
    path = Path(tempfile.mkdtemp(prefix="mailhaul-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def broker_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's broker as an object; a test that stops or kills it must start it again."""
    broker = Broker(tmp_path_factory.mktemp("broker"), find_kafka(os.environ))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def broker(broker_process: Broker) -> str:
    """HOST:PORT of the session's broker."""
    return broker_process.bootstrap


@pytest.fixture
def topic_prefix() -> str:
    """Put before every topic and group name (`kafka.prefix`), so that tests share a broker and no record."""
    return f"t{uuid4().hex[:10]}."


@pytest.fixture(scope="session")
def mail_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Issues the certificates of test servers; clients trust `mail_authority.ca_file`."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def make_dovecot(mail_authority: Authority) -> Iterator[Callable[..., Dovecot]]:
    """`make_dovecot(name, settings)`: a started Dovecot, ended with the test."""
    made: list[Dovecot] = []

    def make(name: str, settings: DovecotSettings | None = None) -> Dovecot:
        server = Dovecot(name, mail_authority, settings)
        made.append(server)
        server.start()
        return server

    yield make
    for server in made:
        server.close()


@pytest.fixture
def source_dovecot(make_dovecot: Callable[..., Dovecot]) -> Dovecot:
    """An old server without users yet: Maildir, `.` as separator, passwords also in clear."""
    return make_dovecot("source", DovecotSettings(separator=".", plaintext=True))


@pytest.fixture
def destination_dovecot(make_dovecot: Callable[..., Dovecot]) -> Dovecot:
    """The new platform without users yet: Maildir, `/`, quota, and a master user (MASTER_USER, MASTER_PASSWORD)."""
    return make_dovecot("destination", DovecotSettings(quota=True, master_users={MASTER_USER: MASTER_PASSWORD}))


@pytest.fixture
def smtp_sink(directory: Path) -> Iterator[SMTPSink]:
    """An SMTP server on loopback that keeps what it accepts (`smtp_sink.mails()`)."""
    sink = SMTPSink(directory / "smtp")
    sink.start()
    yield sink
    sink.kill()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgreSQL]:
    """The session's PostgreSQL cluster."""
    server = PostgreSQL()
    server.start()
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgreSQL) -> Iterator[str]:
    """URL of an empty PostgreSQL database of this test's own."""
    name = f"t{uuid4().hex[:10]}"
    admin = postgres_server.url().replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    yield postgres_server.url(name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of an empty SQLite database of this test's own."""
    return f"sqlite:///{tmp_path / 'mailhaul.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database: each test that asks for it runs on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url
