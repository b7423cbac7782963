"""The data folder: who holds it, the secret kept in it, and where its parts are."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ottserver.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET_BYTES = 32
_LOCK = "server.lock"


def prepare(folder: Path) -> None:
    """Make the folder, readable by nobody else. Blocks; raises `SettingsError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        message = f"data: the folder {folder} cannot be written: {error.strerror}"
        raise SettingsError(message) from error


def load_secret(folder: Path, given: str) -> bytes:
    """The installation's secret: the one given, else the one kept in the folder, made at the first start. Blocks."""
    if given:
        return given.encode()
    path = folder / "secret"
    with suppress(FileNotFoundError):
        return _checked(path)
    scratch = path.with_name(f"secret.{os.getpid()}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(scratch, path)  # fails when another process was first: its secret is the one
    except FileExistsError:
        pass
    finally:
        scratch.unlink()
    return _checked(path)


def _checked(path: Path) -> bytes:
    text = path.read_text(encoding="ascii").strip()
    if len(text) < SECRET_BYTES:
        message = f"secret: {path} is damaged; restore it from a backup, or remove it to sign everybody out"
        raise SettingsError(message)
    return text.encode()


@contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Whether this process is the only one that serves from the folder, for as long as the context lasts.

    The system gives the lock back when a process dies, however it dies.
    """
    with (folder / _LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield True


def served(folder: Path) -> bool:
    """Whether the process that last held the folder still runs.

    It only looks: to try the lock would refuse a server that starts in that moment.
    """
    try:
        os.kill(int((folder / _LOCK).read_text()), 0)
    except PermissionError:
        return True
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    return True
