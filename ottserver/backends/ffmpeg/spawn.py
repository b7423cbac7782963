"""How the serving process starts a child that loads FFmpeg: scrubbed environment, pipes only, nothing inherited."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

import ottserver

_log = logging.getLogger(__name__)
_ROOT = Path(ottserver.__file__).parent.parent
_STDERR_LINES = 200
_STDERR_BYTES = 65536


def _environment() -> dict[str, str]:
    scrubbed = {"LC_ALL": "C.UTF-8", "PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    # Where the interpreter finds its own libraries, and nothing that could hold a secret.
    return scrubbed | {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}


async def start_child(module: str, *arguments: str, keep_stdin: bool) -> asyncio.subprocess.Process:
    """Start `python -m module arguments…` in a session of its own; its first argument is this process's id.

    Standard output and error are pipes; so is standard input when it is kept, else it is empty.
    """
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        str(os.getpid()),
        *arguments,
        stdin=asyncio.subprocess.PIPE if keep_stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        close_fds=True,
        start_new_session=True,
        env=_environment(),
    )


async def log_stderr(process: asyncio.subprocess.Process) -> None:
    """Carry the child's standard error into the log until it ends; what is too much is read and dropped."""
    stream = process.stderr
    if stream is None:
        return
    lines = 0
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            # A line longer than the reader's buffer: its bytes are already dropped.
            continue
        if not line:
            return
        lines += 1
        if lines <= _STDERR_LINES:
            _log.warning("child %d: %s", process.pid, line[:_STDERR_BYTES].decode(errors="replace").rstrip())


async def end_child(process: asyncio.subprocess.Process) -> None:
    """Kill the child if it still runs and wait until it is gone and its pipes are closed."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    if process.stdin is not None:
        process.stdin.close()
    if process.stdout is not None:
        # What is left in the pipe: a pipe that is not read to its end is never closed.
        await process.stdout.read()
    await process.wait()
