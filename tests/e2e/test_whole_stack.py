"""A CSV becomes moved mailboxes while every process is killed: nothing is lost, doubled, altered or told."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailhaul.stack.corpus import SHELVES, Kind, corpus
from mailhaul.stack.world import World
from tests.e2e.canaries import Search
from tests.e2e.theatre import OTHERS, Storm, Theatre, patient

SEED = 5
MAILBOXES, MESSAGES, ARRIVALS = 8, 220, 6
WRONG = "canary-wrong-4b1d9e77"
HOLDERS = ("supervisor", "validator", "copier")  # the master password is among their settings


@pytest.fixture
def make_theatre(world: World, tmp_path: Path) -> Iterator[Callable[[str], Theatre]]:
    """`make_theatre(database_url)`: the whole stack over a source full of mail, ended with the test."""
    made: list[Theatre] = []

    def make(database_url: str) -> Theatre:
        mail = corpus(SEED, MAILBOXES, MESSAGES, Kind.MIXED, shelves=SHELVES)
        made.append(Theatre(world, mail, tmp_path / "state", database_url))
        return made[0]

    yield make
    for theatre in made:
        theatre.close()


def tell(theatre: Theatre) -> str:
    """From the upload, with a mistake in it, over both runs to the end; return the migration's code."""
    theatre.ask(lambda api: api.post("/domains", {"domain": "example.com"}))
    accounts = theatre.manifest.accounts
    rows = [theatre.world.row(account) for account in accounts]
    rows[1] = theatre.world.row(accounts[1], password=WRONG)
    code = theatre.upload(rows, name="storm", first="asap", second="6h")
    theatre.until(code, "invalid")
    right = {"password": accounts[1].password}
    theatre.ask(lambda api: api.post(f"/migrations/{code}/rows/2/correct", right, key="correct"))
    theatre.until(code, "ready_for_cutover", "needs_attention")
    theatre.arrivals(ARRIVALS)
    patient(lambda: any(b"change your MX records now" in mail for mail in subjects(theatre)), "the mail after run 1")
    theatre.ask(lambda api: api.post(f"/migrations/{code}/start", key="start"))
    theatre.until(code, "done", "done_review", "failed")
    patient(lambda: any(b"migration finished" in mail for mail in subjects(theatre)), "the last mail")
    return code


def subjects(theatre: Theatre) -> list[bytes]:
    """The subjects of the accepted mails."""
    return [
        line for copies in theatre.mails().values() for line in copies[0].splitlines() if line.startswith(b"Subject:")
    ]


def secrets(theatre: Theatre) -> dict[str, str]:
    """Every secret that the stack was given, or made."""
    passwords = {f"the password of {account.source}": account.password for account in theatre.manifest.accounts}
    return {**passwords, "a wrong password": WRONG, "the API token": theatre.stack.token}


def look_at_processes(theatre: Theatre) -> Search:
    """No secret stands in a command line or environment; the master password only where it is a setting."""
    search = Search(secrets(theatre))
    search.processes(theatre.processes())
    others = [member.pid for member in theatre.stack.status.members if member.name not in HOLDERS]
    master = Search({"the master password": theatre.world.master_password})
    master.processes(others)
    master.processes(theatre.processes(), environment=False)
    search.found += master.found
    return search


def assert_as_it_must_be(theatre: Theatre, code: str, directory: Path) -> None:
    """The checker's verdict, the account, the mails, the read model against its rebuild, and no secret anywhere."""
    assert theatre.judge(directory).endswith("0 lost, 0 doubled, 0 altered, 0 unexpected: exact")
    assert theatre.state(code) == "done"
    assert look_at_processes(theatre).found == []
    for copies in theatre.mails().values():
        assert len(set(copies)) == 1, "a repeated mail is byte-equal"
    sent = subjects(theatre)
    for words in (b"change your MX records now", b"migration finished"):
        assert sum(words in subject for subject in sent) == 1, sent
    found = theatre.search({**secrets(theatre), "the master password": theatre.world.master_password})
    assert found.looked_at > 500
    assert found.found == []
    before = patient(lambda: steady(theatre), "a read model that is up to date")
    theatre.run("rebuild", "projection", "--execute")
    after = theatre.read_model()
    changed = {table: (before[table] - rows, rows - before[table]) for table, rows in after.items()}
    assert {table: rows for table, rows in changed.items() if any(rows)} == {}


def steady(theatre: Theatre) -> dict[str, Counter[str]]:
    """The read model when nothing was added to it for a while; nothing while something is."""
    before = theatre.read_model()
    time.sleep(1.5)
    return dict(before) if before == theatre.read_model() else {}


@pytest.mark.timeout(900)
def test_joint_11_everything_is_killed_over_and_over_on_sqlite(
    make_theatre: Callable[[str], Theatre], tmp_path: Path
) -> None:
    theatre = make_theatre(f"sqlite:///{tmp_path / 'mailhaul.sqlite3'}")
    storm = Storm(theatre, random.Random(SEED), copier=7, others=3, broker=1)
    with storm.raging():
        code = tell(theatre)
    print(f"seed {SEED}: {dict(storm.struck)}, {storm.met} kills of the copier met pushes under way")
    assert storm.struck == {"copier": 7, "kafka": 1, **dict.fromkeys(OTHERS, 3)}
    assert storm.met >= 2, "too few kills fell while anything was under way"
    assert_as_it_must_be(theatre, code, tmp_path)


@pytest.mark.timeout(900)
def test_everything_is_killed_over_and_over_on_postgresql(
    make_theatre: Callable[[str], Theatre], tmp_path: Path, postgres_url: str
) -> None:
    theatre = make_theatre(postgres_url)
    storm = Storm(theatre, random.Random(SEED + 1), copier=3, others=2)
    with storm.raging():
        code = tell(theatre)
    print(f"seed {SEED + 1}: {dict(storm.struck)}, {storm.met} kills of the copier met pushes under way")
    assert storm.struck == {"copier": 3, **dict.fromkeys(OTHERS, 2)}
    assert_as_it_must_be(theatre, code, tmp_path)
