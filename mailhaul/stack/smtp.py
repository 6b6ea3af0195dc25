"""A real SMTP server that keeps every accepted mail as a file, and misbehaves when told to.

It runs as a process of its own (`mailhaul/stack/smtp_server.py`), so that it can be killed like one.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mailhaul.stack.child import Child
from mailhaul.stack.ports import LOOPBACK, answers, free_ports

MAILS = "mails"
MODE = "mode"


class Mode(StrEnum):
    """What the sink does with the next mails."""

    ACCEPT = "accept"
    REFUSE = "refuse"  # 451 after DATA, nothing kept
    REJECT = "reject"  # 550 for every recipient
    DROP = "drop"  # the connection ends after DATA, nothing kept
    DROP_ACCEPTED = "drop_accepted"  # the mail is kept, then the connection ends without an answer


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """One accepted mail: the envelope and the octets as they came over DATA."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


class SMTPSink:
    """The sink as its user sees it; `port` stays the same over stops and starts."""

    def __init__(self, directory: Path, *, port: int = 0, outlives: bool = False) -> None:
        self.directory = directory
        self.host = LOOPBACK
        self.port = port or free_ports(1)[0]
        self.log = directory / "smtp.log"
        self._outlives = outlives
        self._child: Child | None = None
        (directory / MAILS).mkdir(parents=True, exist_ok=True)
        self.behave(Mode.ACCEPT)

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child and self._child.alive else None

    def start(self, *, timeout: float = 20.0) -> None:
        if self.alive:
            return
        command = [sys.executable, "-m", "mailhaul.stack.smtp_server", str(self.directory), str(self.port)]
        self._child = Child("the SMTP sink", command, self.log, outlives=self._outlives)
        self._child.wait_until(lambda: answers(self.port, greeting=b"220"), timeout=timeout)

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def behave(self, mode: Mode) -> None:
        """From the next mail on, do this."""
        new = self.directory / f"{MODE}.new"
        new.write_text(mode, encoding="ascii")
        new.replace(self.directory / MODE)

    def mails(self) -> list[Accepted]:
        """Every accepted mail, in order."""
        return [_read(path) for path in sorted((self.directory / MAILS).glob("*.json"))]

    def clear(self) -> None:
        """Forget what was accepted."""
        for path in (self.directory / MAILS).iterdir():
            path.unlink()


def _read(envelope: Path) -> Accepted:
    written = json.loads(envelope.read_text(encoding="utf-8"))
    return Accepted(
        sender=written["sender"],
        recipients=tuple(written["recipients"]),
        content=envelope.with_suffix(".eml").read_bytes(),
    )


def keep(directory: Path, number: int, sender: str, recipients: Sequence[str], content: bytes) -> None:
    """Write one mail; it counts once its envelope is there."""
    path = directory / MAILS / f"{number:06d}.eml"
    path.write_bytes(content)
    envelope = path.with_suffix(".new")
    envelope.write_text(json.dumps({"sender": sender, "recipients": list(recipients)}), encoding="utf-8")
    envelope.replace(path.with_suffix(".json"))
