"""Memory and processor time of a started server that nobody uses, all its processes together."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from tests.support.server import Server

TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def memory_mib(pid: int) -> float:
    """Proportional set size: shared pages are counted once over all processes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def processor_seconds(pid: int) -> float:
    """User and system time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def main() -> None:
    """Start a server on an empty folder, let it settle, look on for a while."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data")
        try:
            server.start()
            time.sleep(5)
            pid = server.process.pid if server.process else 0
            pids = family(pid)
            before = sum(map(processor_seconds, pids))
            time.sleep(seconds)
            used = sum(map(processor_seconds, pids)) - before
            total = sum(map(memory_mib, pids))
        finally:
            server.close()
    print(f"{len(pids)} process(es), {total:.0f} MiB together, {100 * used / seconds:.1f} % of one processor")


if __name__ == "__main__":
    main()
