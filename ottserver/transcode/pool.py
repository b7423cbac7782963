"""Worker processes in two lanes, and the one way to have a job done: `await pool.run(lane, job)`.

A worker that crashes, hangs or is killed costs only its job, which another one tries again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ottserver.backends.ffmpeg.spawn import end_child, log_stderr, start_child
from ottserver.transcode import wire
from ottserver.transcode.forms import packed
from ottserver.transcode.hold import Hold
from ottserver.transcode.jobs import Item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping

    from ottserver.transcode.jobs import Job, Lane

    Take = Callable[[Item], Awaitable[None]]
    Rank = tuple[float, ...]

_log = logging.getLogger(__name__)
_MODULE = "ottserver.transcode.worker"
TRIES = 3
_MAX_ITEMS = 1000
_PATIENCE_SECONDS = 2.0
"""What a worker that is asked to stop may take for it: some pictures' time."""
_REST_SECONDS = 30.0
"""A background worker without a job for this long ends: it holds some 100 MB that others may need."""


class JobFailed(Exception):
    """The job was tried as often as is sensible; the message says what went wrong the last time."""


class _Refused(JobFailed):
    """The worker has answered that it cannot: it waits for its next job."""


class WorkerLost(Exception):
    """The worker crashed, was killed, or took too long."""


class _Clock:
    """The time in which a worker has to say something; it stands still while the worker waits to be told."""

    def __init__(self, limit: asyncio.Timeout, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds

    def run(self) -> None:
        if not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + self._seconds)

    def rest(self) -> None:
        self._limit.reschedule(None)


class Worker:
    """One process and the pipe to it; starts on its first job."""

    def __init__(self, nice: int, threads: int, seconds: float) -> None:
        """Give the process this niceness, and FFmpeg this many threads, each for so long for one thing it makes."""
        self._arguments = (str(nice), str(threads), str(math.ceil(seconds)))
        self.devices = False
        """Whether the process may have to reach hardware encoders."""
        self._jobs = 0
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
            self._process = await start_child(_MODULE, *self._arguments, str(int(self.devices)), keep_stdin=True)
            self._log_task = asyncio.create_task(log_stderr(self._process))

    async def do(self, job: Job, timeout_seconds: float, take: Take, hold: Hold) -> None:
        """Have a job done; each item that it makes is handed to `take`.

        Raises `JobFailed` when the worker says so, or `take`; `WorkerLost` when it says nothing for `timeout_seconds`
        although it may go on. After anything but an answer the process is gone, for it is still at that job.
        """
        answered = False
        try:
            async with asyncio.timeout(timeout_seconds) as limit:
                await self.start()
                answered = await self._exchange(job, take, hold, _Clock(limit, timeout_seconds))
        except _Refused:
            answered = True
            raise
        except TimeoutError:
            message = f"it took longer than {timeout_seconds:g} s"
            raise WorkerLost(message) from None
        except (OSError, asyncio.IncompleteReadError, wire.BrokenFrame) as ended:
            message = f"the worker process ended unexpectedly ({type(ended).__name__})"
            raise WorkerLost(message) from ended
        finally:
            hold.attach(None)
            if not answered:
                await asyncio.shield(self.close())

    async def _exchange(self, job: Job, take: Take, hold: Hold, clock: _Clock) -> bool:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            message = "the worker process has no pipes"
            raise OSError(message)
        pipe = process.stdin

        def say(header: wire.Header) -> None:
            clock.run()
            pipe.write(wire.pack(header))

        self._jobs += 1
        number = self._jobs
        pipe.write(
            wire.pack(
                {"kind": job.kind, "job": number, "until": hold.until, **job.fields, "plan": packed(job.fields["plan"])}
            )
        )
        hold.attach(say)
        if hold.stopped:
            say({"stop": True})
        await pipe.drain()
        while True:
            header, payload = await wire.receive(process.stdout)
            clock.run()
            if header.get("job") != number:
                message = "the worker answers to another job"
                raise wire.BrokenFrame(message)
            if "item" in header:
                await take(Item(header["item"], payload))
                clock.run()
            elif header.get("resting"):
                hold.resting = True
                clock.rest()
            elif "failed" in header:
                raise _Refused(header["failed"])
            elif header.get("done"):
                return True
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


@dataclass(frozen=True, eq=False)
class _Waiting:
    """Somebody who waits for a worker."""

    rank: Callable[[], Rank]
    turn: asyncio.Future[Worker]


def first() -> Rank:
    """Before all who have another rank."""
    return ()


@dataclass
class _Workers:
    """The workers of a lane, and who waits for one: smallest rank first, then who came first."""

    workers: list[Worker]
    idle: list[Worker] = field(default_factory=list)
    waiting: list[_Waiting] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.idle = list(self.workers)

    async def take(self, rank: Callable[[], Rank]) -> Worker:
        if self.idle:
            # One that runs, if any does: it begins at once.
            worker = next((worker for worker in reversed(self.idle) if worker.pid is not None), self.idle[-1])
            self.idle.remove(worker)
            return worker
        waiting = _Waiting(rank, asyncio.get_running_loop().create_future())
        self.waiting.append(waiting)
        try:
            return await waiting.turn
        except asyncio.CancelledError:
            if waiting in self.waiting:
                self.waiting.remove(waiting)
            elif waiting.turn.done() and not waiting.turn.cancelled():
                self.give(waiting.turn.result())
            raise

    def give(self, worker: Worker) -> None:
        line = [waiting for waiting in self.waiting if not waiting.turn.done()]
        if line:
            chosen = min(line, key=lambda waiting: waiting.rank())
            line.remove(chosen)
            chosen.turn.set_result(worker)
        else:
            self.idle.append(worker)
        self.waiting = line


