"""Debian's nginx with the configuration that we ship, in front of a server that a test has started."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.server import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = ROOT / "config/edge/nginx.conf"
START_SECONDS = 10.0


@dataclass
class Nginx:
    """The shipped file in a folder of its own: what a user fits to the machine is fitted to the test."""

    folder: Path
    origin: str
    """Host and port of the server behind it."""
    tls: tuple[Path, Path] | None = None
    """Certificate and key; with them it serves HTTP/2 over TLS, by the lines that the file has as comments."""
    patient: bool = True
    """Whether it waits longer than shipped for an answer about a ticket: a machine that runs tests is a busy one."""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def logged(self) -> str:
        """All that it has written into its logs."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def start(self) -> Nginx:
        """Write the file, let nginx check it, and serve."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        path = self.folder / "nginx.conf"
        path.write_text(self._configuration())
        words = [program(), "-p", str(self.folder), "-c", str(path), "-e", str(self.folder / "error.log")]
        checked = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False, timeout=START_SECONDS)
        assert checked.returncode == 0, checked.stderr
        assert "[warn]" not in checked.stderr, checked.stderr
        self.process = subprocess.Popen([*words, "-g", "daemon off;"])
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, self.logged
                time.sleep(0.02)
            else:
                return self

    def stop(self) -> None:
        """End it and its workers at once."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(START_SECONDS)

    def _configuration(self) -> str:
        text = CONFIGURATION.read_text()
        fits = {
            "user www-data;": "user root;" if os.geteuid() == 0 else "",
            "/run/nginx.pid": f"{self.folder}/nginx.pid",
            "/var/log/nginx/": f"{self.folder}/",
            "/var/lib/nginx/": f"{self.folder}/cache-",
            "/dev/shm/ottserver-": f"{self.folder}/cache-",  # noqa: S108 - the shipped path
            "127.0.0.1:8080": self.origin,
            "listen 80;": "" if self.tls else f"listen 127.0.0.1:{self.port};",
            "http {": "http {" + "".join(f"\n    {kind}_temp_path {self.folder}/{kind};" for kind in _TEMPORARY),
        }
        if self.patient:
            fits |= {
                "proxy_read_timeout 1500ms;": "proxy_read_timeout 20s;",
                "connect_timeout 500ms": "connect_timeout 5s",
            }
        if self.tls:
            fits |= {
                "#listen 443 ssl http2;": f"listen 127.0.0.1:{self.port} ssl http2;",
                "#ssl_certificate     /etc/ssl/ottserver/fullchain.pem": f"ssl_certificate {self.tls[0]}",
                "#ssl_certificate_key /etc/ssl/ottserver/privkey.pem": f"ssl_certificate_key {self.tls[1]}",
            }
        for shipped, fitted in fits.items():
            assert shipped in text, f"{CONFIGURATION.name} has no {shipped!r} any more"
            text = text.replace(shipped, fitted)
        return text


_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody has signed, and its key."""
    found, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(found)),
        ],
        check=True,
        capture_output=True,
        timeout=START_SECONDS,
    )
    return found, key


def program() -> str:
    """Where nginx is; "" where this machine lacks it, or openssl."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return found if found and shutil.which("openssl") else ""
