"""`python -m services.copier.local`: the same engine as a command (joint 36)."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailhaul.errors import RequestInvalid
from services.copier.local.arguments import octets, place
from services.copier.local.jobs import account
from tests.fixtures_copier import MASTER, MASTER_PASSWORD, PASSWORD, Rig, Servers, letter

ON_SQLITE = pytest.mark.parametrize("schema_url", ["sqlite"], indirect=True)
Copy = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def copy(mail_servers: Servers, tmp_path: Path) -> Copy:
    """Start the command with these words; its ledger lies below `tmp_path`."""

    def start(*words: str, **environment: str) -> subprocess.Popen[str]:
        common = ["--state", str(tmp_path / "state"), "--ca-file", str(mail_servers.ca_file), "-o", "json"]
        command = [sys.executable, "-m", "services.copier.local", *words, *common, "--allow-network", "127.0.0.0/8"]
        passwords = {"MAILHAUL_FROM_PASSWORD": PASSWORD, "MAILHAUL_TO_PASSWORD": PASSWORD}
        return subprocess.Popen(
            command,
            env={**os.environ, **passwords, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def ended(process: subprocess.Popen[str], code: int = 0) -> dict[str, Any]:
    out, err = process.communicate(timeout=90)
    assert process.returncode == code, (process.returncode, out, err)
    assert PASSWORD not in out + err
    return dict(json.loads(out)) if out else {"error": err}


def urls(rig: Rig, servers: Servers) -> list[str]:
    there = rig.user.replace(".org", ".com")
    return [
        "--from",
        f"imaps://{rig.user}@localhost:{servers.old.imaps_port}",
        "--to",
        f"imaps://{there.replace('@', '%40')}@localhost:{servers.new.imaps_port}",
    ]


@ON_SQLITE
@pytest.mark.joint(36)
def test_joint_36_a_mailbox_is_moved_without_a_broker_and_again_after_a_kill(
    rig: Rig, mail_servers: Servers, copy: Copy
) -> None:
    rig.source.append("INBOX", *(letter(f"m{n}", 20_000) for n in range(250)), flags="\\Seen")
    words = urls(rig, mail_servers)
    killed = copy(*words)
    deadline = time.monotonic() + 60
    while not rig.target.messages() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    report = ended(copy(*words))
    assert rig.same()
    mailbox = report["mailboxes"][0]
    assert (mailbox["state"], mailbox["grade"], mailbox["copied"], mailbox["left"]) == ("done", "exact", 250, 0)
    assert mailbox["folders"][0]["source"] == "INBOX"
    settled = ended(copy(*words, "--settle", "--settle-after", "0"))
    assert settled["mailboxes"][0]["state"] == "settled"
    assert rig.same()


@ON_SQLITE
def test_a_csv_moves_several_at_once_with_the_platform_s_master_user(
    make_rig: Callable[..., Rig], mail_servers: Servers, copy: Copy, tmp_path: Path
) -> None:
    rigs = [make_rig() for _ in range(3)]
    for rig in rigs:
        rig.source.append("INBOX", letter(rig.user))
    file = tmp_path / "rows.csv"
    host = f"localhost:{mail_servers.old.imaps_port}"
    file.write_text("".join(f"{rig.user.replace('.org', '.com')};{host};{rig.user};{PASSWORD}\n" for rig in rigs))
    target = f"imaps://localhost:{mail_servers.new.imaps_port}"
    words = ["--csv", str(file), "--at-once", "2", "--to", target, "--to-master", MASTER]
    report = ended(copy(*words, MAILHAUL_TO_PASSWORD=MASTER_PASSWORD))
    assert [each["copied"] for each in report["mailboxes"]] == [1, 1, 1]
    assert all(rig.same() for rig in rigs)


@ON_SQLITE
def test_a_wrong_password_ends_with_1_and_says_whose(rig: Rig, mail_servers: Servers, copy: Copy) -> None:
    report = ended(copy(*urls(rig, mail_servers), MAILHAUL_FROM_PASSWORD="wrong"), 1)
    error = report["mailboxes"][0]["error"]
    assert (error["side"], error["code"]) == ("source", "sign_in_refused")


def test_a_url_with_a_password_is_refused(copy: Copy) -> None:
    refused = ended(copy("--from", "imaps://a:secret@example.com", "--to", "imaps://b@example.com"), 2)
    assert "password never stands in a URL" in refused["error"]
    assert "secret" not in refused["error"]


@pytest.mark.parametrize(
    ("text", "user", "host", "port", "tls"),
    [
        ("imaps://ann@mail.example.com", "ann", "mail.example.com", 993, "implicit"),
        ("imaps://ann%40example.com@mail.example.com:1993", "ann@example.com", "mail.example.com", 1993, "implicit"),
        ("imaps://ann@example.com@mail.example.com", "ann@example.com", "mail.example.com", 993, "implicit"),
        ("imap://ann@192.0.2.1", "ann", "192.0.2.1", 143, "starttls"),
        ("imap+plaintext://ann@[2001:db8::1]:143", "ann", "2001:db8::1", 143, "none"),
    ],
)
def test_urls_name_mailboxes(text: str, user: str, host: str, port: int, tls: str) -> None:
    found = place(text)
    assert (found.user, found.endpoint.host, found.endpoint.port, found.endpoint.tls) == (user, host, port, tls)


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com",
        "https://ann@example.com",
        "imaps://ann@",
        "imaps://ann@example.com/INBOX",
        "imaps://a@h:99999",
    ],
)
def test_what_is_no_mailbox_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalid):
        place(text)


def test_an_account_is_the_same_with_and_without_tls() -> None:
    secure, plain = place("imaps://ann@MAIL.example.com"), place("imap://ann@mail.example.com.")
    assert account(secure.user, secure.endpoint) == account(plain.user, plain.endpoint)


def test_sizes_are_written_with_letters() -> None:
    assert [octets(text) for text in ("10", "2K", "50M", "1g", "50MB")] == [10, 2048, 50 << 20, 1 << 30, 50 << 20]
