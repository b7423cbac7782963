"""A server with a real film, two viewers of different plans, and requests that nobody should send.

The program runs as it is started by hand. Units of requests come from a grammar with a seed: plain ones, which are
answered before the parser, bent ones, which are framed well and ask for anything, and broken ones; one after the other,
pipelined, in pieces. Every answer is read strictly: no 5xx, no byte beyond the ticket, and memory stays flat.
"""

from __future__ import annotations

import argparse
import json
import select
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import m3u8
import requests

from scripts.benches._films import FILM, ffmpeg
from scripts.fuzzing.grammar import Grammar, Viewer
from scripts.fuzzing.strict import Line, Wrong, judge, judge_part
from tests.support.server import Server

if TYPE_CHECKING:
    from scripts.fuzzing.grammar import Unit

OWNER, MEMBER, PASSWORD = "owner@example.org", "member@example.org", "a fuzzer's passphrase"
WARM_SHARE = 0.2
"""Of the requests, after which memory is looked at for the first time."""
GROWTH_LIMIT = 12_000_000
WAIT_SECONDS = 0.005
"""For the answer to what is broken, before the connection is ended from this side."""
PLANS = [
    {"id": name, "name": name, "price": 1, "currency": "INR", "quality": name, "max_height": height, "screens": 9}
    for name, height in (("small", 144), ("large", 240))
]
LADDER = [
    {"name": "v144", "width": 256, "height": 144, "maxrate": 100_000, "crf": 35},
    {"name": "v240", "width": 426, "height": 240, "maxrate": 200_000, "crf": 35},
]
SETTINGS = {
    "OTT_ACCOUNTS_BCRYPT_ROUNDS": "4",
    "OTT_ACCOUNTS_ACCESS_TOKEN_SECONDS": "86400",
    "OTT_TRANSCODE_PRESET": "ultrafast",
    "OTT_PLANS": json.dumps(PLANS),
    "OTT_HOUSE_PLAN": "small",
    "OTT_BILLING": "off",
    "OTT_TRANSCODE_LADDER": json.dumps(LADDER),
}


@dataclass
class Fuzzer:
    """Talks to a server that runs."""

    url: str
    pid: int
    viewers: list[Viewer]
    seed: int
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    _line: Line | None = None

    def run(self, requests_: int, seconds: float = float("inf")) -> int:
        """Send so many requests, or for so long; bytes by which the server grew after warming up. Raises `Wrong`."""
        parts = urlsplit(self.url)
        grammar = Grammar(self.seed, self.viewers, parts.netloc)
        deadline = time.monotonic() + seconds
        warm: int | None = None
        warm_at = time.monotonic() + WARM_SHARE * seconds
        while self.sent < requests_ and time.monotonic() < deadline:
            if warm is None and (self.sent >= WARM_SHARE * requests_ or time.monotonic() > warm_at):
                warm = memory(self.pid)
            unit = grammar.unit()
            try:
                self._talk(unit, parts.hostname or "", parts.port or 80)
            except (Wrong, ValueError, KeyError) as error:
                message = (
                    f"seed {self.seed}, request {self.sent}: {error}\nsent {unit.data[:6000]!r} cut at {unit.cuts}"
                )
                self._forget()
                raise Wrong(message) from error
        self._forget()
        return memory(self.pid) - (warm or 0)

    def _talk(self, unit: Unit, host: str, port: int) -> None:
        data = unit.data
        line = self._line = self._line or Line(host, port)
        try:
            for start, end in zip([0, *unit.cuts], [*unit.cuts, len(data)], strict=True):
                line.socket.sendall(data[start:end])
                if unit.cuts:
                    time.sleep(0.0003)
        except ConnectionError:
            self._forget()  # it was closed while this was on its way, as it may be at any time
            return
        opened = [viewer for viewer in self.viewers if viewer.ticket.encode() in data]
        for asked in unit.asked:
            self.sent += 1
            if not asked.whole:
                self._end(line, asked.method)
                return
            answer = line.answer(asked.method)
            while answer is not None and answer.status == 100:  # noqa: PLR2004 - continue
                answer = line.answer(asked.method)
            if answer is None:
                message = "a request without an answer"
                raise Wrong(message)
            judge(answer, asked.method, opened)
            judge_part(answer, asked, opened)
            self.statuses[answer.status] += 1
            if answer.closes:
                line.answer(asked.method)
                self._forget()
                return
        line.nothing_left()

    def _end(self, line: Line, method: str) -> None:
        """What comes back for something broken, if anything does; then the connection ends."""
        if not select.select([line.socket], [], [], WAIT_SECONDS)[0]:
            line.socket.shutdown(1)
        else:
            self._read_broken(line, method)
        self._forget()

    def _read_broken(self, line: Line, method: str) -> None:
        line.socket.settimeout(WAIT_SECONDS)
        try:
            while (answer := line.answer(method)) is not None:
                judge(answer, method, self.viewers)
                self.statuses[answer.status] += 1
        except Wrong as error:
            if not isinstance(error.__cause__, TimeoutError) and "broken off" not in str(error):
                raise

    def _forget(self) -> None:
        if self._line is not None:
            self._line.socket.close()
        self._line = None


