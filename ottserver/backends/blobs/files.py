"""Taking a file into a folder of blobs without copying its bytes, where the system allows."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_FICLONE = 0x40049409
"""ioctl_ficlone(2): share the extents of another file (Btrfs, XFS, bcachefs)."""


def take_file(source: Path, target: Path, *, move: bool) -> None:
    """Make `target` hold the bytes of `source`, atomically; a target that exists is kept. Blocks.

    Moved when it is given up, else reflinked, else hard-linked, else copied.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        if move:
            source.rename(target)
        elif not _reflink(source, target):
            os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        _copy(source, target)


def _scratch_beside(target: Path) -> Path:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix="incoming-")
    os.close(handle)
    return Path(name)


def _reflink(source: Path, target: Path) -> bool:
    scratch = _scratch_beside(target)
    try:
        with source.open("rb") as read, scratch.open("wb") as write:
            fcntl.ioctl(write.fileno(), _FICLONE, read.fileno())
        scratch.rename(target)
    except OSError:
        scratch.unlink(missing_ok=True)
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    scratch = _scratch_beside(target)
    try:
        shutil.copyfile(source, scratch)
        with scratch.open("rb") as file:
            os.fsync(file.fileno())
        scratch.rename(target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
