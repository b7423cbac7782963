"""The short form of `scripts/fuzz`: a few thousand requests that nobody should send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.fuzzing.main import GROWTH_LIMIT, SETTINGS, Fuzzer, viewers_of
from tests.transcode.clips import Clip, Sound, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartServer

SEED = 20_261_125
REQUESTS = 3_000


def test_nothing_breaks_and_no_byte_is_served_beyond_a_ticket(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(data=None, **SETTINGS)
    film = write(Clip("film.mp4", size=(426, 240), seconds=4, sounds=(Sound(),)), tmp_path)
    assert server.process is not None
    fuzzer = Fuzzer(server.url, server.process.pid, viewers_of(server, film), SEED)
    assert fuzzer.run(REQUESTS) < GROWTH_LIMIT
    assert {200, 206, 304, 400, 403, 404, 416} <= fuzzer.statuses.keys()
    assert "Traceback" not in server.log.read_text()
