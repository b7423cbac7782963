"""People who use a running server over HTTP alone, and what they see."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.server import Server

T = TypeVar("T")

PASSWORD = "correct horse battery"
FAST = {"OTT_ACCOUNTS_BCRYPT_ROUNDS": "4", "OTT_TRANSCODE_PRESET": "ultrafast"}
"""What makes a server quick without making it do anything else."""
REQUEST_SECONDS = 60.0


@dataclass
class Person:
    """Somebody with an app: every answer is checked for the status that they expect and for a problem's shape."""

    url: str
    token: str = ""
    refresh_token: str = ""
    user_id: str = ""
    email: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What proves who they are."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def ask(
        self,
        method: str,
        path: str,
        expected: int = 200,
        *,
        body: Any = None,  # noqa: ANN401 - JSON
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """One request; `path` is from the server's root, or below /api/v1/ when it has no leading slash."""
        target = path if path.startswith("/") else f"/api/v1/{path}"
        answer = requests.request(
            method,
            self.url + target,
            json=body,
            data=data,
            headers={**self.headers, **(headers or {})},
            timeout=REQUEST_SECONDS,
        )
        assert answer.status_code == expected, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
        assert answer.headers["X-Request-Id"]
        if expected >= 400 and method != "HEAD":
            assert_problem(answer)
        return answer

    def get(self, path: str, expected: int = 200) -> Any:  # noqa: ANN401 - JSON
        """The JSON at a path."""
        return self.ask("GET", path, expected).json()

    def post(self, path: str, body: Any, expected: int = 200) -> Any:  # noqa: ANN401 - JSON
        """The JSON that answers a JSON body; nothing for 204."""
        answer = self.ask("POST", path, expected, body=body)
        return answer.json() if answer.content else None

    def sign_in(self) -> Person:
        """The same person on another device."""
        return _signed_in(self.url, self.post("login", {"email": self.email, "password": PASSWORD}), self.email)

    def play(self, video_id: str) -> dict[str, Any]:
        """A playback session that has begun; the addresses in it are absolute."""
        play: dict[str, Any] = self.get(f"play/{video_id}")
        for name in ("manifest_url", "dash_url"):
            play[name] = self.url + play[name]
        return play

    def video(self, video_id: str) -> dict[str, Any]:
        """A video as administrators see it."""
        video: dict[str, Any] = self.get(f"admin/videos/{video_id}")
        return video

    def until(self, video_id: str, *statuses: str, within: float = 100) -> dict[str, Any]:
        """The video as soon as it is in one of the statuses; a failure that was not waited for ends the wait."""

        def look() -> dict[str, Any] | None:
            video = self.video(video_id)
            return video if video["status"] in (*statuses, "failed") else None

        video = eventually(look, within=within)
        assert video["status"] in statuses, video["reason"]
        return video


def assert_problem(answer: requests.Response) -> None:
    """The answer is a problem document (RFC 9457) that says in a sentence what is wrong."""
    assert answer.headers["Content-Type"].startswith("application/problem+json"), answer.text[:500]
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"].endswith((".", "!", "?")), problem["detail"]
    assert "Traceback" not in answer.text


def _signed_in(url: str, answer: dict[str, Any], email: str) -> Person:
    return Person(url, answer["token"], answer["refresh_token"], answer["user_id"], email)


def new_owner(server: Server, email: str = "olga@example.org") -> Person:
    """The first owner, made with the set-up code that the server printed."""
    body = {"code": server.set_up_code, "email": email, "password": PASSWORD, "name": "Olga"}
    return _signed_in(server.url, Person(server.url).post("setup", body, 201), email)


def new_member(url: str, email: str) -> Person:
    """Somebody who has just registered."""
    body = {"email": email, "password": PASSWORD, "name": email.partition("@")[0]}
    return _signed_in(url, Person(url).post("register", body, 201), email)


def eventually(look: Callable[[], T | None], *, within: float = 30, every: float = 0.1) -> T:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found is not None:
            return found
        assert time.monotonic() < deadline, f"waited {within} seconds in vain"
        time.sleep(every)


@dataclass
class Listener:
    """Somebody who has the event stream open; follows it in a thread until the server ends it or `close`."""

    person: Person
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Connect, and wait for the greeting."""
        self._answer = requests.get(
            f"{self.person.url}/api/v1/admin/events", headers=self.person.headers, stream=True, timeout=REQUEST_SECONDS
        )
        assert self._answer.status_code == 200
        assert self._answer.headers["Content-Type"] == "text/event-stream"
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        eventually(lambda: self.events or None)

    def _follow(self) -> None:
        name = ""
        try:
            for line in self._answer.iter_lines(chunk_size=1):
                key, _, value = line.decode().partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    self.events.append((name, json.loads(value)))
        except (requests.RequestException, AttributeError, ValueError):
            # The stream ended: by the server, or because it was closed here while being read.
            return

    def statuses(self, video_id: str) -> list[str]:
        """The statuses that were told of the video, in order, each once."""
        told = [data["status"] for name, data in list(self.events) if name == "video" and data["video_id"] == video_id]
        return [status for index, status in enumerate(told) if index == 0 or told[index - 1] != status]

    def ended(self, *, within: float) -> bool:
        """Whether the server ends the stream in time."""
        self._thread.join(within)
        return not self._thread.is_alive()
