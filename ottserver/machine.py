"""What this process may have of the machine it runs on."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

_UNLIMITED = 1 << 60
"""Control groups of the first version write a number near 2^63 where there is no limit."""


THREAD_NICE = 10
"""Of threads with work that nobody minds to wait a little longer for."""


def memory_bytes(root: Path = Path("/")) -> int:
    """Memory that the process may use: the machine's, or what its control group, or one above it, is limited to.

    Blocks for some small files below `root` (cgroups(7), versions 1 and 2).
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            base, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = base / path.lstrip("/")
        # Within a container the path may be that of the host, and nothing below the base but the base itself be there.
        for folder in (group, *group.parents):
            if not folder.is_relative_to(base):
                break
            said = _read(folder / name).strip()
            if said.isdecimal() and 0 < int(said) < _UNLIMITED:
                limits.append(int(said))
    return min(limits)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def step_back() -> None:
    """Let the calling thread give way to the others of its process, and to all at usual priority.

    Niceness belongs to threads on Linux (sched(7)); elsewhere this does nothing.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), THREAD_NICE)
