"""How long calls of the API take, mixed as viewers make them, while a film is encoded on the other processor.

Calls are sent when they are due, at random moments of a given rate, whether earlier ones were answered or not; a call's
time begins at that moment, so that whatever waits is counted (open model). The server, started by hand with a catalog
of small films, is on one processor; its encoders, which make a ladder of 1080p, and the callers are on the other.
Sign-ins hash a password, which is slow on purpose: they are shown apart, but the others meet them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from scripts.benches._films import FILM, ffmpeg, looped
from scripts.benches.idle import family
from tests.support.server import Server

SERVING, ELSEWHERE = 0, 1
"""Processors: the server's, and that of its encoders and the callers."""
OWNER, PASSWORD = "owner@example.org", "a bench's passphrase"
GENRES = ("Drama", "Comedy", "Nature", "Science", "Animation", "History")
SIGN_IN = "sign in"
AS_STARTED = {"OTT_RATE_LIMITS": "on", "OTT_WEB_TRUSTED_PROXIES": "127.0.0.1"}
MIX = {
    "heartbeat": 34.0,
    "metadata": 16.0,
    "home": 14.0,
    "play": 8.0,
    "end": 8.0,
    "genre": 7.0,
    "genres": 4.0,
    "history": 4.0,
    "account": 2.5,
    "plan": 2.0,
    SIGN_IN: 0.3,
}
"""Shares of the calls. Whoever plays ends it soon afterwards, as one who looks into films does."""


@dataclass
class Member:
    """Somebody at an address of their own, as far as a trusted proxy says, so that rate limits count as they should."""

    email: str
    address: str
    token: str = ""
    session: str = ""
    """What goes on all the time, and sends heartbeats."""
    opened: list[str] = field(default_factory=list)


class Callers:
    """All members behind one client."""

    def __init__(self, client: aiohttp.ClientSession, url: str, seed: int) -> None:
        """Call the server at `url`."""
        self._client, self._url = client, f"{url}/api/v1"
        self._dice = random.Random(seed)  # noqa: S311 - repeatable is what it has to be
        self.members: list[Member] = []
        self.films: list[str] = []
        self.slugs: list[str] = []
        self.times: dict[str, list[float]] = defaultdict(list)
        """Seconds from when a call was due to its whole answer."""

    async def call(self, method: str, path: str, member: Member, status: int = 200, **words: Any) -> Any:  # noqa: ANN401 - JSON
        """The answer's JSON; ends the benchmark where the status is another."""
        headers = {"X-Forwarded-For": member.address}
        if member.token:
            headers["Authorization"] = f"Bearer {member.token}"
        async with self._client.request(method, self._url + path, headers=headers, **words) as answer:
            text = await answer.text()
            if answer.status != status:
                sys.exit(f"{method} {path} was answered {answer.status}: {text[:300]}")
            return json.loads(text) if text else None

    async def prepare(self, members: int) -> None:
        """Give the films genres, and let members register and begin to watch."""
        owner = Member(OWNER, "10.0.0.1")
        owner.token = (await self._sign_in(owner))["token"]
        for index, video_id in enumerate(self.films):
            words = {"genres": [GENRES[index % 6], GENRES[index % 5]], "actors": [f"Actor {index % 9}"], "year": 1990}
            await self.call("PATCH", f"/admin/videos/{video_id}", owner, json=words)
        self.slugs = [one["slug"] for one in (await self.call("GET", "/categories", owner))["results"]]
        for number in range(members):
            member = Member(f"member{number}@example.org", f"10.0.1.{number}")
            body = {"email": member.email, "password": PASSWORD, "name": f"Member {number}"}
            member.token = (await self.call("POST", "/register", member, 201, json=body))["token"]
            member.session = await self._begin(member)
            self.members.append(member)

    async def run(self, rate: float, seconds: float) -> None:
        """Call at random moments, on average `rate` times a second."""
        names, weights = list(MIX), list(MIX.values())
        due = begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            while due < begun + seconds:
                due += self._dice.expovariate(rate)
                await asyncio.sleep(due - time.perf_counter())
                group.create_task(self._one(self._dice.choices(names, weights)[0], due))

    async def _one(self, name: str, due: float) -> None:
        member = self._dice.choice(self.members)
        if name == "play" and member.opened:
            name = "end"
        if name == "end" and not member.opened:
            name = "play"
        await self._do(name, member)
        self.times[name].append(time.perf_counter() - due)

    async def _do(self, name: str, member: Member) -> None:
        match name:
            case "heartbeat":
                body = {"position": self._dice.uniform(0, 2), "state": "playing"}
                await self.call("POST", f"/playback/{member.session}/heartbeat", member, json=body)
            case "metadata":
                await self.call("GET", f"/videos/{self._dice.choice(self.films)}/metadata", member)
            case "play":
                member.opened.append("")  # counts while it is asked for
                session = await self._begin(member)
                member.opened.remove("")
                member.opened.insert(0, session)
            case "end":
                session = next((one for one in member.opened if one), "")
                if session:
                    member.opened.remove(session)
                    await self.call("DELETE", f"/playback/{session}", member, 204)
            case "genre":
                await self.call("GET", f"/categories/{self._dice.choice(self.slugs)}", member)
            case _ if name == SIGN_IN:
                await self._sign_in(member)
            case _:
                paths = {"home": "/home", "genres": "/categories", "history": "/history", "account": "/me"}
                await self.call("GET", paths.get(name, "/subscription"), member)

    async def _sign_in(self, member: Member) -> Any:  # noqa: ANN401 - JSON
        return await self.call("POST", "/login", member, json={"email": member.email, "password": PASSWORD})

    async def _begin(self, member: Member) -> str:
        answer = await self.call("GET", f"/play/{self._dice.choice(self.films)}", member)
        return str(answer["session_id"])


