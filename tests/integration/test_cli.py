"""The command line against a panel in a process of its own: words, JSON, exit codes, secrets."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mailhaul import events
from mailhaul.cli.main import main
from mailhaul.events import Event, MigrationSubmitted, Request
from mailhaul.ids import CustomerId, FolderId, MigrationId, derive, mailbox_id, run_id
from mailhaul.states import Change, CheckState, Grade, MigrationState, Scope
from tests import stories
from tests.fixtures_panel import CSV
from tests.fixtures_panel_process import NOBODY, PanelProcess

ANNA, BRUNO = mailbox_id("anna@example.com"), mailbox_id("bruno@example.com")
FOLDER = FolderId(derive("folder", "inbox"))


@dataclass(slots=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(slots=True)
class Terminal:
    """Runs `mailhaul` in this process, with the environment of a user of that panel."""

    panel: PanelProcess
    capture: pytest.CaptureFixture[str]
    directory: Path

    def run(self, *words: str) -> Said:
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--patience", "0", *words])
        out, err = self.capture.readouterr()
        return Said(int(ended.value.code or 0), out, err)

    def file(self, content: str, name: str = "accounts.csv") -> str:
        path = self.directory / name
        path.write_text(content, encoding="utf-8")
        return str(path)

    def submit(self, name: str, *words: str) -> tuple[str, MigrationId, list[Event]]:
        """Upload the two rows; the code, the migration and its events."""
        said = self.run("submit", self.file(CSV), "--name", name, *words)
        assert said.code == 0, said.err
        told = self.panel.publish()
        (submitted,) = [event for event in told if isinstance(event, MigrationSubmitted)]
        self.panel.project(told)
        return said.out.strip(), submitted.migration_id, told


@pytest.fixture
def terminal(
    panel_process: PanelProcess,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Terminal:
    for name in [name for name in os.environ if name.startswith("MAILHAUL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MAILHAUL_STATE_DIR", str(panel_process.here.directory))
    monkeypatch.setenv("MAILHAUL_PANEL__URL", panel_process.url)
    monkeypatch.setenv("MAILHAUL_KAFKA__BOOTSTRAP", NOBODY)
    monkeypatch.setenv("TZ", "Europe/Rome")
    return Terminal(panel_process, capsys, tmp_path)


def fact(
    migration: MigrationId, kind: type[events.MigrationFact], state: MigrationState, seq: int, **more: Any
) -> Event:
    common: dict[str, Any] = {
        "migration_id": migration,
        "customer_id": CustomerId("local"),
        "state": state,
        "state_seq": seq,
    }
    return kind(event_id=derive("fact", migration, seq), at=stories.START, **common, **more)


def checked(migration: MigrationId, line: int, version: int, state: CheckState) -> Event:
    box = ANNA if line == 1 else BRUNO
    verdict = stories.verdict(migration, line, box, version, Random(1), stories.START)
    if state is CheckState.PASSED:
        return replace(verdict, state=state, side="", code="", messages=40)
    return replace(verdict, state=state, side="source", code="sign_in_refused")


@pytest.mark.joint(36)
def test_joint_36_a_whole_story_goes_through_the_panels_api(terminal: Terminal) -> None:
    code, migration, _ = terminal.submit("story", "--first", "asap", "--second", "6h", "--recipient", "a@example.com")
    assert terminal.run("wait", code, "--for", "valid", "--timeout", "0s").code == 6
    terminal.panel.project(
        [
            checked(migration, 1, 1, CheckState.PASSED),
            checked(migration, 2, 1, CheckState.FAILED),
            fact(migration, events.MigrationRejected, MigrationState.INVALID, 1, code="rows_failed", failed_rows=1),
        ]
    )
    invalid = terminal.run("wait", code, "--for", "valid", "--timeout", "20")
    assert (invalid.code, invalid.out) == (3, "")
    assert f"Next: mailhaul mailboxes {code} --state failed" in invalid.err
    boxes = terminal.run("mailboxes", code)
    assert "bruno@example.com" in boxes.out
    assert "Line 2: migration test failed. Source: " in boxes.err
    assert f"Next: mailhaul fix {code} --line 2" in boxes.err
    assert [
        b["line"] for b in terminal.run("mailboxes", code, "--state", "failed", "-o", "json").json["mailboxes"]
    ] == [2]

    fixed = terminal.run("fix", code, "--line", "2", "--password-file", terminal.file("canary-new\n", "secret"))
    assert fixed.code == 0, fixed.err
    (asked,) = [event for event in terminal.panel.publish() if isinstance(event, Request)]
    assert isinstance(asked, events.CorrectRowRequested)
    terminal.panel.project(
        [
            asked,
            stories.row(migration, 2, BRUNO, 2, stories.START),
            checked(migration, 2, 2, CheckState.PASSED),
            fact(migration, events.MigrationAccepted, MigrationState.VALID, 2, first_at=stories.START, second_at=None),
        ]
    )
    assert terminal.run("wait", code, "--for", "valid").code == 0
    terminal.panel.project(run_one(migration))
    assert terminal.run("wait", code, "--for", "run1", "--timeout", "5").code == 0
    assert terminal.run("wait", code, "--timeout", "5").code == 0
    watched = terminal.run("watch", code, "--exit-status")
    assert (watched.code, watched.out.count("\n")) == (0, 1)
    assert watched.out.startswith(f"{code}  ✓ Done")
    shown = terminal.run("show", code)
    assert "Grade" in shown.out
    assert terminal.run("show", code, "-o", "json").json["account"]["found"] > 0
    log = terminal.run("logs", code, "anna@example.com", "--run", "1")
    assert "Run 1: started" in log.out
    written = terminal.directory / "log.jsonl"
    assert terminal.run("logs", code, "-o", "json", "--file", str(written)).code == 0
    assert len(written.read_text().splitlines()) > 8
    assert "canary" not in written.read_text() + log.out + shown.out + fixed.err


def run_one(migration: MigrationId) -> list[Event]:
    rng, at = Random(3), stories.START
    run = {"run_id": run_id(migration, 1), "run_no": 1}
    told: list[Event] = [fact(migration, events.RunStarted, MigrationState.RUNNING, 3, mailboxes=2, **run)]
    for box in (ANNA, BRUNO):
        finished = stories.changed(migration, 1, 0, 1, box, Scope.BULK, Change.FINISHED, rng, at)
        told += [
            stories.planned(migration, 1, box, FOLDER, at),
            stories.triggered(migration, 1, 0, box, Scope.BULK, 0, at),
            stories.changed(migration, 1, 0, 1, box, Scope.BULK, Change.STARTED, rng, at),
            stories.progressed(migration, 1, 0, 1, 1, box, FOLDER, rng, at),
            replace(finished, code="", grade=Grade.EXACT),
        ]
    ended = fact(migration, events.MigrationFinished, MigrationState.DONE, 4, grade=Grade.EXACT, purge_at=stories.START)
    return [*told, replace(stories.run_finished(migration, 1, 0, 2, at), last=True), ended]


def test_requests_become_events_and_refusals_exit_codes(terminal: Terminal) -> None:
    code, migration, _ = terminal.submit("requests")
    for words, kind in (
        (("start", code), events.RunRequested),
        (("reschedule", code, "--first", "asap", "--second", "none"), events.RescheduleRequested),
        (("pause", code.lower()), events.PauseRequested),
        (("resume", code), events.ResumeRequested),
        (("retry", code, "--mailbox", "anna@example.com"), events.RetryRequested),
        (("recheck", code, "--line", "1"), events.RecheckRequested),
        (("fix", code, "--line", "2", "--leave-out"), events.LeaveOutRowRequested),
        (("cancel", code, "--yes"), events.CancelRequested),
        (("delete", code, "--yes"), events.DeleteRequested),
    ):
        said = terminal.run(*words)
        assert said.code == 0, said.err
        assert said.out == ""  # words go to stderr
        asked = [event for event in terminal.panel.publish() if isinstance(event, Request)]
        assert [type(event) for event in asked] == [kind]
        assert asked[0].migration_id == migration


def test_a_refusal_is_told_with_its_reason(terminal: Terminal) -> None:
    code, migration, _ = terminal.submit("refused")
    asking = subprocess.Popen(
        [sys.executable, "-m", "mailhaul.cli", "--patience", "60", "pause", code],
        stderr=subprocess.PIPE,
        text=True,
    )
    asked: list[Event] = []
    while not asked and asking.poll() is None:
        asked = terminal.panel.publish()
    refusal = fact(
        migration,
        events.RequestRefused,
        MigrationState.VALIDATING,
        1,
        request_id=asked[0].event_id,
        request="PauseRequested",
        code="not_running",
    )
    terminal.panel.project([*asked, refusal])
    _, err = asking.communicate(timeout=60)
    assert asking.returncode == 7
    assert "refused: The migration is not running." in err


def test_a_faulty_file_exits_with_3_and_names_its_lines(terminal: Terminal) -> None:
    said = terminal.run("submit", terminal.file("anna@example.com;imap.example.org;anna\nbad;x.example;b;canary\n"))
    assert said.code == 3
    assert "Line 1: The line has 3 fields; 4 are needed." in said.err
    assert "Line 2, destination:" in said.err
    assert "canary" not in said.err + said.out
    again = terminal.run("submit", terminal.file("x;y\n"), "-o", "json")
    assert (again.code, again.json["errors"][0]["code"]) == (3, "csv_field_count")


def test_wrong_use_and_absent_things(terminal: Terminal) -> None:
    code, _, _ = terminal.submit("absent")
    for words, status, told in (
        (("show", "M-NOSUCH"), 1, "There is no such thing here."),
        (("submit", "missing.csv"), 2, "missing.csv"),
        (("submit", terminal.file(CSV), "--type", "gmail"), 1, "not well formed"),
        (("fix", code, "--line", "1"), 2, "the new password is needed"),
        (("fix", code, "--line", "9", "--leave-out"), 1, ""),
        (("delete", code), 2, "Give --yes"),
        (("reschedule", code), 2, "--first"),
        (("wait", code, "--timeout", "soon"), 2, "time-out"),
        (("run", "nothing"), 2, "there is no service"),
        (("template", "nothing"), 2, "there is no kind"),
        (("nothing",), 2, "No such command"),
    ):
        said = terminal.run(*words)
        assert said.code == status, (words, said)
        assert told in said.err, (words, said.err)


def test_authentication_and_absence_have_their_codes(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = tmp_path / "token"
    wrong.write_text("mhl_wrong\n")
    assert terminal.run("--token-file", str(wrong), "list").code == 4
    missing = terminal.run("--token-file", str(tmp_path / "none"), "list")
    assert (missing.code, "mailhaul up" in missing.err) == (4, True)
    nobody = terminal.run("--url", "http://127.0.0.1:9", "list")
    assert (nobody.code, "mailhaul up" in nobody.err) == (1, True)
    monkeypatch.delenv("MAILHAUL_PANEL__URL")
    assert terminal.run("status").code == 1
    assert "nothing" in terminal.run("down").err.lower()


def test_lists_domains_and_templates(terminal: Terminal) -> None:
    code, _, _ = terminal.submit("listed")
    assert code in terminal.run("list").out
    assert terminal.run("list", "-o", "json", "--limit", "1").json["migrations"][0]["code"] == code
    assert terminal.run("domains", "grant", "Example.COM").code == 0
    assert {"domain": "example.com", "customer": "local"} in terminal.run("domains", "list", "-o", "json").json
    assert terminal.run("domains", "revoke", "example.com").code == 0
    assert terminal.run("domains", "revoke", "example.com").code == 1
    assert terminal.run("domains", "grant", "nonsense").code == 1
    made = terminal.run("template", "master-user")
    assert made.out.startswith("destination;host;source_user;password;master_user")
    assert "Regole" in terminal.run("--language", "it", "template", "--readme").out
    assert code in terminal.run("failures", code).out + code


def test_a_password_comes_from_the_environment_but_never_from_an_argument(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, _ = terminal.submit("environment")
    monkeypatch.setenv("MAILHAUL_PASSWORD", "canary-env")
    assert terminal.run("fix", code, "--line", "1").code == 0
    (asked,) = [event for event in terminal.panel.publish() if isinstance(event, Request)]
    assert "canary" not in repr(asked)
    assert terminal.run("fix", code, "--line", "1", "--password", "canary-arg").code == 2


def test_a_broker_that_is_not_there_is_said(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILHAUL_KAFKA__BOOTSTRAP", "")
    said = terminal.run("topics", "check")
    assert (said.code, "no broker is known" in said.err) == (1, True)
    assert terminal.run("topics", "export").json[0]["partitions"] > 0
    assert "give --execute" in terminal.run("rebuild", "projection").err.lower()


def test_help_is_quick_and_names_the_exit_codes() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mailhaul.cli", "--help"], capture_output=True, text=True, check=True
    )
    assert "75 run again" in done.stdout
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    heavy = {"sqlalchemy", "pydantic", "httpx2", "aiokafka", "fastapi", "cryptography", "rich.table"}
    assert not loaded & heavy
