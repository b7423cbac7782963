from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ottserver.transcode.forms import PLAN
from ottserver.transcode.hold import Hold
from ottserver.transcode.jobs import Item, Job, video_job
from ottserver.transcode.pool import JobFailed, Pool
from tests.support.server import ROOT
from tests.transcode.stitching import plan_of

if TYPE_CHECKING:
    from ottserver.media import SourceReport

ORPHANS = """
import asyncio, os, signal
from ottserver.transcode.jobs import Job, video_job
from ottserver.transcode.forms import PLAN
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
        with pytest.raises(JobFailed, match="the plan cannot be read"):
            await pool.run("urgent", job)
        before = pool.pids()
        with pytest.raises(JobFailed):
            await pool.run("urgent", job)
        assert pool.pids() == before


async def test_run_whose_segment_nobody_takes_is_ended_and_the_next_job_gets_its_own(
    film: Path, film_report: SourceReport
) -> None:
    async def refuse(item: Item) -> None:
        message = f"segment {item.about['index']} is not wanted"
        raise JobFailed(message)

    plan = PLAN.dump_json(plan_of(film_report)).decode()
    pool = Pool(lanes={"urgent": (1, 0, 1)}, timeout_seconds=30)
    async with pool.running():
        with pytest.raises(JobFailed, match="segment 0 is not wanted"):
            await pool.run("urgent", video_job(plan, str(film), ["v480"], 0, 4), take=refuse, hold=Hold(1))
        (item,) = await pool.run("urgent", video_job(plan, str(film), ["v480"], 2, 1))
    assert item.about["index"] == 2


async def test_film_that_was_cut_meanwhile_makes_nothing(film: Path, film_report: SourceReport, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    await asyncio.to_thread(lambda: cut.write_bytes(film.read_bytes()[:-100]))
    plan = PLAN.dump_json(plan_of(film_report)).decode()
    pool = Pool(lanes={"urgent": (1, 0, 1)}, timeout_seconds=30)
    async with pool.running():
        with pytest.raises(JobFailed, match=r"has \d+ bytes, and had \d+ when it came"):
            await pool.run("urgent", video_job(plan, str(cut), ["v480"], 0, 1))


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
        assert {os.sched_getscheduler(pid) for pid in pool.pids()} == {os.SCHED_OTHER, os.SCHED_IDLE}


BOUND = """
import os, sys
from ottserver.backends.ffmpeg.child import allow, confine
confine(parent=os.getppid(), nice=0, memory_bytes=4 << 30)
allow(cpu_seconds=0.2, memory_bytes=1 << 30)
if sys.argv[1] == "memory":
    try:
        bytearray(2 << 30)
    except MemoryError:
        print("refused")
    allow(cpu_seconds=9, memory_bytes=4 << 30)
    print(len(bytearray(2 << 30)))
else:
    while True:
        pass
"""


async def test_child_takes_no_more_than_it_is_allowed_and_more_when_it_is_allowed_more() -> None:
    async def bounded(what: str) -> tuple[int | None, bytes]:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", BOUND, what, stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
        )
        said, _ = await child.communicate()
        return child.returncode, said

    assert await bounded("memory") == (0, b"refused\n2147483648\n")
    assert await bounded("time") == (-signal.SIGXCPU, b"")


async def test_each_job_gives_a_worker_time_and_memory_for_itself(film: Path, film_report: SourceReport) -> None:
    plan = PLAN.dump_json(plan_of(film_report)).decode()
    pool = Pool(lanes={"urgent": (1, 0, 2)}, timeout_seconds=30)
    async with pool.running():
        await pool.run("urgent", video_job(plan, str(film), ["v480"], 0, 1))
        (worker,) = pool.pids()
        seconds, _ = resource.prlimit(worker, resource.RLIMIT_CPU)
        memory, _ = resource.prlimit(worker, resource.RLIMIT_AS)
        assert 60 < seconds < 90
        assert 3 << 30 < memory < 4 << 30
