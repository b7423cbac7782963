from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import m3u8
import pytest
import requests

from tests.flows.people import PASSWORD, Person, assert_problem, new_member, new_owner
from tests.flows.screens import fetch, text, tracks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.conftest import Cinema, StartQuick

WEB = {"X-OTT-Web": "1"}


@pytest.fixture
def film(cinema: Cinema) -> str:
    """A film that can be played, in 480p, 720p and 1080p."""
    cinema.owner.until(cinema.video_id, "playable", "complete")
    return cinema.video_id


def grant(cinema: Cinema, email: str, plan: str) -> None:
    """What an operator does on the command line, beside the running server."""
    cinema.server.run("user", "grant", "--email", email, "--plan", plan, "--days", "30")


def test_plan_opens_its_qualities_and_no_more(cinema: Cinema, film: str) -> None:
    member = new_member(cinema.server.url, "basil@example.org")
    assert "plan" in member.get(f"play/{film}", 402)["detail"]
    assert member.get("subscription")["status"] == "none"
    grant(cinema, "basil@example.org", "basic")
    subscription = member.get("subscription")
    assert (subscription["plan_id"], subscription["is_active"], subscription["renews"]) == ("basic", True, False)
    play = member.play(film)
    assert play["max_height"] == 720
    assert sorted(tracks(play["manifest_url"])) == ["480", "720", "audio"]
    assert 'height="1080"' not in text(play["dash_url"])
    allowed = tracks(play["manifest_url"])["720"]
    assert fetch(allowed.init).status_code == 200
    for url in (allowed.init, allowed.segments[0]):
        above = fetch(url.replace("/v720/", "/v1080/"))
        assert above.status_code == 403
        assert_problem(above)


def test_one_screen_at_a_time(cinema: Cinema, film: str) -> None:
    member = new_member(cinema.server.url, "sam@example.org")
    grant(cinema, "sam@example.org", "basic")
    first = member.play(film)
    segments = tracks(first["manifest_url"])["480"].segments
    assert fetch(segments[0]).status_code == 200
    elsewhere = member.sign_in()
    (in_use,) = elsewhere.get(f"play/{film}", 409)["sessions"]
    assert in_use["session_id"] == first["session_id"]
    new_member(cinema.server.url, "eve@example.org").ask("DELETE", f"playback/{first['session_id']}", 404)
    elsewhere.ask("DELETE", f"playback/{in_use['session_id']}", 204)
    second = elsewhere.play(film)
    beat = {"position": 1.0, "state": "playing"}
    member.post(f"playback/{first['session_id']}/heartbeat", beat, 410)
    assert fetch(segments[0]).status_code == 403
    assert fetch(segments[1]).status_code == 403
    assert elsewhere.post(f"playback/{second['session_id']}/heartbeat", beat)["lease_seconds"] > 0


def test_a_home_without_billing_remembers_positions_over_a_restart(start_quick: StartQuick, bbb_1080p: Path) -> None:
    server = start_quick(OTT_BILLING="off", OTT_HOUSE_PLAN="standard")
    owner = new_owner(server)
    video_id = json.loads(server.run("import", str(bbb_1080p)).stdout)["video_id"]
    owner.until(video_id, "playable", "complete")
    member = new_member(server.url, "mia@example.org")
    assert member.get("subscription")["plan_id"] == "standard"
    play = member.play(video_id)
    assert play["max_height"] == 1080
    member.post(f"playback/{play['session_id']}/heartbeat", {"position": 12.5, "state": "playing"})
    master = m3u8.loads(text(play["manifest_url"]))
    assert server.stop() == 0
    server.start()
    assert m3u8.loads(text(play["manifest_url"])).dumps() == master.dumps()
    member.post(f"playback/{play['session_id']}/heartbeat", {"position": 13.5, "state": "paused"})
    assert member.play(video_id)["resume_at"] == pytest.approx(13.5, abs=5)
    (entry,) = member.get("history")["results"]
    assert (entry["video_id"], entry["position"], entry["finished"]) == (video_id, 13.5, False)
    member.get(f"play/{video_id}", 409)
    member.ask("DELETE", f"history/{video_id}", 204)
    assert member.get("history")["total"] == 0


def test_refresh_token_works_once_and_its_reuse_ends_the_session(cinema: Cinema) -> None:
    member = new_member(cinema.server.url, "rita@example.org")
    nobody = Person(cinema.server.url)
    renewed = nobody.post("token/refresh", {"refresh_token": member.refresh_token})
    assert renewed["user_id"] == member.user_id
    assert renewed["refresh_token"] != member.refresh_token
    other = member.sign_in()
    nobody.post("token/refresh", {"refresh_token": member.refresh_token}, 401)
    nobody.post("token/refresh", {"refresh_token": renewed["refresh_token"]}, 401)
    Person(cinema.server.url, renewed["token"]).get("me", 401)
    assert other.get("me")["email"] == "rita@example.org"


