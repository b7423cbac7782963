from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.support.server import Server

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.conftest import StartServer

PASSWORD = "correct horse battery\n"


@pytest.fixture
def installation(tmp_path: Path) -> Server:
    """A data folder without a server."""
    return Server(tmp_path / "data")


def create(
    server: Server, email: str, *, password: str = PASSWORD, role: str = "member"
) -> subprocess.CompletedProcess[str]:
    """`user create`."""
    arguments = ("--email", email, "--name", "Anna Maria", "--role", role, "--password-stdin")
    return server.run("user", "create", *arguments, stdin=password, check=False)


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It failed, with one sentence in which these words are."""
    assert done.returncode != 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr.strip().splitlines()[-1]


def test_accounts_are_made_listed_and_granted(installation: Server) -> None:
    made = create(installation, "Anna@Example.org")
    assert made.returncode == 0
    user_id, email, role = made.stdout.strip().split("\t")
    assert (email, role) == ("Anna@Example.org", "member")
    assert create(installation, "olga@example.org", role="owner").returncode == 0
    listed = [line.split("\t") for line in installation.run("user", "list").stdout.splitlines()]
    assert [user_id, email, role, "Anna Maria"] in listed
    assert len(listed) == 2
    granted = installation.run("user", "grant", "--email", "ANNA@example.org", "--plan", "premium", "--days", "30")
    assert granted.stdout.startswith("Anna@Example.org has premium until 20")


def test_what_cannot_be_is_said_in_a_sentence(installation: Server) -> None:
    assert create(installation, "anna@example.org").returncode == 0
    refused(create(installation, "ANNA@example.org"), "account already")
    refused(create(installation, "ben@example.org", password="short\n"), "10")
    refused(create(installation, "not an address"), "address")
    refused(create(installation, "ben@example.org", role="king"), "role", "king")

    def grant(email: str, plan: str, days: str) -> subprocess.CompletedProcess[str]:
        return installation.run("user", "grant", "--email", email, "--plan", plan, "--days", days, check=False)

    refused(grant("nobody@example.org", "basic", "30"), "nobody@example.org")
    refused(grant("anna@example.org", "gold", "30"), "plan", "premium")
    refused(grant("anna@example.org", "basic", "0"), "days")
    assert len(installation.run("user", "list").stdout.splitlines()) == 1


def test_forgotten_password_is_replaced_and_every_device_signed_out(start_server: StartServer) -> None:
    server = start_server(OTT_REGISTRATION="off")
    assert create(server, "anna@example.org").returncode == 0
    api = f"{server.url}/api/v1"
    old = {"email": "anna@example.org", "password": PASSWORD.strip()}
    signed_in = requests.post(f"{api}/login", json=old, timeout=10).json()
    new = "another passphrase\n"
    changed = server.run("user", "password", "--email", "anna@example.org", "--password-stdin", stdin=new)
    assert "anna@example.org" in changed.stdout
    renewal = {"refresh_token": signed_in["refresh_token"]}
    assert requests.post(f"{api}/token/refresh", json=renewal, timeout=10).status_code == 401
    assert requests.post(f"{api}/login", json=old, timeout=10).status_code == 401
    assert requests.post(f"{api}/login", json={**old, "password": new.strip()}, timeout=10).status_code == 200
    nobody = server.run("user", "password", "--email", "x@example.org", "--password-stdin", stdin=new, check=False)
    refused(nobody, "no account", "x@example.org")


def test_where_registration_is_closed_only_operators_make_accounts(start_server: StartServer) -> None:
    server = start_server(OTT_REGISTRATION="off")
    api = f"{server.url}/api/v1"
    assert requests.get(f"{api}/setup", timeout=10).json() == {"needed": True, "registration": False}
    body = {"email": "eve@example.org", "password": PASSWORD.strip(), "name": "Eve"}
    answer = requests.post(f"{api}/register", json=body, timeout=10)
    assert answer.status_code == 403
    assert "whoever runs this server" in answer.json()["detail"]
