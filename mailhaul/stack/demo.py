"""`make demo`: the whole of Mailhaul on real parts, from a CSV to the checker's verdict; 0 only when it is exact."""

import argparse
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from mailhaul.errors import StackFailed
from mailhaul.stack.control import down, status
from mailhaul.stack.corpus import demo_corpus
from mailhaul.stack.demo_kept import PREFIX, Kept, kept_demos, what_to_try
from mailhaul.stack.demo_memory import MemoryWatch
from mailhaul.stack.demo_story import Story
from mailhaul.stack.demo_voice import Voice
from mailhaul.stack.manifest import Manifest
from mailhaul.stack.supervisor import GUARDIAN
from mailhaul.stack.world import World

INTRODUCTION = (
    "Mailboxes move from an old mail server to a new one, in two runs, while mail goes on arriving. Then a program "
    "that shares no code with Mailhaul compares every message. All of it is real and on loopback; about a minute."
)


class Demo:
    """One demo in a directory of its own."""

    def __init__(self, directory: Path, voice: Voice, outer: Mapping[str, str], *, keep: bool) -> None:
        self.kept = Kept(directory)
        self._voice = voice
        self._keep = keep
        self.clean = False  # exact, and nothing died on the way
        self._world = World(directory, master_password=f"canary-{secrets.token_urlsafe(12)}", outlives=keep)
        self._memory = MemoryWatch(self.kept.installation)
        self._story = Story(voice=voice, world=self._world, manifest=Manifest(demo_corpus()), directory=directory)
        voice.directory = directory
        voice.environment = {
            # Settings of another installation of this user are none of ours.
            **{name: value for name, value in outer.items() if not name.startswith("MAILHAUL_")},
            **self._world.environment(),
            "MAILHAUL_STATE_DIR": str(self.kept.installation.directory),
            GUARDIAN: "0" if keep else str(os.getpid()),
        }

    def tell(self) -> bool:
        """Run the story; True when the checker found the move exact."""
        began = time.monotonic()
        self._voice.say(INTRODUCTION)
        story = self._story
        story.servers()
        self._memory.start()
        for chapter in (story.stack, story.submit, story.correct, story.first_run, story.second_run):
            chapter()
        exact = story.judge()
        self._memory.stop()
        restarted = [member.name for member in status(self.kept.installation).members if member.starts > 1]
        took = time.monotonic() - began
        peak = self._memory.peak / 1_000_000
        self._voice.say("")
        self._voice.verdict("every message is where it belongs" if exact else "the move is not exact", good=exact)
        self._voice.say(f"{took:.0f} seconds; the stack's Python processes needed {peak:.0f} MB at most.")
        if restarted:
            self._voice.say(f"The supervisor had to start again: {', '.join(restarted)}.")
        self.clean = exact and not restarted
        return exact

    def end(self, *, forget: bool) -> None:
        """Leave it running when that was asked for, else end all of it; the logs stay when something was not clean."""
        if self._keep:
            self.kept.note(self._world)
            self._voice.paste("\n" + what_to_try(self.kept, self._world, self._story.code))
            return
        down(self.kept.installation)
        self._world.close()
        if forget or self.clean:
            shutil.rmtree(self.kept.directory, ignore_errors=True)
        else:
            self._voice.say(f"What happened stands in {self.kept.installation.directory / 'logs'}")


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Tell the story; 0 exact, 1 not exact or failed, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave it running and say what to try")
    parser.add_argument("--stop", action="store_true", help="end every demo that was left running")
    asked = parser.parse_args(arguments)
    voice = Voice(Console(highlight=False))
    if asked.stop:
        return _stop(voice)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    demo = Demo(directory, voice, environment, keep=asked.keep)
    forget = False
    try:
        return 0 if demo.tell() else 1
    except StackFailed as failure:
        voice.verdict(failure.text, good=False)
        return 1
    except KeyboardInterrupt:
        voice.say("\nStopping everything.")
        forget = True
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        demo.end(forget=forget)


def _stop(voice: Voice) -> int:
    demos = kept_demos()
    for kept in demos:
        kept.stop()
    voice.say(f"{len(demos)} stopped." if demos else "No demo was left running.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
