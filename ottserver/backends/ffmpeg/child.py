"""What a child process does to itself before it touches foreign bytes."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def confine(*, parent: int, nice: int, memory_bytes: int, cpu_seconds: int | None = None) -> None:
    """End with the parent process, ignore Ctrl-C, write no files, and take no more than the given resources.

    `nice` is added to the priority (0 to 19). `cpu_seconds` limits the whole life of the process.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        # The parent ended before the line above took effect.
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(nice)
    limits = {resource.RLIMIT_AS: memory_bytes, resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}
    if cpu_seconds is not None:
        limits[resource.RLIMIT_CPU] = cpu_seconds
    for limit, value in limits.items():
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard),) * 2)


def take_stdout() -> int:
    """A descriptor of the real standard output; whatever else is printed goes to standard error from now on."""
    sys.stdout.flush()
    protected = os.dup(1)
    os.dup2(2, 1)
    return protected
