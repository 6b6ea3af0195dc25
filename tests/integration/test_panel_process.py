"""The panel as a real process behind a real socket: guard, health, registry, keys, and the absence of a broker."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from mailhaul.errors import MailhaulError
from mailhaul.kafka import schemas
from mailhaul.settings import PanelSettings
from services.panel.guard import BODY_LIMIT, check_binding
from tests.fixtures_panel import CSV
from tests.fixtures_panel_process import PanelProcess
from tests.sockets import listening


def call(
    panel: PanelProcess, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", panel.port, timeout=10)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {panel.token}", **headers})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def read(panel: PanelProcess, path: str) -> Any:
    status, _, body = call(panel, "GET", path)
    assert status == 200, body
    return json.loads(body)


@pytest.mark.joint(37)
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.2", "", "localhost.evil.example:80"]
)
def test_joint_37_another_host_header_is_refused(panel_process: PanelProcess, host: str) -> None:
    status, headers, body = call(panel_process, "GET", "/api/v1/limits", Host=host)
    assert status in (400, 403)  # an empty Host is the HTTP parser's own refusal
    if status == 403:
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["code"] == "wrong_host"


@pytest.mark.joint(37)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
def test_joint_37_another_origin_is_refused(panel_process: PanelProcess, origin: str) -> None:
    assert call(panel_process, "GET", "/api/v1/limits", Origin=origin)[0] == 403
    assert call(panel_process, "POST", "/api/v1/migrations/M-22222/pause", Origin=origin)[0] == 403


@pytest.mark.joint(37)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8025", "[::1]:8025", "LOCALHOST:1"])
def test_joint_37_loopback_names_are_its_own(panel_process: PanelProcess, host: str) -> None:
    assert call(panel_process, "GET", "/api/v1/limits", Host=host, Origin="http://localhost:8025")[0] == 200


@pytest.mark.joint(37)
@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.7", "::", "panel.example.com"])
def test_joint_37_another_address_needs_tls(address: str, tmp_path: Path) -> None:
    with pytest.raises(MailhaulError) as refused:
        check_binding(PanelSettings(host=address))
    assert refused.value.code == "tls_needed"
    check_binding(PanelSettings(host=address, tls_cert=tmp_path / "cert", tls_key=tmp_path / "key"))
    for mine in ("127.0.0.1", "localhost", "::1"):
        check_binding(PanelSettings(host=mine))


def test_it_listens_on_loopback_alone(panel_process: PanelProcess) -> None:
    assert listening(panel_process.process.pid) == {"127.0.0.1"}


def test_a_body_too_large_is_refused_whether_it_says_its_size_or_not(panel_process: PanelProcess) -> None:
    status, _, body = call(panel_process, "POST", "/api/v1/migrations", b"x" * 10, **{"Content-Length": "99999999"})
    assert (status, json.loads(body)["code"]) == (413, "body_too_large")
    with socket.create_connection(("127.0.0.1", panel_process.port), timeout=10) as connection:
        head = (
            f"POST /api/v1/migrations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {panel_process.token}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head.encode())
        sent = 0
        try:
            while sent <= 2 * BODY_LIMIT:
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
        except OSError:
            pass  # the panel hung up: that is the point
        connection.settimeout(5)
        try:
            answer = connection.recv(100)
        except OSError:
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 2")


def test_a_token_is_needed_and_stands_in_a_file_of_its_owner(panel_process: PanelProcess) -> None:
    for wrong in ("", "Bearer", "Bearer mhl_wrong", f"Basic {panel_process.token}"):
        status, headers, body = call(panel_process, "GET", "/api/v1/migrations", Authorization=wrong)
        assert (status, headers["www-authenticate"]) == (401, "Bearer"), wrong
        assert json.loads(body)["code"] == "sign_in_needed"
    file = panel_process.here.token_file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert panel_process.token.encode() not in (panel_process.here.directory / "mailhaul.sqlite3").read_bytes()


@pytest.mark.joint(6)
def test_joint_06_without_any_broker_uploads_are_taken(panel_process: PanelProcess) -> None:
    body = json.dumps({"type": "standard-ssl", "csv": CSV, "name": "no broker"}).encode()
    status, headers, _ = call(panel_process, "POST", "/api/v1/migrations", body, **{"Content-Type": "application/json"})
    assert status == 202
    assert read(panel_process, headers["location"])["status"]["state"] == "validating"
    ready = read(panel_process, "/readyz")
    assert ready["database"] == "ok"
    assert ready["unpublished"] >= 3
    assert b"mailhaul_panel_unpublished_events" in call(panel_process, "GET", "/metrics")[2]
    assert call(panel_process, "GET", "/livez")[2] == b"ok\n"
    assert b"/api/v1" in call(panel_process, "GET", "/")[2]
    assert "canary" not in panel_process.here.log("panel").read_text()


def test_the_registrys_read_half_decodes_our_records(panel_process: PanelProcess) -> None:
    subjects = read(panel_process, "/subjects")
    assert "mailhaul.rows-org.mailhaul.RowSubmitted" in subjects
    for subject in subjects[:3]:
        latest = read(panel_process, f"/subjects/{subject}/versions/latest")
        assert latest["version"] in read(panel_process, f"/subjects/{subject}/versions")
        assert read(panel_process, f"/schemas/ids/{latest['id']}") == {"schema": latest["schema"]}
        assert {"subject": subject, "version": latest["version"]} in read(
            panel_process, f"/schemas/ids/{latest['id']}/versions"
        )
    current = schemas.shipped().current("RowSubmitted")
    wire = json.loads(read(panel_process, f"/schemas/ids/{current.schema_id}")["schema"])
    assert wire["name"] == "RowSubmitted"
    for missing in ("/schemas/ids/99999", "/subjects/none/versions", f"/subjects/{subjects[0]}/versions/99"):
        status, headers, body = call(panel_process, "GET", missing)
        assert status == 404
        assert headers["content-type"].startswith("application/vnd.schemaregistry")
        assert json.loads(body)["error_code"] in (40401, 40402, 40403)


def test_the_description_of_the_api_is_whole(panel_process: PanelProcess) -> None:
    described = read(panel_process, "/api/v1/openapi.json")
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert {"submitMigration", "listMigrations", "correctRow", "changes"} <= set(names)
    assert all(operation.get("description") for operation in operations)


def test_errors_are_problems_and_never_echo(panel_process: PanelProcess) -> None:
    json_ = {"Content-Type": "application/json"}
    for path, body in (
        ("/api/v1/nowhere", b"{}"),
        ("/api/v1/migrations", b'{"csv": "canary'),
        ("/api/v1/migrations", b'{"csv": 5, "type": "canary-type"}'),
        ("/api/v1/migrations", b'["canary"]'),
    ):
        status, headers, answer = call(panel_process, "POST", path, body, **json_)
        assert status in (404, 422), path
        assert headers["content-type"] == "application/problem+json"
        assert b"canary" not in answer
    assert call(panel_process, "PUT", "/api/v1/migrations", b"{}", **json_)[0] == 405


def test_it_ends_at_sigterm_even_with_an_open_stream_and_no_broker(tmp_path: Path, panel_process: PanelProcess) -> None:
    environment = {
        **os.environ,
        "MAILHAUL_STATE_DIR": str(panel_process.here.directory),
        "MAILHAUL_PANEL__PORT": "0",
        "MAILHAUL_KAFKA__BOOTSTRAP": "127.0.0.1:9",
        "PYTHONUNBUFFERED": "1",
    }
    second = subprocess.Popen(
        [sys.executable, "-m", "services.panel"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert second.stdout is not None
    port = 0
    for line in second.stdout:
        if b"panel_listening" in line:
            port = json.loads(line)["port"]
            break
    with socket.create_connection(("127.0.0.1", port), timeout=10) as stream:
        head = f"GET /api/v1/changes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {panel_process.token}\r\n\r\n"
        stream.sendall(head.encode())
        received = b""
        while b"event: hello" not in received:
            received += stream.recv(4096)
        second.send_signal(signal.SIGTERM)
        assert second.wait(15) == 0
    second.stdout.close()
