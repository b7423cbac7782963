from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.flows.people import PASSWORD, assert_problem, eventually, new_member
from tests.flows.screens import fetch, tracks

if TYPE_CHECKING:
    from tests.flows.conftest import Cinema
    from tests.flows.people import Person

BEAT: dict[str, Any] = {"position": 1.0, "state": "playing"}


@pytest.fixture
def film(cinema: Cinema) -> str:
    """A film that can be played, in 480p, 720p and 1080p."""
    cinema.owner.until(cinema.video_id, "playable", "complete")
    return cinema.video_id


def member_with(cinema: Cinema, email: str, plan: str) -> Person:
    """Somebody new with a plan."""
    member = new_member(cinema.server.url, email)
    cinema.server.run("user", "grant", "--email", email, "--plan", plan, "--days", "30")
    return member


def beat_is(person: Person, session_id: str, status: int) -> requests.Response:
    """What a heartbeat is answered, as soon as that is its status: at most two seconds later."""

    def look() -> requests.Response | None:
        url = f"{person.url}/api/v1/playback/{session_id}/heartbeat"
        answer = requests.post(url, json=BEAT, headers=person.headers, timeout=10)
        return answer if answer.status_code == status else None

    return eventually(look, within=2)


def test_third_device_is_told_what_plays_and_takes_a_screen_over(cinema: Cinema, film: str) -> None:
    sofa = member_with(cinema, "stan@example.org", "standard")
    kitchen, train = sofa.sign_in(), sofa.sign_in()
    plays = [sofa.play(film), kitchen.play(film)]
    segment = tracks(plays[0]["manifest_url"])["480"].segments[0]
    assert fetch(segment).status_code == 200
    sofa.post(f"playback/{plays[0]['session_id']}/heartbeat", {"position": 7.5, "state": "playing"})
    listed = train.get(f"play/{film}", 409)["sessions"]
    assert [(entry["session_id"], entry["title"], entry["position"]) for entry in listed] == [
        (plays[0]["session_id"], "Big Buck Bunny", 7.5),
        (plays[1]["session_id"], "Big Buck Bunny", 0),
    ]
    train.ask("DELETE", f"playback/{plays[0]['session_id']}", 204)
    ended = time.monotonic()
    refused = fetch(segment)
    assert refused.status_code == 403
    assert_problem(refused)
    assert beat_is(sofa, plays[0]["session_id"], 410).json()["reason"] == "elsewhere"
    assert time.monotonic() - ended < 2
    train.play(film)
    kitchen.post(f"playback/{plays[1]['session_id']}/heartbeat", BEAT)


def test_plan_that_is_cut_reaches_who_plays(cinema: Cinema, film: str) -> None:
    member = member_with(cinema, "petra@example.org", "premium")
    cinema.server.run("user", "grant", "--email", "petra@example.org", "--plan", "basic", "--days", "30")
    play = member.play(film)
    assert play["max_height"] == 2160
    cinema.server.run("user", "withdraw", "--email", "petra@example.org", "--plan", "premium")

    def lowered() -> bool | None:
        answer = member.post(f"playback/{play['session_id']}/heartbeat", BEAT)
        return answer["max_height"] == 720 or None

    eventually(lowered, within=5)
    cinema.server.run("user", "withdraw", "--email", "petra@example.org", "--plan", "basic")
    assert beat_is(member, play["session_id"], 410).json()["reason"] == "plan"
    assert fetch(play["manifest_url"]).status_code == 403
    member.get(f"play/{film}", 402)


def test_device_that_is_signed_out_plays_no_longer(cinema: Cinema, film: str) -> None:
    here = member_with(cinema, "sid@example.org", "standard")
    there = here.sign_in()
    plays = {person.token: person.play(film) for person in (here, there)}
    there.post("logout", {}, 204)
    eventually(lambda: fetch(plays[there.token]["manifest_url"]).status_code == 403 or None, within=5)
    assert fetch(plays[here.token]["manifest_url"]).status_code == 200
    assert len(here.get("me")["email"]) > 0


def test_account_that_is_shut_out_plays_no_longer_until_it_is_let_in(cinema: Cinema, film: str) -> None:
    member = member_with(cinema, "ben@example.org", "standard")
    play = member.play(film)
    assert fetch(play["manifest_url"]).status_code == 200
    path = f"admin/accounts/{member.user_id}"
    member.ask("PATCH", path, 403, body={"disabled": True})
    cinema.owner.ask("PATCH", f"admin/accounts/{cinema.owner.user_id}", 403, body={"disabled": True})
    shut_out = cinema.owner.ask("PATCH", path, body={"disabled": True}).json()
    assert shut_out["disabled_at"]
    eventually(lambda: fetch(play["manifest_url"]).status_code == 403 or None, within=5)
    member.get("me", 401)
    member.post("token/refresh", {"refresh_token": member.refresh_token}, 401)
    words = {"email": "ben@example.org", "password": PASSWORD}
    assert "shut out" in member.post("login", words, 403)["detail"]
    member.post("login", {**words, "password": "not this one"}, 401)
    cinema.server.run("user", "enable", "--email", "ben@example.org")
    again = member.sign_in()
    play = again.play(film)
    listed = cinema.owner.get("admin/accounts?limit=100")["results"]
    assert {"ben@example.org": None}.items() <= {entry["email"]: entry["disabled_at"] for entry in listed}.items()
    cinema.server.run("user", "disable", "--email", "ben@example.org")  # a process and a cache of its own
    eventually(lambda: fetch(play["manifest_url"]).status_code == 403 or None, within=5)
    url = f"{again.url}/api/v1/play/{film}"
    eventually(lambda: requests.get(url, headers=again.headers, timeout=10).status_code == 401 or None, within=5)
