"""Free ports on loopback that stay free for us across a restart."""

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST = 10_240
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int, *, rng: random.Random | None = None) -> list[int]:
    """`count` ports that nobody listens on now, below the range that the kernel gives to outgoing connections.

    In that range a client that keeps trying to reach a stopped server can be given the server's own port and connect to
    itself; the server could then never bind again.
    """
    chance = rng or random.SystemRandom()
    highest = _first_ephemeral() - 1
    ports: list[int] = []
    while len(ports) < count:
        port = chance.randint(LOWEST, highest)
        if port not in ports and is_free(port):
            ports.append(port)
    return ports


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(port: int, address: str = LOOPBACK, *, greeting: bytes = b"", timeout: float = 1.0) -> bool:
    """Whether a server on loopback accepts a connection and, when asked for, begins with this greeting."""
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection:
            return not greeting or connection.recv(256).startswith(greeting)
    except OSError:
        return False


def _first_ephemeral() -> int:
    try:
        return int(EPHEMERAL.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768
