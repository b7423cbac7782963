"""The real program as a child process, for tests that meet it from outside as its users do."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]

_READY = re.compile(r"^ottserver ready on (http://\S+:(\d+)/)$")
_SET_UP = re.compile(r"#setup=(\S+)")


class ServerFailed(AssertionError):
    """The program did not do what its contract says; the message ends with what it logged."""


@dataclass
class Server:
    """`python -m ottserver serve` on a folder of its own, to be stopped, killed and started again."""

    data: Path
    """The folder that holds everything."""
    env: dict[str, str] = field(default_factory=dict)
    """OTT_* variables on top of the few that tests need; none is inherited."""
    options: tuple[str, ...] = ()
    """More words for the command line."""
    url: str = ""
    """Where it serves, such as http://127.0.0.1:34567 (no slash at the end); the same after a restart."""
    process: subprocess.Popen[str] | None = None
    _lines: queue.Queue[str] = field(default_factory=queue.Queue)
    _set_up_code: str = ""
    _groups: list[int] = field(default_factory=list)

    @property
    def log(self) -> Path:
        """The file that takes what it says on standard error, over all its starts."""
        return self.data.with_name(f"{self.data.name}.log")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it, and commands beside it, run with."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTT_")}
        return {**inherited, "OTT_DATA": str(self.data), "OTT_RATE_LIMITS": "off", **self.env}

    @property
    def set_up_code(self) -> str:
        """The code that makes the first owner, as printed by the start that found none."""
        while not self._set_up_code:
            found = _SET_UP.search(self._line(within=10))
            self._set_up_code = found.group(1) if found else ""
        return self._set_up_code

    def start(self, *, within: float = 60) -> Server:
        """Start it and wait up to `within` seconds for its ready line; raises `ServerFailed` without it."""
        if self.process is not None and self.process.poll() is None:
            raise ServerFailed("the server runs already")
        port = self.url.rpartition(":")[2] or "0"
        self._lines = queue.Queue()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ottserver", "serve", "--port", port, "--data", str(self.data), *self.options],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._groups.append(self.process.pid)
        if self.process.stdout is not None:
            threading.Thread(target=_drain, args=(self.process.stdout, self._lines), daemon=True).start()
        first = self._line(within=within)
        ready = _READY.match(first)
        if ready is None:
            raise self._failed(f"its first line is not the ready line: {first!r}")
        self.url = ready.group(1).rstrip("/")
        return self

    def stop(self, *, within: float = 30) -> int:
        """Ask it to drain (SIGTERM) and wait up to `within` seconds; its exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise self._failed(f"it had not ended {within} seconds after SIGTERM") from None

    def kill(self) -> None:
        """End it at once, as a power cut would (SIGKILL to the serving process alone)."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def run(
        self, *arguments: str, stdin: str | None = None, within: float = 120, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m ottserver ARGUMENTS` on the same data, beside the server or without it.

        With `check`, raises `ServerFailed` when the command's status is not 0.
        """
        done = subprocess.run(
            [sys.executable, "-m", "ottserver", *arguments],
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        if check and done.returncode != 0:
            raise ServerFailed(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done

    def close(self) -> None:
        """End it and whatever it left behind."""
        try:
            if self.process is not None and self.process.poll() is None:
                self.stop()
        finally:
            for group in self._groups:
                _kill_group(group)

    def _line(self, *, within: float) -> str:
        deadline = time.monotonic() + within
        while True:
            try:
                return self._lines.get(timeout=0.1)
            except queue.Empty:
                if self.process is None or (self.process.poll() is not None and self._lines.empty()):
                    raise self._failed("it ended before it said what was waited for") from None
                if time.monotonic() > deadline:
                    raise self._failed(f"it said nothing on standard output for {within} seconds") from None

    def _failed(self, what: str) -> ServerFailed:
        logged = self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
        return ServerFailed(f"ottserver: {what}\n{logged}")


def _drain(stream: IO[str], lines: queue.Queue[str]) -> None:
    with stream:
        for line in stream:
            lines.put(line.rstrip("\n"))


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
