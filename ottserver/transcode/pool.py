"""Worker processes in two lanes, and the one way to have a job done: `await pool.run(lane, job)`.

A worker that crashes, hangs or is killed costs only its job, which another one tries again.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ottserver.backends.ffmpeg.spawn import end_child, log_stderr, start_child
from ottserver.transcode import wire
from ottserver.transcode.jobs import Item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from ottserver.transcode.jobs import Job, Lane

_log = logging.getLogger(__name__)
_MODULE = "ottserver.transcode.worker"
TRIES = 3
_MAX_ITEMS = 1000
_REST_SECONDS = 30.0
"""A background worker without a job for this long ends: it holds some 100 MB that others may need."""


class JobFailed(Exception):
    """The job was tried as often as is sensible; the message says what went wrong the last time."""


class WorkerLost(Exception):
    """The worker crashed, was killed, or took too long."""


class Worker:
    """One process and the pipe to it; starts on its first job."""

    def __init__(self, nice: int, threads: int) -> None:
        """Give the process this niceness, and FFmpeg this many threads for a job."""
        self._arguments = (str(nice), str(threads))
        self._process: asyncio.subprocess.Process | None = None
        self._log_task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the process unless it runs."""
        async with self._starting:
            if self.pid is not None:
                return
            await self.close()
            self._process = await start_child(_MODULE, *self._arguments, keep_stdin=True)
            self._log_task = asyncio.create_task(log_stderr(self._process))

    async def do(self, job: Job, timeout_seconds: float) -> list[Item]:
        """What the job made. Raises `JobFailed` when the worker says so, `WorkerLost` when it says nothing more.

        After anything but an answer the process is gone: what it was doing cannot be told from the next job's answer.
        """
        answered = False
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.start()
                items = await self._exchange(job)
                answered = True
                return items
        except JobFailed:
            answered = True
            raise
        except TimeoutError:
            message = f"it took longer than {timeout_seconds:g} s"
            raise WorkerLost(message) from None
        except (OSError, asyncio.IncompleteReadError, wire.BrokenFrame) as ended:
            message = f"the worker process ended unexpectedly ({type(ended).__name__})"
            raise WorkerLost(message) from ended
        finally:
            if not answered:
                await asyncio.shield(self.close())

    async def _exchange(self, job: Job) -> list[Item]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            message = "the worker process has no pipes"
            raise OSError(message)
        process.stdin.write(wire.pack({"kind": job.kind, **job.fields}))
        await process.stdin.drain()
        items: list[Item] = []
        while True:
            header, payload = await wire.receive(process.stdout)
            if "item" in header and len(items) < _MAX_ITEMS:
                items.append(Item(header["item"], payload))
            elif "failed" in header:
                raise JobFailed(header["failed"])
            elif header.get("done"):
                return items
            else:
                message = "the worker's answer makes no sense"
                raise wire.BrokenFrame(message)

    async def close(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        task, self._log_task = self._log_task, None
        if process is not None:
            await end_child(process)
        if task is not None:
            await task


@dataclass
class _Workers:
    """The workers of a lane, and who waits for one: smallest priority first, then who came first."""

    workers: list[Worker]
    idle: list[Worker] = field(default_factory=list)
    waiting: list[tuple[int, int, asyncio.Future[Worker]]] = field(default_factory=list)
    order: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.idle = list(self.workers)

    async def take(self, priority: int) -> Worker:
        if self.idle:
            return self.idle.pop()
        turn: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        heapq.heappush(self.waiting, (priority, next(self.order), turn))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(turn.result())
            raise

    def give(self, worker: Worker) -> None:
        while self.waiting:
            _, _, turn = heapq.heappop(self.waiting)
            if not turn.done():
                turn.set_result(worker)
                return
        self.idle.append(worker)


class Pool:
    """The lanes' workers. Enter `running()` before the first job."""

    def __init__(self, *, lanes: Mapping[Lane, tuple[int, int, int]], timeout_seconds: float) -> None:
        """`lanes` gives for each lane how many workers, their niceness, and FFmpeg's threads in each."""
        self._lanes = {
            lane: _Workers([Worker(nice, threads) for _ in range(count)])
            for lane, (count, nice, threads) in lanes.items()
        }
        self._timeout = timeout_seconds

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep workers while the context lasts, the urgent ones warm; afterwards every process is gone."""
        tasks = [asyncio.create_task(self._warm(worker)) for worker in self._lanes["urgent"].workers]
        tasks += [asyncio.create_task(self._retire(lane)) for name, lane in self._lanes.items() if name != "urgent"]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            workers = [worker for lane in self._lanes.values() for worker in lane.workers]
            await asyncio.gather(*(worker.close() for worker in workers))

    async def run(
        self, lane: Lane, job: Job, *, priority: int = 0, started: Callable[[], None] | None = None
    ) -> list[Item]:
        """Have the job done and return what it made; raises `JobFailed` after the last try.

        Waits for a worker in order of `priority` (smaller first). `started` is called when one takes the job.
        Cancelling gives up the place in the queue; when a worker has the job already, the worker is ended with it.
        """
        workers = self._lanes[lane]
        worker = await workers.take(priority)
        try:
            if started is not None:
                started()
            return await self._tried(worker, job)
        finally:
            workers.give(worker)

    async def _tried(self, worker: Worker, job: Job) -> list[Item]:
        reason = ""
        for number in range(1, TRIES + 1):
            try:
                return await worker.do(job, self._timeout)
            except (WorkerLost, JobFailed) as failure:
                reason = str(failure)
                _log.warning("a job failed: %s, try %d of %d: %s", job.kind, number, TRIES, reason)
        raise JobFailed(reason)

    def pids(self) -> list[int]:
        """Ids of the worker processes that run."""
        return [worker.pid for lane in self._lanes.values() for worker in lane.workers if worker.pid is not None]

    async def _retire(self, lane: _Workers) -> None:
        """End the processes of workers that have had nothing to do since the last look."""
        resting: set[Worker] = set()
        while True:
            await asyncio.sleep(_REST_SECONDS)
            for worker in [worker for worker in lane.idle if worker in resting]:
                if worker in lane.idle:
                    lane.idle.remove(worker)
                    try:
                        await worker.close()
                    finally:
                        lane.give(worker)
            resting = {worker for worker in lane.idle if worker.pid is not None}

    async def _warm(self, worker: Worker) -> None:
        with suppress(OSError):
            await worker.start()
