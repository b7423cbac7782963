from __future__ import annotations

import asyncio
import json
import re
import subprocess
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from ottserver import app
from ottserver.backends.cache import open_cache
from ottserver.backends.database import open_database
from ottserver.settings import load
from tests.flows.people import FAST, PASSWORD
from tests.support.faults import FaultyCache, FaultyDatabase
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.faults import Fault

PLAYERS = 100
SECONDS = 0.5
"""For how long a segment plays here: four times as fast as it was meant."""
AHEAD = 8
"""Segments that a player has before it begins."""


class Faults:
    """The two backends, which fail when told."""

    cache: FaultyCache
    database: FaultyDatabase

    def all(self, fault: Fault) -> None:
        """Let both fail, or be back."""
        self.cache.fault = self.database.fault = fault


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Put in at the backends' seam: what opens them gives these instead."""
    found = Faults()

    @asynccontextmanager
    async def cache(url: str) -> AsyncIterator[FaultyCache]:
        async with open_cache(url) as real:
            found.cache = FaultyCache(real)
            yield found.cache

    @asynccontextmanager
    async def database(url: str) -> AsyncIterator[FaultyDatabase]:
        async with open_database(url) as real:
            found.database = FaultyDatabase(real)
            yield found.database

    monkeypatch.setattr(app, "open_cache", cache)
    monkeypatch.setattr(app, "open_database", database)
    return found


@pytest.fixture
def small_film(tmp_path: Path, ffmpeg: Path) -> Path:
    """Eight seconds of a test picture, quickly encoded."""
    film = tmp_path / "film.mp4"
    source = ("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=24:duration=8")
    encoder = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    subprocess.run([str(ffmpeg), "-v", "error", *source, *encoder, str(film)], check=True, timeout=60)
    return film


class Player:
    """Plays a film over and over: heartbeats, and segments some seconds ahead."""

    def __init__(self, web: aiohttp.ClientSession, play: dict[str, Any], token: str, segments: list[str]) -> None:
        self._web = web
        self._play, self._segments = play, segments
        self._headers = {"Authorization": f"Bearer {token}"}
        self._beating: set[asyncio.Task[None]] = set()
        self.stalls = 0
        self.beats: list[int] = []

    async def run(self, until: asyncio.Event) -> None:
        """Play until told; whatever was refused raises."""
        loop = asyncio.get_running_loop()
        plays_until, number = 0.0, 0
        while not until.is_set():
            async with self._web.get(self._segments[number % len(self._segments)]) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()
            number += 1
            now = loop.time()
            if number > AHEAD and now > plays_until:
                self.stalls += 1
            plays_until = max(plays_until, now) + SECONDS
            if number % 8 == 0:
                self._beating.add(beat := asyncio.create_task(self._beat(number)))
                beat.add_done_callback(self._beating.discard)
            await asyncio.sleep(max(0.0, plays_until - AHEAD * SECONDS - loop.time()))

    async def settled(self) -> None:
        """Wait for the heartbeats that are on their way."""
        await asyncio.gather(*self._beating)

    async def _beat(self, number: int) -> None:
        url = f"/api/v1/playback/{self._play['session_id']}/heartbeat"
        body = {"position": float(number), "state": "playing"}
        async with self._web.post(url, json=body, headers=self._headers) as answer:
            self.beats.append(answer.status)


async def segments_of(web: aiohttp.ClientSession, play: dict[str, Any]) -> list[str]:
    """Addresses of the lowest rung's segments."""
    async with web.get(play["manifest_url"]) as answer:
        playlist = next(line for line in (await answer.text()).splitlines() if line and line[0] != "#")
    base = play["manifest_url"].rpartition("/")[0]
    async with web.get(f"{base}/{playlist}") as answer:
        names = [line for line in (await answer.text()).splitlines() if line and line[0] != "#"]
    return [f"{base}/{playlist.rpartition('/')[0]}/{name}" for name in names]


def figure(metrics: str, name: str) -> float:
    """One sample of the metrics."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics, re.MULTILINE)
    assert found, name
    return float(found[1])


def healed(metrics: str) -> bool:
    """Whether both backends are asked again, and nothing waits any more."""
    down = [figure(metrics, f'ott_backend_down{{backend="{backend}"}}') for backend in ("cache", "database")]
    return not any((*down, figure(metrics, "ott_playback_sessions_waiting")))


def prepared(data: Path, email: str, film: Path) -> str:
    """A folder with an owner and a film that is made wholly; the film's id."""
    server = Server(data, env=FAST)
    made = ("user", "create", "--email", email, "--name", "Mo", "--role", "owner", "--password-stdin")
    server.run(*made, stdin=f"{PASSWORD}\n")
    done = server.run("import", str(film), "--wait", "complete")
    return str(json.loads(done.stdout.splitlines()[-1])["video_id"])


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["error", "hang"])
async def test_a_hundred_players_notice_nothing_of_an_outage(
    faults: Faults, fault: Fault, tmp_path: Path, small_film: Path
) -> None:
    words = {"email": "mo@example.org", "password": PASSWORD}
    video_id = await asyncio.to_thread(prepared, tmp_path / "data", words["email"], small_film)
    settings = await asyncio.to_thread(
        load,
        {
            "data": str(tmp_path / "data"),
            "port": 0,
            "rate_limits": False,
            "playback": {"heartbeat_seconds": 1, "lease_seconds": 12},
        },
    )
    async with AsyncExitStack() as stack:
        rooms = await stack.enter_async_context(app.open_rooms(settings))
        url = await stack.enter_async_context(app.serving(rooms))
        web = await stack.enter_async_context(aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)))
        async with web.post("/api/v1/login", json=words) as answer:
            token = (await answer.json())["token"]
        headers = {"Authorization": f"Bearer {token}"}

        async def play(expected: int = 200) -> dict[str, Any]:
            async with web.get(f"/api/v1/play/{video_id}", headers=headers) as answer:
                assert answer.status == expected, await answer.text()
                found: dict[str, Any] = await answer.json()
                return found

        async def told() -> str:
            async with web.get("/metrics") as answer:
                return await answer.text()

        plays = [await play() for _ in range(20)]
        segments = [await segments_of(web, one) for one in plays]
        for address in segments[0]:
            async with web.get(address) as answer:
                assert answer.status == 200
        players = [Player(web, plays[n % 20], token, segments[n % 20]) for n in range(PLAYERS)]
        stop = asyncio.Event()
        running = asyncio.gather(*(player.run(stop) for player in players))
        await asyncio.sleep(1)
        faults.all(fault)
        await asyncio.sleep(4)
        begun = await play()
        during = await told()
        for backend in ("cache", "database"):
            assert figure(during, f'ott_backend_down{{backend="{backend}"}}') == 1
        assert figure(during, "ott_plays_granted_from_memory_total") == 1
        async with web.get("/readyz") as answer:
            assert answer.status == 503
            states = (await answer.json())["backends"]
            assert [name for name, state in states.items() if state != "ok"] == ["database", "cache"]
        faults.all("")
        after = await told()
        async with asyncio.timeout(60):
            while not healed(after):
                await asyncio.sleep(0.5)
                after = await told()
        stop.set()
        await running
        await asyncio.gather(*(player.settled() for player in players))
        assert sum(player.stalls for player in players) == 0
        assert {status for player in players for status in player.beats} == {200}
        # What began meanwhile is written by now: it can be ended as any other.
        async with web.delete(f"/api/v1/playback/{begun['session_id']}", headers=headers) as answer:
            assert answer.status == 204
