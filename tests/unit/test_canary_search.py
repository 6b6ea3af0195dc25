"""The search for leaked secrets finds one in every spelling and place that it looks into."""

import base64
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.canaries import Search, descendants

SECRET = 'canary-"ü/+1f2e3d'
SEARCHED = {"a password": SECRET}


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
def test_base64_is_seen_through_wherever_the_secret_begins(before: int, after: int) -> None:
    search = Search(SEARCHED)
    search.look("here", base64.b64encode(b"x" * before + SECRET.encode() + b"y" * after))
    assert search.found == ["a password in here"]


@pytest.mark.parametrize(
    "text", [SECRET, json.dumps({"p": SECRET}), quote(SECRET), SECRET.encode().hex(), f"imap://me:{SECRET}@host"]
)
def test_other_spellings_are_seen_through(text: str) -> None:
    search = Search(SEARCHED)
    search.look("here", b"before " + text.encode() + b" after")
    assert search.found == ["a password in here"]


def test_what_holds_no_secret_is_not_blamed(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("nothing to see")
    search = Search(SEARCHED)
    search.files(tmp_path)
    search.processes([os.getpid()])
    assert search.found == []
    assert search.looked_at == 3


def test_files_are_looked_into_except_those_that_keep_a_secret(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_text(f"failed with {SECRET}")
    (tmp_path / "key").write_text(SECRET)
    search = Search(SEARCHED)
    search.files(tmp_path, but=[tmp_path / "key"])
    assert search.found == ["a password in deep/log"]


def test_a_deleted_row_is_found_in_the_raw_file(tmp_path: Path) -> None:
    file = tmp_path / "mailhaul.db"
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("CREATE TABLE t (secret TEXT, filler TEXT)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [(SECRET, "x" * 100)] * 3)
    connection.commit()
    connection.execute("DELETE FROM t")
    connection.commit()
    connection.close()
    search = Search(SEARCHED)
    search.sqlite(file)
    assert search.found == ["a password in mailhaul.db"]


def test_command_lines_and_environments_of_children_are_looked_into() -> None:
    wait = [sys.executable, "-c", "input()"]
    with subprocess.Popen([*wait, SECRET], stdin=subprocess.PIPE) as argument:
        with subprocess.Popen(wait, stdin=subprocess.PIPE, env={"PASSWORD": SECRET}) as variable:
            search = Search(SEARCHED)
            pids = descendants(os.getpid())
            assert {argument.pid, variable.pid} <= pids
            search.processes(pids)
            variable.communicate(b"\n")
        argument.communicate(b"\n")
    assert sorted(found.split(" of ")[0] for found in search.found) == [
        "a password in cmdline",
        "a password in environ",
    ]