def memory(pid: int) -> int:
    """Bytes that the process holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096


def viewers_of(server: Server, film: Path) -> list[Viewer]:
    """Import the film whole; the tickets of a member with the small plan and of an owner, who needs none."""
    for email, role in ((OWNER, "owner"), (MEMBER, "member")):
        words = ("user", "create", "--email", email, "--name", role, "--role", role, "--password-stdin")
        server.run(*words, stdin=PASSWORD)
    done = server.run("import", str(film), "--title", "Fuzz", "--wait", "complete")
    video_id = json.loads(done.stdout)["video_id"]
    opened = [_opened(server.url, email, video_id) for email in (OWNER, MEMBER)]
    beyond = tuple(path for path in opened[0][1] if path not in opened[1][1])
    found = []
    for ticket, files, etags, token in opened:
        manifests = tuple(f"/{video_id}/{name}" for name in ("master.m3u8", "manifest.mpd", "original.m3u8"))
        found.append(Viewer(ticket, files, etags, beyond, manifests, token))
    return [replace(found[0], beyond=("/nothing/beyond",)), found[1]]


def _opened(url: str, email: str, video_id: str) -> tuple[str, dict[str, bytes], dict[str, bytes], str]:
    """A ticket, all the media files that it opens, by path and by entity tag, and the token it was got with."""
    signed_in = requests.post(f"{url}/api/v1/login", json={"email": email, "password": PASSWORD}, timeout=30).json()
    headers = {"Authorization": f"Bearer {signed_in['token']}"}
    play = requests.get(f"{url}/api/v1/play/{video_id}", headers=headers, timeout=30).json()
    ticket = play["manifest_url"].split("/")[2]
    master_url = url + play["manifest_url"]
    master = m3u8.loads(requests.get(master_url, timeout=30).text)
    inside = [one.uri for one in master.playlists] + [media.uri for media in master.media if media.type == "AUDIO"]
    files: dict[str, bytes] = {}
    etags: dict[str, bytes] = {}
    for playlist_url in (urljoin(master_url, uri) for uri in inside):
        playlist = m3u8.loads(requests.get(playlist_url, timeout=30).text)
        for uri in (playlist.segment_map[0].uri, *(segment.uri for segment in playlist.segments)):
            answer = requests.get(urljoin(playlist_url, uri), timeout=30)
            answer.raise_for_status()
            path = urlsplit(answer.url).path.removeprefix(f"/media/{ticket}")
            files[path] = etags[answer.headers["ETag"]] = answer.content
    return ticket, files, etags, signed_in["token"]


def main() -> None:
    """Fuzz, and say what came back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        film = Path(folder) / "film.mp4"
        ffmpeg("-i", FILM, "-t", "6", "-vf", "scale=426:240", "-preset", "ultrafast", "-ac", "2", film)
        server = Server(Path(folder) / "data", env=SETTINGS)
        try:
            server.start()
            pid = server.process.pid if server.process else 0
            fuzzer = Fuzzer(server.url, pid, viewers_of(server, film), options.seed)
            begun = time.monotonic()
            try:
                grown = fuzzer.run(options.requests, options.seconds)
            except Wrong as wrong:
                sys.exit(f"{wrong}\n{server.log.read_text(errors='replace')[-3000:]}")
            took = time.monotonic() - begun
            errors = [line for line in server.log.read_text(errors="replace").splitlines() if "Traceback" in line]
        finally:
            server.close()
    counted = ", ".join(f"{status}: {count}" for status, count in sorted(fuzzer.statuses.items()))
    sys.stdout.write(
        f"seed {options.seed}: {fuzzer.sent} requests in {took:.0f} s ({fuzzer.sent / took:.0f}/s); {counted}; "
        f"memory grew {grown / 1e6:.1f} MB after warming up; {len(errors)} tracebacks in the log\n"
    )
    if grown > GROWTH_LIMIT or errors:
        sys.exit("memory grew, or something broke" if grown > GROWTH_LIMIT else "the log has tracebacks")


if __name__ == "__main__":
    main()