class Pool:
    """The lanes' workers. Enter `running()` before the first job."""

    def __init__(self, *, lanes: Mapping[Lane, tuple[int, int, int]], timeout_seconds: float) -> None:
        """`lanes` gives for each lane how many workers, their niceness, and FFmpeg's threads in each."""
        self._lanes = {
            lane: _Workers([Worker(nice, threads, timeout_seconds) for _ in range(count)])
            for lane, (count, nice, threads) in lanes.items()
        }
        self._timeout = timeout_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self, *, devices: bool = False) -> AsyncIterator[None]:
        """Keep workers while the context lasts, an urgent one warm; afterwards every process is gone.

        With `devices`, they may use hardware encoders.
        """
        for worker in itertools.chain.from_iterable(lane.workers for lane in self._lanes.values()):
            worker.devices = devices
        self._warm("urgent")
        for name, lane in self._lanes.items():
            self._begin(self._retire(lane, keep=1 if name == "urgent" else 0))
        try:
            yield
        finally:
            while self._tasks:
                tasks = list(self._tasks)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            workers = [worker for lane in self._lanes.values() for worker in lane.workers]
            await asyncio.gather(*(worker.close() for worker in workers))

    async def run(
        self,
        lane: Lane,
        job: Job,
        *,
        rank: Callable[[], Rank] = first,
        started: Callable[[], None] | None = None,
        take: Take | None = None,
        hold: Hold | None = None,
    ) -> list[Item]:
        """Have the job done; what it makes is handed to `take` as it comes, or returned where there is no `take`.

        Whenever a worker is free, the job of the smallest `rank` at that moment gets it; without one, nobody is before
        it but who came earlier. `started` is called when a worker takes the job. A run
        goes as far as `hold` lets it. Cancelling gives up the place in the queue; when a worker has the job already, it
        is asked to stop, and ended when it does not. Raises `JobFailed` after the last try.
        """
        workers = self._lanes[lane]
        worker = await workers.take(rank)
        items: list[Item] = []
        hold = hold or Hold()

        async def keep(item: Item) -> None:
            if len(items) >= _MAX_ITEMS:
                message = "the worker made more than a job can ask for"
                raise wire.BrokenFrame(message)
            items.append(item)

        if started is not None:
            started()
        if lane == "urgent":
            self._warm(lane)
        task = asyncio.create_task(self._tried(worker, job, take or keep, hold))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            hold.stop()
            raise
        finally:
            if task.done():
                workers.give(worker)
            else:
                self._begin(self._end(task, worker, workers))
        return items

    async def _tried(self, worker: Worker, job: Job, take: Take, hold: Hold) -> None:
        number = 0
        while True:
            made = 0

            async def count(item: Item) -> None:
                nonlocal made
                await take(item)
                made += 1

            try:
                return await worker.do(job, self._timeout, count, hold)
            except (WorkerLost, _Refused) as failure:
                reason = str(failure)
            if hold.stopped:
                return None
            if finished := job.finished(made):
                # It failed at another segment than before: that one has its own tries.
                job, number = job.rest(finished), 0
            number += 1
            _log.warning("a job failed: %s, try %d of %d: %s", job.kind, number, TRIES, reason)
            if number >= TRIES:
                raise JobFailed(reason)

    async def _end(self, task: asyncio.Task[None], worker: Worker, workers: _Workers) -> None:
        """See a job to its end that was asked to stop, and kill its worker when that takes too long."""
        try:
            await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)
        finally:
            if not task.done():
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            workers.give(worker)

    def idle(self, lane: Lane) -> bool:
        """Whether a job of that lane would begin at once."""
        return bool(self._lanes[lane].idle)

    def line(self, lane: Lane) -> list[Rank]:
        """The ranks of those who wait for a worker of that lane, in the order of their turns."""
        return sorted(waiting.rank() for waiting in self._lanes[lane].waiting if not waiting.turn.done())

    def pids(self) -> list[int]:
        """Ids of the worker processes that run."""
        return [worker.pid for lane in self._lanes.values() for worker in lane.workers if worker.pid is not None]

    async def _retire(self, lane: _Workers, keep: int) -> None:
        """End the processes of workers that have had nothing to do since the last look, all but `keep`."""
        resting: set[Worker] = set()
        while True:
            await asyncio.sleep(_REST_SECONDS)
            for worker in [worker for worker in lane.idle if worker in resting][keep:]:
                if worker in lane.idle:
                    lane.idle.remove(worker)
                    try:
                        await worker.close()
                    finally:
                        lane.give(worker)
            resting = {worker for worker in lane.idle if worker.pid is not None}

    def _warm(self, lane: Lane) -> None:
        """Have an idle worker run, so that the next job begins at once."""
        idle = self._lanes[lane].idle
        if idle and all(worker.pid is None for worker in idle):
            self._begin(_started(idle[-1]))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _started(worker: Worker) -> None:
    with suppress(OSError):
        await worker.start()
