"""A demo that was left running: what is there to try, and how all of it ends."""

import json
import os
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mailhaul.stack.control import down
from mailhaul.stack.installation import Installation
from mailhaul.stack.world import MASTER, World

PREFIX = "mailhaul-demo-"
NOTE = "kept.json"
PATIENCE = 10.0


@dataclass(frozen=True)
class Kept:
    """One demo by its directory."""

    directory: Path

    @property
    def installation(self) -> Installation:
        return Installation(self.directory / "state")

    def note(self, world: World) -> None:
        """Write down what outlives us, so that `stop` finds it."""
        servers = [server.pid for server in (world.source, world.destination, world.smtp)]
        folders = [str(server.run_directory) for server in (world.source, world.destination)]
        (self.directory / NOTE).write_text(json.dumps({"servers": servers, "folders": folders}), encoding="utf-8")

    def stop(self) -> None:
        """End everything and remove its directory."""
        down(self.installation)
        noted = json.loads((self.directory / NOTE).read_text(encoding="utf-8"))
        servers = [pid for pid in noted["servers"] if pid and _is_ours(pid, self.directory)]
        for pid in servers:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and any(_is_ours(pid, self.directory) for pid in servers):
            time.sleep(0.1)
        for folder in noted["folders"]:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)


def kept_demos() -> list[Kept]:
    """Those of this user that still stand."""
    found = Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{NOTE}")
    return [Kept(note.parent) for note in sorted(found) if note.stat().st_uid == os.geteuid()]


def what_to_try(kept: Kept, world: World, code: str) -> str:
    """Commands to paste into the same terminal; `code` names the migration when there is one."""
    commands = ["status", "list"]
    if code:
        commands += [f"show {code}", f"logs {code} sales@example.com", "events tail mailbox-runs -n 1"]
    old, new = world.source.imaps_port, world.destination.imaps_port
    lines = [
        "It is still running. Try, in this terminal:",
        "",
        f"  export MAILHAUL_STATE_DIR={kept.installation.directory}",
        *(f"  .venv/bin/mailhaul {command}" for command in commands),
        "",
        f"  old server  localhost:{old}, IMAP over TLS; passwords in {kept.directory}/old.passwords",
        f"  new server  localhost:{new}, IMAP over TLS; sign in as sales@example.com*{MASTER},",
        f"              password in {kept.directory}/master.password",
        f"  its mails   {kept.directory}/smtp/mails",
        "",
        "Stop it with:  make demo-stop",
    ]
    return "\n".join(lines)


def _is_ours(pid: int, directory: Path) -> bool:
    """Whether this pid, read from a file, is still a server of this demo."""
    try:
        return str(directory).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