def catalog(server: Server, folder: Path, films: int) -> list[str]:
    """Import small films, each with other bytes; their ids."""
    first = folder / "small.mp4"
    pictures = ("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=24:duration=2")
    ffmpeg(*pictures, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", first)
    (folder / "films").mkdir()
    for number in range(films):
        film = folder / "films" / f"Film number {number}.mp4"
        film.write_bytes(first.read_bytes() + b"\0\0\0\x0cfree%04d" % number)
    done = server.run("import", str(folder / "films"), "--wait", "complete", within=600)
    return [json.loads(line)["video_id"] for line in done.stdout.splitlines()]


def pin(pid: int, processor: int) -> None:
    """Let all threads of a process run there only."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {processor})


async def keep_apart(pid: int, processors: list[int]) -> None:
    """Hold the server on its processor, and all its children, whenever they begin, on the other."""
    while True:
        with suppress(FileNotFoundError, ProcessLookupError):  # a child that has just ended
            for one in family(pid):
                pin(one, processors[(SERVING if one == pid else ELSEWHERE) % len(processors)])
        await asyncio.sleep(0.5)


def processor_seconds(pids: list[int]) -> float:
    """User and system time that they have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def told(callers: Callers) -> str:
    """A table: a line for each kind of call, and one for all but sign-ins."""

    def line(name: str, times: list[float]) -> str:
        cut = statistics.quantiles(times, n=1000)
        shown = " | ".join(f"{value * 1e3:.1f}" for value in (cut[499], cut[949], cut[989], cut[998], max(times)))
        return f"| {name} | {len(times):,} | {shown} |"

    lines = ["| call | number | p50 | p95 | p99 | p99.9 | most |", "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    lines += [line(name, callers.times[name]) for name in MIX if len(callers.times[name]) > 1]
    others = [value for name, values in callers.times.items() if name != SIGN_IN for value in values]
    lines.append(line("**all but sign-ins**", others))
    return "\n".join(lines)


async def measure(server: Server, films: list[str], options: argparse.Namespace) -> None:
    """Call, and print what came out."""
    pid = server.process.pid if server.process else 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as client:
        callers = Callers(client, server.url, options.seed)
        callers.films = films
        await callers.prepare(options.members)
        await callers.run(options.rate, 2)
        callers.times.clear()
        encoders = [one for one in family(pid) if one != pid]
        before, begun = (processor_seconds([pid]), processor_seconds(encoders)), time.perf_counter()
        await callers.run(options.rate, options.seconds)
        took = time.perf_counter() - begun
        used = processor_seconds([pid]) - before[0], processor_seconds(encoders) - before[1]
    print(told(callers))
    print(f"\nServer {used[0] / took:.0%} of its processor, encoders {used[1] / took:.0%} of the other.")


async def run(server: Server, films: list[str], options: argparse.Namespace) -> None:
    """Measure while the processes are kept apart."""
    pid = server.process.pid if server.process else 0
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[ELSEWHERE % len(processors)]})
    task = asyncio.create_task(keep_apart(pid, processors))
    try:
        await measure(server, films, options)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=300, help="calls a second (300)")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--films", type=int, default=60)
    parser.add_argument("--members", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder / "data", env={"OTT_BILLING": "off", **AS_STARTED})
        try:
            owner = ("user", "create", "--email", OWNER, "--name", "Owner", "--role", "owner", "--password-stdin")
            server.run(*owner, stdin=PASSWORD)
            films = catalog(server, folder, options.films)
            server.start()
            server.run("import", str(looped(FILM, 300, folder)))
            time.sleep(5)
            asyncio.run(run(server, films, options))
        finally:
            server.close()


if __name__ == "__main__":
    main()
