"""What a process listens on, as the kernel tells it; no tool need be installed."""

import os
import re
from pathlib import Path

LISTEN = "0A"


def listening(pid: int) -> set[str]:
    """Addresses that a process listens on; IPv4 as `127.0.0.1`, IPv6 as the kernel's hexadecimal digits."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if match := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link)):
            inodes.add(match[1])
    addresses = set()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            # proc(5): sl, local_address, rem_address, st ... inode; an IPv4 address is a little-endian word.
            cells = row.split()
            if cells[3] == LISTEN and cells[9] in inodes:
                addresses.add(_readable(cells[1].partition(":")[0]))
    return addresses


def _readable(digits: str) -> str:
    return ".".join(map(str, reversed(bytes.fromhex(digits)))) if len(digits) == 8 else digits
