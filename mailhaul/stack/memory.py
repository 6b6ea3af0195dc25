"""How much memory a process costs, counted so that shared pages are counted once over all processes."""

from pathlib import Path


def proportional_memory(pid: int) -> int:
    """PSS of a process in octets; 0 when it is gone or not ours to look at."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
