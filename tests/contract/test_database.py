"""What every service relies on, on both databases."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from mailhaul.db import Database, InlineDatabase, insert_missing, now, open_database, upsert

scratch = MetaData()
item = Table("test_item", scratch, Column("id", Integer, primary_key=True), Column("word", Text, nullable=False))


@pytest.fixture
async def items(database: Database) -> AsyncIterator[Database]:
    await database.write(scratch.create_all)
    yield database
    await database.write(scratch.drop_all)


def add(tx: Connection, number: int, word: str) -> int:
    tx.execute(item.insert().values(id=number, word=word))
    return number


def add_and_fail(tx: Connection, number: int) -> None:
    add(tx, number, "lost")
    raise LookupError("a rule was broken")


def count(tx: Connection) -> int:
    return tx.execute(select(func.count()).select_from(item)).scalar_one()


def words(tx: Connection) -> dict[int, str]:
    return {row.id: row.word for row in tx.execute(select(item))}


async def test_a_write_is_there_when_the_wait_ends(items: Database) -> None:
    assert await items.write(add, 1, "one") == 1
    assert await items.read(words) == {1: "one"}


async def test_a_failed_write_leaves_nothing_and_takes_no_neighbour_with_it(items: Database) -> None:
    results = await asyncio.gather(
        *(items.write(add_and_fail, n) if n % 3 == 0 else items.write(add, n, "kept") for n in range(60)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, LookupError) for result in results) == 20
    assert sorted((await items.read(words)).values()) == ["kept"] * 40


async def test_a_broken_constraint_is_told_to_the_one_who_broke_it(items: Database) -> None:
    await items.write(add, 1, "one")
    results = await asyncio.gather(*(items.write(add, n, "x") for n in (1, 2, 3)), return_exceptions=True)
    assert [isinstance(result, IntegrityError) for result in results] == [True, False, False]
    assert await items.read(count) == 3


async def test_a_reader_cannot_write(items: Database) -> None:
    with pytest.raises(DBAPIError):
        await items.read(add, 1, "one")
    assert await items.read(count) == 0


async def test_a_reader_sees_one_moment(items: Database) -> None:
    """A page never mixes two moments: what is committed during a read does not show in it."""
    loop = asyncio.get_running_loop()

    def look_twice(tx: Connection) -> tuple[int, int]:
        before = count(tx)
        asyncio.run_coroutine_threadsafe(items.write(add, 1, "one"), loop).result(10)
        return before, count(tx)

    assert await items.read(look_twice) == (0, 0)
    assert await items.read(count) == 1


async def test_writes_that_nobody_waits_for_any_more_do_not_stop_the_writer(items: Database) -> None:
    tasks = [asyncio.ensure_future(items.write(add, n, "x")) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[10:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await items.write(add, 100, "after")
    assert set(range(10)) | {100} <= set(await items.read(words))


async def test_upsert_and_insert_missing(items: Database) -> None:
    def fill(tx: Connection) -> None:
        upsert(tx, item, [{"id": 1, "word": "a"}, {"id": 2, "word": "b"}], ["id"])
        upsert(tx, item, [{"id": 2, "word": "c"}], ["id"])
        insert_missing(tx, item, [{"id": 2, "word": "d"}, {"id": 3, "word": "e"}])
        upsert(tx, item, [], ["id"])
        insert_missing(tx, item, [])

    await items.write(fill)
    assert await items.read(words) == {1: "a", 2: "c", 3: "e"}


async def test_the_databases_clock_moves(database: Database) -> None:
    first = await database.read(now)
    await asyncio.sleep(0.02)
    assert 10_000 <= await database.read(now) - first < 60_000_000


async def test_two_processes_counting_do_not_lose_a_step(
    items: Database, schema_url: str, open_databases: Callable[[str], Database]
) -> None:
    other = open_databases(schema_url)
    await items.write(add, 1, "0")

    def step(tx: Connection) -> None:
        word = tx.execute(select(item.c.word).where(item.c.id == 1).with_for_update()).scalar_one()
        tx.execute(item.update().where(item.c.id == 1).values(word=str(int(word) + 1)))

    await asyncio.gather(*(side.write(step) for _ in range(40) for side in (items, other)))
    assert await items.read(words) == {1: "80"}


async def test_a_deadlock_begins_again(items: Database) -> None:
    await items.write(add, 1, "")
    await items.write(add, 2, "")

    def touch(tx: Connection, order: tuple[int, int], mark: str) -> None:
        for number in order:
            tx.execute(item.update().where(item.c.id == number).values(word=item.c.word + mark))

    await asyncio.gather(*(items.write(touch, (1, 2) if n % 2 else (2, 1), "x") for n in range(12)))
    assert await items.read(words) == {1: "x" * 12, 2: "x" * 12}


async def test_truncating_the_log_removes_shredded_bytes(
    sqlite_schema_url: str, open_databases: Callable[[str], Database]
) -> None:
    opened = open_databases(sqlite_schema_url)
    await opened.write(scratch.create_all)
    await opened.write(add, 1, "canary-5b1f")
    await opened.write(lambda tx: tx.execute(item.delete()).rowcount)
    await opened.truncate_log()
    file = Path(sqlite_schema_url.removeprefix("sqlite:///"))
    assert b"canary-5b1f" not in file.read_bytes() + Path(f"{file}-wal").read_bytes()


async def test_the_clock_of_a_simulation_decides() -> None:
    opened = open_database("sqlite://", clock=lambda: 42)
    assert isinstance(opened, InlineDatabase)
    assert await opened.read(now) == 42
    await opened.close()
    threaded = open_database("sqlite://")
    await threaded.write(scratch.create_all)
    await threaded.write(add, 1, "one")
    assert await threaded.read(count) == 1
    await threaded.close()
