"""Logs are lines of JSON with the service's name, and tracebacks show no variable."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from mailhaul import logs
from mailhaul.settings import Settings


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What a service wrote; the process's own logging is put back afterwards."""
    hook, handlers, level = sys.excepthook, logging.root.handlers[:], logging.root.level
    yield io.StringIO()
    structlog.reset_defaults()
    sys.excepthook = hook
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def written(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(secret: str) -> None:
    raise ValueError(f"{len(secret)} letters")


def test_events_and_libraries_warnings_share_a_form(stream: io.StringIO) -> None:
    logs.configure(Settings(log_format="json"), "copier", stream=stream)
    structlog.get_logger("a").info("folder_copied", mailbox_id="m1")
    structlog.get_logger("a").debug("not_said")
    logging.getLogger("aiokafka.consumer").warning("lost %s", "broker")
    logging.getLogger("aiokafka.consumer").info("not said")
    ours, theirs = written(stream)
    assert (ours["event"], ours["level"], ours["service"], ours["mailbox_id"]) == (
        "folder_copied",
        "info",
        "copier",
        "m1",
    )
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("lost broker", "warning", "aiokafka.consumer")
    assert set(ours) - {"mailbox_id"} == {"event", "level", "service", "timestamp"}


@pytest.mark.parametrize("form", ["json", "console"])
def test_joint_33_a_traceback_shows_no_variable(stream: io.StringIO, form: str) -> None:
    logs.configure(Settings(log_format=form), "copier", stream=stream)
    secret = "-".join(["canary", "secret"])  # the source line itself is part of a traceback
    try:
        fail(secret)
    except ValueError:
        structlog.get_logger("a").exception("copy_failed")
        sys.excepthook(*sys.exc_info())
    text = stream.getvalue()
    assert text.count("13 letters") == 2
    assert "process_died" in text
    assert secret not in text


def test_the_level_is_a_setting(stream: io.StringIO) -> None:
    logs.configure(Settings(log_format="json", log_level="error"), "panel", stream=stream)
    structlog.get_logger("a").warning("not_said")
    structlog.get_logger("a").error("said")
    assert [line["event"] for line in written(stream)] == ["said"]
