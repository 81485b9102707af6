"""What the kernel says of a process (Linux): its time on a processor and its memory."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds_on_cpu(pid: int) -> float:
    """In user and kernel mode, since it began."""
    # The name, in brackets, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def megabytes(pid: int, field: str) -> float:
    """A line of its status, such as VmHWM (the most that was resident) or RssAnon (its own now)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(f"{field}:"))