def test_signing_out_ends_the_access_token(cinema: Cinema) -> None:
    member = new_member(cinema.server.url, "luca@example.org")
    other = member.sign_in()
    member.post("logout", {}, 204)
    member.get("me", 401)
    member.post("token/refresh", {"refresh_token": member.refresh_token}, 401)
    assert other.get("me")["user_id"] == member.user_id


def test_wrong_credentials_tell_nothing(cinema: Cinema) -> None:
    new_member(cinema.server.url, "tom@example.org")
    nobody = Person(cinema.server.url)
    answers = [
        nobody.post("login", {"email": email, "password": "not this one at all"}, 401)["detail"]
        for email in ("tom@example.org", "nobody@example.org")
    ]
    assert answers[0] == answers[1]
    nobody.post("register", {"email": "TOM@example.org", "password": PASSWORD, "name": "Tom"}, 409)
    errors = nobody.post("register", {"email": "tim@example.org", "password": "short", "name": "Tim"}, 422)["errors"]
    assert [error["field"] for error in errors] == ["password"]


def test_the_page_is_signed_in_by_cookies_that_other_sites_cannot_use(cinema: Cinema) -> None:
    new_member(cinema.server.url, "web@example.org")
    browser = requests.Session()
    api = f"{cinema.server.url}/api/v1"
    body = {"email": "web@example.org", "password": PASSWORD}
    signed_in = browser.post(f"{api}/login", json=body, headers=WEB, timeout=30)
    assert signed_in.status_code == 200
    set_cookies = signed_in.raw.headers.getlist("Set-Cookie")
    assert [cookie.partition("=")[0] for cookie in set_cookies] == ["ott_access", "ott_refresh", "ott_device"]
    assert all("HttpOnly" in cookie and "SameSite=Strict" in cookie for cookie in set_cookies)
    assert browser.get(f"{api}/me", timeout=30).json()["email"] == "web@example.org"

    def rename(**headers: str) -> requests.Response:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return browser.patch(f"{api}/me", json={"name": "Web"}, headers=fields, timeout=30)

    for refused in (
        rename(),
        rename(X_OTT_Web="1", Origin="https://evil.example"),
        rename(X_OTT_Web="1", Sec_Fetch_Site="cross-site"),
    ):
        assert refused.status_code == 403
        assert_problem(refused)
    assert rename(X_OTT_Web="1", Origin=cinema.server.url).json()["name"] == "Web"
    renewed = browser.post(f"{api}/token/refresh", json={}, headers=WEB, timeout=30)
    assert renewed.status_code == 200
    assert browser.post(f"{api}/logout", json={}, headers=WEB, timeout=30).status_code == 204
    assert browser.get(f"{api}/me", timeout=30).status_code == 401


def test_subscribing_waits_for_payments(cinema: Cinema) -> None:
    member = new_member(cinema.server.url, "paul@example.org")
    offered = member.get("subscriptions")["plans"]
    assert [(plan["id"], plan["price"], plan["screens"], plan["max_height"]) for plan in offered] == [
        ("basic", 199, 1, 720),
        ("standard", 499, 2, 1080),
        ("premium", 799, 4, 2160),
    ]
    wanted = {"plan_id": "basic", "payment_method": "card_123"}
    later = member.ask("POST", "subscribe", 503, body=wanted)
    assert int(later.headers["Retry-After"]) > 0
    assert member.get("subscription")["status"] == "none"


def test_too_many_tries_are_told_when_to_come_back(start_quick: StartQuick) -> None:
    server = start_quick(OTT_RATE_LIMITS="on", OTT_WEB_PEOPLE_PER_ADDRESS="10")
    answers: list[Any] = []
    while not answers or answers[-1].status_code == 403:
        assert len(answers) < 200
        body = {"code": "a guess", "email": "ada@example.org", "password": PASSWORD, "name": "Ada"}
        answers.append(requests.post(f"{server.url}/api/v1/setup", json=body, timeout=30))
    assert len(answers) > 10
    refused = answers[-1]
    assert refused.status_code == 429
    assert_problem(refused)
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    for answer in answers:
        assert answer.headers["RateLimit-Policy"].startswith('"sign-in";q=')
    remaining = [int(answer.headers["RateLimit"].partition("r=")[2].partition(";")[0]) for answer in answers]
    assert remaining == [*range(len(answers) - 2, -1, -1), 0]
    assert requests.get(f"{server.url}/api/v1/subscriptions", timeout=30).status_code == 200
