from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import re
from pathlib import Path
from threading import Thread
from ottserver.commands.memory import give_back, share_one_heap

def megabytes():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

def fill():
    # Something small that stays lies behind each body.
    pairs = [(b"x" * size, bytes(10_000)) for size in [1 << 20] * 64]
    kept.extend(small for _, small in pairs)
    taken.append(megabytes())

kept, taken = [], []
share_one_heap()
before = megabytes()
fill()
fill()
thread = Thread(target=fill)
thread.start()
thread.join()
held = megabytes()
give_back()
print(*(at - before for at in (*taken, held, megabytes())))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other habits")
def test_memory_of_segments_serves_again_and_then_goes_back() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    first, _, elsewhere, held, after = map(int, said.stdout.split())
    assert first >= 60
    assert elsewhere < first + 10  # another thread, and the same memory
    assert held >= 60
    assert after < 10
