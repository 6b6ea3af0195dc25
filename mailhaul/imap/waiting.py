"""The commands that wait for their answers, and which of them data may be offered to."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mailhaul.imap.answers import Answer
from mailhaul.imap.reader import Part, Sink

OnUntagged = Callable[[list[Part]], bool | None]
"""Takes the parts of a whole untagged response; True claims it."""
OnLiteral = Callable[[list[Part], int], Sink | None]
"""Takes the parts before a literal and its size; a sink claims it, None leaves it to others or to memory."""
OnDone = Callable[[Answer], Any]
"""Takes the tagged answer, OK or not, in the step that parses it."""
OnContinue = Callable[[bytes], bool | None]
"""Takes the text behind `+`; True when another `+` may follow before the tag."""


@dataclass(slots=True, eq=False)
class Command:
    """A command that is not answered yet; `scope` counts the barriers before it."""

    name: bytes
    future: asyncio.Future[Answer]
    scope: int
    barrier: bool
    on_untagged: OnUntagged | None
    on_literal: OnLiteral | None
    on_done: OnDone | None


class WaitingCommands:
    """Commands by tag, in the order they were sent.

    Data are offered oldest first to those of the present scope, and belong to the first that claims them: servers send
    data of later FETCHes before they tag the first one, so a claim rests on what was asked for, never on order. Behind
    a barrier, a command that changes the selected folder, nothing is offered before its tag.
    """

    def __init__(self) -> None:
        self._commands: dict[bytes, Command] = {}
        self._listening: dict[int, list[Command]] = {}
        self._scope = self._last_scope = 0

    def __bool__(self) -> bool:
        return bool(self._commands)

    def add(
        self,
        tag: bytes,
        name: bytes,
        future: asyncio.Future[Answer],
        barrier: bool,
        on_untagged: OnUntagged | None,
        on_literal: OnLiteral | None,
        on_done: OnDone | None,
    ) -> None:
        command = Command(name, future, self._last_scope, barrier, on_untagged, on_literal, on_done)
        self._commands[tag] = command
        if on_untagged or on_literal:
            self._listening.setdefault(command.scope, []).append(command)
        self._last_scope += barrier

    def listening(self) -> Sequence[Command]:
        """Those that data may be offered to now."""
        return self._listening.get(self._scope, ())

    def answered(self, tag: bytes) -> Command | None:
        """The command of a tag, which waits no longer; its own barrier is behind it."""
        command = self._commands.pop(tag, None)
        if command is None:
            return None
        if (listening := self._listening.get(command.scope)) and command in listening:
            listening.remove(command)
        if command.barrier:
            self._listening.pop(self._scope, None)
            self._scope = command.scope + 1
        return command

    def clear(self) -> list[Command]:
        """All that waited; nobody waits any more."""
        commands = list(self._commands.values())
        self._commands.clear()
        self._listening.clear()
        return commands
