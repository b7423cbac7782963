from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def installation(tmp_path: Path) -> Server:
    """A data folder with one account, and no server."""
    server = Server(tmp_path / "data")
    arguments = ("user", "create", "--email", "ada@example.com", "--name", "Ada", "--role", "owner", "--password-stdin")
    server.run(*arguments, stdin="correct horse battery\n")
    return server


def test_backup_and_restore_bring_an_installation_to_another_folder(installation: Server, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    assert str(file) in installation.run("backup", str(file)).stdout
    other = Server(tmp_path / "other")
    other.run("restore", str(file))
    assert other.run("user", "list").stdout == installation.run("user", "list").stdout
    again = other.run("restore", str(file), check=False)
    assert again.returncode == 1
    assert again.stderr.startswith("ottserver: This installation is not empty: its table accounts has rows.")


def test_restore_is_refused_while_a_server_runs(installation: Server, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    installation.run("backup", str(file))
    other = Server(tmp_path / "other")
    other.run("migrate")
    with (other.data / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = other.run("restore", str(file), check=False)
    assert refused.returncode == 1
    assert "stop it first" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("backup", "nowhere/backup.tar"), "nowhere/backup.tar: No such file or directory"),
        (("restore", "nothing.tar"), "nothing.tar: No such file or directory"),
        (("restore", "setup.cfg"), "setup.cfg is not a backup of ottserver."),
    ],
)
def test_file_that_will_not_do_ends_in_a_sentence(arguments: tuple[str, str], sentence: str, tmp_path: Path) -> None:
    done = Server(tmp_path / "data").run(*arguments, check=False)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_migrate_says_where_the_schema_is(tmp_path: Path) -> None:
    assert Server(tmp_path / "data").run("migrate").stdout.startswith("the database has schema 00")


def test_doctor_finds_nothing_wrong_with_an_installation_that_is_well(installation: Server) -> None:
    done = installation.run("doctor", check=False)
    findings = dict(line[6:].split(": ", 1) for line in done.stdout.splitlines())
    assert {"settings", "data folder", "disk space", "database", "facts", "blobs", "cache", "ffmpeg"} <= set(findings)
    assert findings["database"] == "sqlite"
    assert findings["ffmpeg"].startswith("PyAV ")
    ill = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert (done.returncode == 0) == (not ill)
    assert all(line.split()[1] in ("disk", "front") for line in ill), "only the machine may be ill here"


def test_doctor_says_what_to_mend(installation: Server) -> None:
    installation.data.chmod(0o755)
    (installation.data / "ottserver.db").write_bytes(b"not a database " * 100)
    for leftover in ("ottserver.db-wal", "ottserver.db-shm"):
        (installation.data / leftover).unlink(missing_ok=True)
    os.truncate(installation.data / "secret", 3)
    done = installation.run("doctor", check=False)
    assert done.returncode == 1
    assert "FAIL  data folder: " in done.stdout
    assert "FAIL  database: database_url: " in done.stdout
    assert "ok    blobs: file" in done.stdout


def test_doctor_does_not_start_with_a_setting_that_is_wrong(tmp_path: Path) -> None:
    done = Server(tmp_path / "data", env={"OTT_PORT": "eighty"}).run("doctor", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("ottserver: port: ")
