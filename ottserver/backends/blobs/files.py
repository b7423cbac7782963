"""Taking a file into a folder of blobs without copying its bytes, where the system allows. All of this blocks."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ottserver.backends.blobs.space import FULL, free_in

Fill = Callable[[IO[bytes], IO[bytes]], bool]
"""Gives the second file the bytes of the first; false where the file system cannot do it this way."""

_FICLONE = 0x40049409
"""ioctl_ficlone(2): share the extents of another file (Btrfs, XFS, bcachefs)."""
INCOMING = ".incoming"
"""Folder for files that are not whole yet, on the same file system; its name is no key, so it is never listed."""
STALE_SECONDS = 3600.0
"""A file that nobody has written to for so long was left behind by a process that died."""


def take_file(source: Path, root: Path, key: str, *, move: bool, leaving: int) -> None:
    """Make `root/key` hold the bytes of `source`, atomically and durably; a blob that is there is kept.

    Linked when the source is given up (which then is removed), else reflinked, else hard-linked, else copied, if that
    leaves so many bytes of room. Raises `OSError`.
    """
    source = source.resolve(strict=True)  # the link is to the file, never to a symbolic link to it
    target = root / key
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        if move or not _publish(source, root, target, _reflink):
            try:
                os.link(source, target)
            except FileExistsError:
                pass
            except OSError as error:  # another file system, or one without hard links
                if error.errno in FULL or free_in(root) - source.stat().st_size < leaving:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
                _publish(source, root, target, _copy)
        _sync_folder(target.parent)
    if move:
        source.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what killed processes left among the incoming or scratch files of a folder."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        try:
            if path.is_file() and path.stat().st_mtime < time.time() - STALE_SECONDS:
                path.unlink()
        except FileNotFoundError:
            continue


def _publish(source: Path, root: Path, target: Path, fill: Fill) -> bool:
    incoming = root / INCOMING
    incoming.mkdir(exist_ok=True)
    handle, name = tempfile.mkstemp(dir=incoming)
    scratch = Path(name)
    try:
        with os.fdopen(handle, "wb") as write, source.open("rb") as read:
            if not fill(read, write):
                return False
            write.flush()
            os.fsync(write.fileno())
        try:
            os.link(scratch, target)
        except FileExistsError:
            return True
        except OSError:  # a file system without hard links
            scratch.rename(target)
        return True
    finally:
        scratch.unlink(missing_ok=True)


def _reflink(read: IO[bytes], write: IO[bytes]) -> bool:
    try:
        fcntl.ioctl(write.fileno(), _FICLONE, read.fileno())
    except OSError:
        return False
    return True


def _copy(read: IO[bytes], write: IO[bytes]) -> bool:
    shutil.copyfileobj(read, write, 4 * 1024 * 1024)
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
