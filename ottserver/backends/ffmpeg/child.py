"""What a child process does to itself before it touches foreign bytes."""

from __future__ import annotations

import ctypes
import math
import os
import platform
import resource
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_SYS_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_IOPRIO_IDLE = 3 << 13
LOWEST = 19
"""The niceness at which a child runs only where nobody else wants the processor or the disk."""
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def confine(
    *, parent: int, nice: int, memory_bytes: int, cpu_seconds: int | None = None, devices: bool = False
) -> None:
    """End with the parent process, ignore Ctrl-C, write no files, and take no more than the given resources.

    `nice` is added to the priority (0 to 19); at `LOWEST` the process is scheduled as idle. `cpu_seconds` limits the
    whole life of the process. With `devices`, address space that is only reserved does not count: drivers of hardware
    encoders reserve that of all their memory and the machine's.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        # The parent ended before the line above took effect.
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(nice)
    if nice >= LOWEST:
        _yield_to_everybody(libc)
    limits = {_memory_limit(devices=devices): memory_bytes, resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}
    if cpu_seconds is not None:
        limits[resource.RLIMIT_CPU] = cpu_seconds
    for limit, value in limits.items():
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard),) * 2)


def allow(*, cpu_seconds: float, memory_bytes: int, devices: bool = False) -> None:
    """From here on take at most so much more processor time, over all threads, and so much address space in all.

    Whoever takes more time is ended by the system (SIGXCPU); whoever asks for more memory is refused it. `devices` as
    it was given to `confine`.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    limits = {
        resource.RLIMIT_CPU: math.ceil(used.ru_utime + used.ru_stime + cpu_seconds),
        _memory_limit(devices=devices): memory_bytes,
    }
    for limit, value in limits.items():
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _memory_limit(*, devices: bool) -> int:
    return resource.RLIMIT_DATA if devices else resource.RLIMIT_AS


def _yield_to_everybody(libc: ctypes.CDLL) -> None:
    """Idle scheduling for processor (sched(7)) and disk (ioprio_set(2)); where that is refused, niceness is enough."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    number = _SYS_IOPRIO_SET.get(platform.machine())
    if number is not None:
        libc.syscall(number, 1, 0, _IOPRIO_IDLE)


def keep_memory(most_bytes: int) -> None:
    """Let the allocator keep up to `most_bytes` that are free instead of giving every picture back to the system.

    Frames of some megabytes are otherwise mapped, zeroed page by page and unmapped for each picture: 7 % of the time of
    a ladder. Does nothing where the C library is not glibc (mallopt(3)).
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 25)
        libc.mallopt(_M_TRIM_THRESHOLD, most_bytes)
        libc.mallopt(_M_TOP_PAD, 1 << 24)


def take_stdout() -> int:
    """A descriptor of the real standard output; whatever else is printed goes to standard error from now on."""
    sys.stdout.flush()
    protected = os.dup(1)
    os.dup2(2, 1)
    return protected
