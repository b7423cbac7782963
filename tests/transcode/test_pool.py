from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from ottserver.transcode.jobs import Job
from ottserver.transcode.pool import JobFailed, Pool
from tests.support.server import ROOT

ORPHANS = """
import asyncio, os, signal
from ottserver.transcode.jobs import Job
from ottserver.transcode.pool import JobFailed, Pool

async def main():
    pool = Pool(lanes={"urgent": (1, 0, 1), "background": (1, 19, 1)}, timeout_seconds=30)
    async with pool.running():
        try:
            await pool.run("background", Job("init", {"plan": "no plan"}))
        except JobFailed:
            pass
        while len(pool.pids()) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        print(*pool.pids(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int]) -> None:
    """Return when none of the processes runs any more; the test's own time limit ends it otherwise."""
    while any(alive(pid) for pid in pids):
        time.sleep(0.02)


async def test_workers_end_with_a_server_that_is_killed() -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHANS, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}
    )
    assert server.stdout is not None
    workers = [int(pid) for pid in (await server.stdout.read()).split()]
    await server.wait()
    assert len(workers) == 2
    await asyncio.to_thread(wait_until_gone, workers)


async def test_job_that_cannot_be_done_fails_with_its_reason_and_spares_the_worker(tmp_path: Path) -> None:
    pool = Pool(lanes={"urgent": (1, 0, 1)}, timeout_seconds=30)
    job = Job("video", {"plan": "no plan", "path": str(tmp_path / "none"), "rungs": ["v480"], "first": 0, "count": 1})
    async with pool.running():
        with pytest.raises(JobFailed, match="Invalid JSON"):
            await pool.run("urgent", job)
        before = pool.pids()
        with pytest.raises(JobFailed):
            await pool.run("urgent", job)
        assert pool.pids() == before


async def test_workers_know_nothing_of_the_server_but_their_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTT_SECRET", "not for children")
    pool = Pool(lanes={"urgent": (1, 3, 1)}, timeout_seconds=30)
    job = Job("init", {"plan": "no plan"})
    leak = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leak, True)  # noqa: FBT003 - the function's only way
    try:
        async with pool.running():
            with pytest.raises(JobFailed):
                await pool.run("urgent", job)
            (worker,) = pool.pids()
            process = Path(f"/proc/{worker}")
            assert b"OTT_SECRET" not in (process / "environ").read_bytes()
            targets = {entry.name: str(entry.readlink()) for entry in (process / "fd").iterdir()}
            assert not [name for name, target in targets.items() if "/dev/null" in target]
            assert os.getpriority(os.PRIO_PROCESS, worker) == os.getpriority(os.PRIO_PROCESS, 0) + 3
    finally:
        os.close(leak)


def wait_until_resting(pool: Pool, before: list[int]) -> None:
    """Return when a process of the pool has ended; the test's own time limit ends it otherwise."""
    while pool.pids() == before:
        time.sleep(0.02)


async def test_background_worker_without_work_gives_its_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ottserver.transcode.pool._REST_SECONDS", 0.2)
    pool = Pool(lanes={"urgent": (1, 0, 1), "background": (1, 19, 1)}, timeout_seconds=30)
    async with pool.running():
        for _ in range(2):  # the second time it has ended meanwhile, and is started again
            with pytest.raises(JobFailed):
                await pool.run("background", Job("init", {"plan": "no plan"}))
            working = pool.pids()
            assert len(working) == 2
            await asyncio.to_thread(wait_until_resting, pool, working)
            await asyncio.to_thread(wait_until_gone, [pid for pid in working if pid not in pool.pids()])


async def test_background_worker_runs_only_where_nobody_else_wants_the_processor() -> None:
    pool = Pool(lanes={"urgent": (1, 0, 1), "background": (1, 19, 1)}, timeout_seconds=30)
    async with pool.running():
        with pytest.raises(JobFailed):
            await pool.run("background", Job("init", {"plan": "no plan"}))
        policies = {os.sched_getscheduler(pid) for pid in pool.pids()}
        assert policies == {os.SCHED_OTHER, os.SCHED_IDLE}
