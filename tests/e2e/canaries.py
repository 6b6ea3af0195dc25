"""Looks for secrets where none may be: records, files, databases, mails, and what the kernel tells of processes."""

import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus
from uuid import uuid4

import confluent_kafka
import psycopg

QUIET_SECONDS = 15.0


def needles(secret: str) -> set[bytes]:
    """The spellings in which a secret may have leaked: itself, escaped for JSON and URLs, hexadecimal, base64."""
    plain = secret.encode()
    spellings = {
        plain,
        plain.hex().encode(),
        plain.hex().upper().encode(),
        plain[::-1],
        plain.decode().encode("utf-16-le"),
    }
    spellings |= {
        json.dumps(secret)[1:-1].encode(),
        quote(secret).encode(),
        quote(secret, safe="").encode(),
        quote_plus(secret).encode(),
    }
    for shift in range(3):  # base64 of a longer text that holds it, wherever it begins
        whole = base64.b64encode(b"\0" * shift + plain)
        cut = whole[4 if shift else 0 : len(whole) - 4 if (len(plain) + shift) % 3 else len(whole)]
        spellings |= {cut, cut.replace(b"+", b"-").replace(b"/", b"_")}
    return {spelling for spelling in spellings if len(spelling) >= 6}


class Search:
    """Canaries, each with a name, and the places where one was found."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._needles = {name: needles(secret) for name, secret in secrets.items()}
        self.found: list[str] = []
        self.looked_at = 0

    def look(self, place: str, octets: bytes) -> None:
        """Note every canary in some octets."""
        self.looked_at += 1
        for name, spellings in self._needles.items():
            if any(spelling in octets for spelling in spellings):
                self.found.append(f"{name} in {place}")

    def files(self, directory: Path, *, but: Iterable[Path] = ()) -> None:
        """Look into every file below a directory, except those that are meant to hold a secret."""
        spared = {path.resolve() for path in but}
        for path in sorted(directory.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.resolve() not in spared:
                self.look(str(path.relative_to(directory)), path.read_bytes())

    def records(self, bootstrap: str, prefix: str) -> None:
        """Look into key, value and headers of every record of every topic that begins with the prefix."""
        for place, octets in records(bootstrap, prefix):
            self.look(place, octets)

    def sqlite(self, file: Path) -> None:
        """Look into a dump, and into the raw file and its journal, where deleted rows may linger."""
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            self.look(f"dump of {file.name}", "\n".join(connection.iterdump()).encode())
        connection.close()
        for path in (file, file.with_name(file.name + "-wal")):
            if path.exists():
                self.look(path.name, path.read_bytes())

    def postgresql(self, url: str) -> None:
        """Look into every row of every table, as text and as bytes."""
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                rows = connection.execute(f'SELECT * FROM "{table}"'.encode()).fetchall()
                self.look(f"table {table}", "\n".join(repr(row) for row in rows).encode())
                self.look(f"bytes of {table}", b"\n".join(v for row in rows for v in row if isinstance(v, bytes)))

    def processes(self, pids: Iterable[int], *, environment: bool = True) -> None:
        """Look into command lines and environments."""
        for pid in pids:
            for name in ("cmdline", "environ") if environment else ("cmdline",):
                try:
                    self.look(f"{name} of {command(pid)}", Path(f"/proc/{pid}/{name}").read_bytes())
                except OSError:  # it ended meanwhile
                    continue


def records(bootstrap: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Every record's key, headers and value, with topic/partition@offset as its place."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"canaries-{uuid4().hex}",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        topics = {
            name: t for name, t in consumer.list_topics(timeout=QUIET_SECONDS).topics.items() if name.startswith(prefix)
        }
        places = [
            confluent_kafka.TopicPartition(name, partition, confluent_kafka.OFFSET_BEGINNING)
            for name, topic in topics.items()
            for partition in topic.partitions
        ]
        if not places:
            return
        consumer.assign(places)
        open_ends = {(place.topic, place.partition) for place in places}
        while open_ends:
            message = consumer.poll(QUIET_SECONDS)
            if message is None:
                raise TimeoutError(f"no end of {sorted(open_ends)[:3]} within {QUIET_SECONDS:g} s")
            if (error := message.error()) is not None:
                if error.code() != confluent_kafka.KafkaError._PARTITION_EOF:
                    raise confluent_kafka.KafkaException(error)
                open_ends.discard((message.topic(), message.partition()))
                continue
            headers = repr(message.headers()).encode()
            octets = b"\n".join([_octets(message.key()), headers, _octets(message.value())])
            yield f"{message.topic()}/{message.partition()}@{message.offset()}", octets
    finally:
        consumer.close()


def _octets(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def descendants(pid: int) -> set[int]:
    """A process and everything below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, waiting = {pid}, [pid]
    while waiting:
        for child in parents.get(waiting.pop(), ()):
            found.add(child)
            waiting.append(child)
    return found


def command(pid: int) -> str:
    """A process's command line for a person, cut short."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")[:80].strip()
    except OSError:
        return str(pid)
