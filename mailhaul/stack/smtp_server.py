"""The sink's own process, on aiosmtpd: `python -m mailhaul.stack.smtp_server DIRECTORY PORT`."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from mailhaul.stack.ports import LOOPBACK
from mailhaul.stack.smtp import MAILS, MODE, Mode, keep

LARGEST = 100 * 1024 * 1024


class Handler:
    """Keeps or refuses each mail as the mode file says at that moment."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = len(list((directory / MAILS).glob("*.json")))

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._mode() is Mode.REJECT:
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        mode = self._mode()
        if mode in {Mode.ACCEPT, Mode.DROP_ACCEPTED}:
            self._number += 1
            content = envelope.original_content or b""
            keep(self._directory, self._number, envelope.mail_from or "", envelope.rcpt_tos, content)
        if mode in {Mode.DROP, Mode.DROP_ACCEPTED}:
            if isinstance(server.transport, asyncio.WriteTransport):
                server.transport.abort()
            return "421 4.3.0 Never heard"
        if mode is Mode.REFUSE:
            return "451 4.3.0 Try again later"
        return "250 2.0.0 Kept"

    def _mode(self) -> Mode:
        return Mode((self._directory / MODE).read_text(encoding="ascii"))


def protocol_factory(directory: Path) -> Callable[[], SMTP]:
    """One conversation for each connection, all keeping mails in the same directory."""
    handler = Handler(directory)
    return lambda: SMTP(handler, data_size_limit=LARGEST, enable_SMTPUTF8=True, hostname="sink.test", ident="sink")


async def serve(directory: Path, port: int) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(protocol_factory(directory), LOOPBACK, port)
    async with server:
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
