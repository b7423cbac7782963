from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartServer


def serve(server: Server, *options: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    return server.run("serve", "--port", "0", *options, within=30, check=False)


@pytest.mark.parametrize(
    ("variables", "options", "named"),
    [
        ({}, ("--prot", "80"), "--prot"),
        ({}, ("--port", "many"), "port"),
        ({}, ("--roles", "web"), "roles"),
        ({}, ("--data", "/proc/nowhere"), "/proc/nowhere"),
        ({}, ("--host", "203.0.113.7"), "203.0.113.7"),
        ({"OTT_PROT": "80"}, (), "OTT_PROT"),
        ({"OTT_TRANSCODE_PRESET": "turbo"}, (), "transcode.preset"),
        ({"OTT_DATABASE_URL": "oracle://database"}, (), "oracle"),
    ],
    ids=lambda value: str(value) if value else "-",
)
def test_wrong_setting_ends_the_start_with_a_sentence(
    tmp_path: Path, variables: dict[str, str], options: tuple[str, ...], named: str
) -> None:
    done = serve(Server(tmp_path / "data", env=variables), *options)
    assert done.returncode == 2
    assert done.stdout == ""
    sentence = done.stderr.strip().splitlines()[-1]
    assert named in sentence
    assert "Traceback" not in done.stderr


def test_wrong_name_in_a_file_of_settings_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('prot = 80\nlog = "text"\n')
    done = serve(Server(tmp_path / "data"), "--config", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ottserver: prot: there is no such setting")


def test_a_data_folder_has_one_server(start_server: StartServer) -> None:
    server = start_server()
    second = serve(server)
    assert (second.returncode, second.stdout) == (2, "")
    assert "another server" in second.stderr
    assert str(server.data) in second.stderr
    assert requests.get(f"{server.url}/healthz", timeout=10).json() == {"status": "ok"}
    server.kill()
    server.start()
    assert requests.get(f"{server.url}/readyz", timeout=10).status_code == 200


def test_a_port_has_one_server(start_server: StartServer, tmp_path: Path) -> None:
    port = start_server().url.rpartition(":")[2]
    second = serve(Server(tmp_path / "other"), "--port", port)
    assert (second.returncode, second.stdout) == (2, "")
    assert port in second.stderr
    assert "in use" in second.stderr


def test_the_set_up_code_is_printed_until_there_is_an_owner(start_server: StartServer) -> None:
    server = start_server()
    assert server.set_up_code
    arguments = ("--email", "olga@example.org", "--name", "Olga", "--role", "owner", "--password-stdin")
    server.run("user", "create", *arguments, stdin="correct horse battery\n")
    needed = f"{server.url}/api/v1/setup"
    assert requests.get(needed, timeout=10).json() == {"needed": False, "registration": True}
    body = {"code": server.set_up_code, "email": "eve@example.org", "password": "correct horse", "name": "Eve"}
    assert requests.post(needed, json=body, timeout=10).status_code == 409


def test_address_that_can_be_typed_stands_for_all_of_them() -> None:
    addresses = ("http://0.0.0.0:8080/", "http://[::]:8080/", "http://127.0.0.1:8080/")
    code = f"from ottserver.commands.serve import reachable; print(*map(reachable, {addresses}))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    every, every_six, one = printed.stdout.split()
    assert re.fullmatch(r"http://[1-9][\d.]+:8080/", every)
    assert (every_six, one) == (every, addresses[2])
