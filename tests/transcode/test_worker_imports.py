from __future__ import annotations

import subprocess
import sys


def test_a_worker_that_waits_holds_nothing_that_checks_json() -> None:
    """It is a twentieth of an idle server's memory, and of the time in which a worker starts."""
    words = "import sys, ottserver.transcode.worker; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    assert "av" in loaded
    assert not loaded & {"pydantic", "pydantic_core", "aiohttp", "sqlalchemy", "ssl"}
