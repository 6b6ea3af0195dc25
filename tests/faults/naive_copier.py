"""A copier as many are: append a message, then note that it was copied. The harness must see what a kill does to it."""

import imaplib
import json
import re
import sqlite3
import ssl
import sys
from pathlib import Path
from typing import Any

LEFT_OUT = ("Trash",)


def main(job: dict[str, Any]) -> None:
    """Copy every folder of every mailbox, message by message."""
    ledger = sqlite3.connect(job["ledger"], isolation_level=None)
    ledger.execute("CREATE TABLE IF NOT EXISTS done (mailbox, folder, uid, PRIMARY KEY (mailbox, folder, uid))")
    context = ssl.create_default_context(cafile=job["ca"])
    for source_user, password, destination_user in job["moves"]:
        source = imaplib.IMAP4_SSL("localhost", job["source"], ssl_context=context)
        source.login(source_user, password)
        destination = imaplib.IMAP4_SSL("localhost", job["destination"], ssl_context=context)
        identity = "\0".join([destination_user, *job["master"]]).encode()
        destination.authenticate("PLAIN", lambda _, identity=identity: identity)  # type: ignore[misc]
        for line in source.list()[1]:
            assert isinstance(line, bytes)
            folder = line.decode().rpartition(' "." ')[2].strip('"')
            if folder not in LEFT_OUT and b"\\Noselect" not in line:
                copy(source, destination, ledger, destination_user, folder)


def copy(
    source: imaplib.IMAP4, destination: imaplib.IMAP4, ledger: sqlite3.Connection, mailbox: str, folder: str
) -> None:
    goal = folder.replace(".", "/")
    destination.create(goal)
    destination.subscribe(goal)
    source.select(f'"{folder}"', readonly=True)
    for uid in source.uid("SEARCH", "ALL")[1][0].split():
        if ledger.execute(
            "SELECT 1 FROM done WHERE (mailbox, folder, uid) = (?, ?, ?)", (mailbox, folder, uid)
        ).fetchone():
            continue
        head, body = source.uid("FETCH", uid.decode(), "(FLAGS INTERNALDATE BODY.PEEK[])")[1][0]
        flags = re.search(rb"FLAGS \(([^)]*)\)", head)
        date = re.search(rb'INTERNALDATE ("[^"]*")', head)
        assert flags is not None
        assert date is not None
        kept = " ".join(flag for flag in flags[1].decode().split() if flag != "\\Recent")
        destination.append(f'"{goal}"', f"({kept})", date[1].decode(), body)
        ledger.execute("INSERT INTO done VALUES (?, ?, ?)", (mailbox, folder, uid))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
