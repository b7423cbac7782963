from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ottserver.machine import memory_bytes

if TYPE_CHECKING:
    from pathlib import Path

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
MB = 1_000_000


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, MACHINE),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, MACHINE),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": f"{50 * MB}\n"}, 50 * MB),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/memory.max": f"{50 * MB}\n",
                "sys/fs/cgroup/a/memory.max": f"{40 * MB}\n",
            },
            40 * MB,
        ),
        ({"proc/self/cgroup": "0::/of/the/host\n", "sys/fs/cgroup/memory.max": f"{30 * MB}\n"}, 30 * MB),
        (
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/1\n",
                "sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": f"{20 * MB}\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            20 * MB,
        ),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": f"{MACHINE * 9}\n"}, MACHINE),
    ],
)
def test_memory_is_what_the_tightest_group_allows(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    assert memory_bytes(write(tmp_path, files)) == expected
