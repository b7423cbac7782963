from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.flows.conftest import LOWEST_RUNG
from tests.flows.people import FAST, Person, eventually, new_owner
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemathesis import CheckFunction
    from schemathesis.schemas import APIOperation

EXAMPLES = 8
ENDLESS = "/api/v1/admin/events"
UPLOADS = "/api/v1/uploads"
ABSENT = "01890000-0000-7000-8000-000000000000"

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


@dataclass(frozen=True)
class Stage:
    """A server of which anything may be asked, with an owner and a short film."""

    server: Server
    owner: Person
    video_id: str

    @property
    def url(self) -> str:
        """Where it serves."""
        return self.server.url


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, scene: Path) -> Iterator[Stage]:
    """One for all tests of this module; nobody else's."""
    folder = tmp_path_factory.mktemp("stage")
    (folder / "lowest.toml").write_text(LOWEST_RUNG)
    server = Server(folder / "data", env=FAST, options=("--config", str(folder / "lowest.toml")))
    try:
        server.start()
        owner = new_owner(server)
        done = server.run("import", str(scene), "--title", "Scene")
        stage = Stage(server, owner, json.loads(done.stdout)["video_id"])
        owner.until(stage.video_id, "complete")
        yield stage
        owner.sign_in().until(stage.video_id, "complete")
        assert "Traceback" not in server.log.read_text()
    finally:
        server.close()


def operations(stage: Stage) -> list[APIOperation[Any, Any, Any, Any]]:
    """Every operation of the document but the stream that never ends."""
    schema = schemathesis.openapi.from_url(f"{stage.url}/api/v1/openapi.json")
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(found) == len(list(schema.get_all_operations()))
    return [operation for operation in found if operation.path != ENDLESS]


def walk(operation: APIOperation[Any, Any, Any, Any], caller: Person) -> None:
    """Call an operation with made-up input that its part of the document allows, and hold the answers to it."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def call(case: schemathesis.Case[Any]) -> None:
        case.validate_response(case.call(headers=caller.headers, timeout=30), excluded_checks=excluded)

    # Whether an upload takes what is well-formed depends on what it holds already.
    excluded: list[CheckFunction] = [positive_data_acceptance] if operation.path.startswith(UPLOADS) else []
    call()


def test_every_route_answers_as_the_document_says(stage: Stage, subtests: pytest.Subtests) -> None:
    walked = operations(stage)
    assert len(walked) > 40
    for operation in walked:
        with subtests.test(msg=operation.label):
            # A session of its own, because one of the routes ends it; and ended, because one account has only so many.
            caller = stage.owner.sign_in()
            walk(operation, caller)
            requests.post(f"{stage.url}/api/v1/logout", headers=caller.headers, timeout=30)
    assert stage.owner.get("me")["role"] == "owner"


def test_reading_what_is_there_answers_as_the_document_says(stage: Stage, subtests: pytest.Subtests) -> None:
    # Its own pictures are there once it is encoded: before that it has rough ones, elsewhere.
    eventually(lambda: "/storyboard/" in (stage.owner.get(f"play/{stage.video_id}")["thumbnails_url"] or "") or None)
    play = stage.owner.get(f"play/{stage.video_id}")
    # The scene has no subtitles, and nothing of it is copied.
    lacking: tuple[str, ...] = () if play["subtitles"] else ("subtitles.vtt",)
    lacking += () if play.get("original") else ("original.m3u8", "original.mpd")
    picture = stage.owner.get("home")["rows"][0]["items"][0]["thumbnail_url"].split("/")
    ticket, presentation = play["manifest_url"].split("/")[2], picture[-2]
    names = {
        "video_id": stage.video_id,
        "title_id": stage.video_id,
        "video": stage.video_id,
        "session_id": play["session_id"],
        "presentation": presentation,
        "name": picture[-1],
        "ticket": ticket,
        "rendition": "v480",
        "index": "0",
        "slug": "drama",
    }
    stage.owner.ask("PATCH", f"admin/videos/{stage.video_id}", body={"genres": ["Drama"]})
    for operation in operations(stage):
        if operation.method.upper() != "GET":
            continue
        parameters = {parameter.name: names[parameter.name] for parameter in operation.path_parameters}
        with subtests.test(msg=operation.label):
            case = operation.Case(path_parameters=parameters)
            answer = case.call(headers=stage.owner.headers, timeout=30)
            assert answer.status_code == (404 if operation.path.endswith(lacking) else 200)
            case.validate_response(answer)


def exchange(stage: Stage, data: bytes) -> tuple[int, bytes]:
    """Bytes as they are on a connection of their own; the status and the whole of what comes back."""
    address = urlsplit(stage.url)
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        # A server that has refused a request may close before it has read all of it.
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                received += part
    assert received.startswith(b"HTTP/1."), received[:200]
    return int(received.split(b" ", 2)[1]), received


def head(method: str, path: str, *fields: str, version: str = "1.1") -> bytes:
    """A request's head, after whose answer the connection ends."""
    lines = [f"{method} {path} HTTP/{version}", "Host: films.example", "Connection: close", *fields, "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


LOGIN = "/api/v1/login"
JSON = {"Content-Type": "application/json"}
GOOD_SIGN_IN = '{"email": "a@example.org", "password": "correct horse battery"}'


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ("", JSON, 422),
        ("[]", JSON, 422),
        ("null", JSON, 422),
        ('"text"', JSON, 422),
        ("{", JSON, 400),
        ('{"email": "a@example.org", "password": NaN}', JSON, (400, 422)),
        ('{"email": "a@example.org"}', JSON, 422),
        ('{"email": 5, "password": []}', JSON, 422),
        ('{"email": "a@example.org", "password": "x", "more": 1}', JSON, 422),
        (b'{"email": "\xff\xfe", "password": "x"}', JSON, 400),
        ('{"email": "a\\ud800@example.org", "password": "x"}', JSON, (400, 401, 422)),
        ('{"email": "\\u0000", "password": "\\u0000"}', JSON, (401, 422)),
        ("[" * 100_000, JSON, (400, 422)),
        ('{"a":' * 40_000 + "1" + "}" * 40_000, JSON, (400, 422)),
        ('{"email": "' + "x" * 1_000_000 + '"}', JSON, 413),
        ('{"email": "a@example.org", "password": "' + "9" * 200_000 + '"}', JSON, 422),
        (GOOD_SIGN_IN, {"Content-Type": "text/plain"}, 415),
        (GOOD_SIGN_IN, {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (GOOD_SIGN_IN, {}, 415),
        (GOOD_SIGN_IN, {**JSON, "Content-Encoding": "gzip"}, 415),
        (GOOD_SIGN_IN, JSON, 401),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, (str, bytes)) else None,
)
def test_bad_bodies_are_told_what_is_wrong(
    stage: Stage, body: str | bytes, headers: dict[str, str], status: int | tuple[int, ...]
) -> None:
    answer = requests.post(f"{stage.url}{LOGIN}", data=body, headers=headers, timeout=30)
    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), answer.text[:500]
    problem = answer.json()
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert problem["detail"]
    assert (answer.status_code == 422) == ("errors" in problem)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "search/nothing", None, 404),
        ("GET", f"videos/{ABSENT}/metadata", None, 404),
        ("GET", "videos/1/metadata", None, 404),
        ("GET", "videos/%00/metadata", None, 404),
        ("GET", f"titles/{'9' * 3000}", None, 404),
        ("GET", f"play/{ABSENT}", None, 404),
        ("GET", "play/me?profile=nobody", None, 404),
        ("POST", f"play/{ABSENT}", {}, 405),
        ("PUT", "me", {}, 405),
        ("TRACE", "me", None, 405),
        ("PATCH", "me", {"name": ""}, 422),
        ("PATCH", "me", {"name": "x" * 10_000}, 422),
        ("PATCH", "me", {"name": "\x00"}, 422),
        ("PATCH", "me", {"email": "nobody"}, 422),
        ("DELETE", "me", None, 409),
        ("GET", "history?page=0", None, 422),
        ("GET", "history?page=-1", None, 422),
        ("GET", "history?page=1e9", None, 422),
        ("GET", "history?limit=101", None, 422),
        ("GET", "history?limit=many", None, 422),
        ("GET", "admin/videos?page=99999999999999999999", None, 422),
        ("GET", "categories/%2e%2e%2f%2e%2e", None, 404),
        ("GET", "artwork/x/poster.jpg", None, 404),
        ("GET", "artwork/../../secret", None, 404),
        ("POST", f"playback/{ABSENT}/heartbeat", {"position": 1, "state": "playing"}, 404),
        ("POST", f"playback/{ABSENT}/heartbeat", {"position": -1, "state": "playing"}, 422),
        ("POST", f"playback/{ABSENT}/heartbeat", {"position": 1e400, "state": "playing"}, 422),
        ("POST", f"playback/{ABSENT}/heartbeat", {"position": "1", "state": "dancing"}, 422),
        ("DELETE", f"playback/{ABSENT}", None, 404),
        ("POST", "subscribe", {"plan_id": "gold", "payment_method": "sandbox"}, 404),
        ("POST", "subscribe", {"plan_id": "basic", "payment_method": "cash"}, 422),
        ("POST", "admin/videos", {"upload_id": ABSENT, "title": "Nothing"}, 404),
        ("POST", "admin/videos", {"upload_id": "../../secret", "title": "Nothing"}, 422),
        ("POST", "admin/videos", {"upload_id": ABSENT, "title": " "}, 422),
        ("POST", "admin/videos", {"upload_id": ABSENT, "title": "x", "year": 1e300}, 422),
        ("PATCH", f"admin/videos/{ABSENT}", {"title": "x"}, 404),
        ("DELETE", f"admin/videos/{ABSENT}", None, 404),
        ("GET", "/media/x/y/master.m3u8", None, 403),
        ("GET", f"/media/{'A' * 100}/{ABSENT}/master.m3u8", None, 403),
        ("GET", f"/media/{'A' * 100}/../../api/v1/me", None, (403, 404)),
        ("GET", "/media/", None, 403),
        ("GET", f"/media/{'x' * 6000}", None, 403),
        ("GET", "/static/%2e%2e/config/default.toml", None, 404),
        ("GET", "/static/..%2f..%2fetc/passwd", None, 404),
        ("GET", "/static/%00", None, 404),
        ("GET", "/vendor/../package.json", None, 404),
        ("GET", "/nowhere", None, 404),
        ("POST", "/", {}, 405),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, str) else None,
)
def test_bad_requests_are_told_what_is_wrong(
    stage: Stage, method: str, path: str, body: object, status: int | tuple[int, ...]
) -> None:
    fields = [f"Authorization: Bearer {stage.owner.token}"]
    data = b""
    if body is not None:
        data = json.dumps(body).replace("Infinity", "1e400").encode()
        fields += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    target = path if path.startswith("/") else f"/api/v1/{path}"
    found, answer = exchange(stage, head(method, target, *fields) + data)
    assert found in (status if isinstance(status, tuple) else (status,)), answer[:1000]
    fields_of, _, text = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in fields_of
    assert b"X-Request-Id" in fields_of
    problem = json.loads(text)
    assert problem["status"] == found
    assert problem["detail"]


BAD_HTTP: dict[str, tuple[bytes, int | tuple[int, ...]]] = {
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two hosts": (head("GET", "/healthz", "Host: twice.example"), 400),
    "HTTP/9.9": (head("GET", "/healthz", version="9.9"), 400),
    "long field": (head("GET", "/healthz", "X-Long: " + "x" * 20_000), 400),
    "long path": (head("GET", "/" + "x" * 20_000), 400),
    "many fields": (head("GET", "/healthz", *(f"X-{n}: {n}" for n in range(500))), 400),
    "bad field name": (head("GET", "/healthz", "Bad Name: x"), 400),
    "bytes in a field": (head("GET", "/healthz", "X-Bytes: \udcff\udcfe"), 200),
    "unknown method": (head("BREW", "/healthz"), (400, 405)),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n", 400),
    "two lengths": (head("POST", LOGIN, "Content-Length: 10", "Content-Length: 20") + b"{}" * 10, 400),
    "negative length": (head("POST", LOGIN, "Content-Length: -5") + b"{}", 400),
    "length and chunks": (head("POST", LOGIN, "Content-Length: 9", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "bad chunk": (
        head("POST", LOGIN, "Content-Type: application/json", "Transfer-Encoding: chunked") + b"zz\r\n{}",
        400,
    ),
    "two tokens": (head("GET", "/api/v1/me", "Authorization: Bearer x", "Authorization: Bearer y"), (400, 401)),
    "another scheme": (head("GET", "/api/v1/me", "Authorization: Basic b2xnYTpvbGdh"), 401),
    "bytes in a cookie": (head("GET", "/api/v1/me", "Cookie: ott_access=\udcff; ott_access=x"), 401),
    "unknown expectation": (head("GET", "/healthz", "Expect: a miracle"), 417),
}


@pytest.mark.parametrize(("data", "status"), BAD_HTTP.values(), ids=BAD_HTTP)
def test_bad_http_gets_an_answer_and_an_end(stage: Stage, data: bytes, status: int | tuple[int, ...]) -> None:
    found, answer = exchange(stage, data)
    assert found in (status if isinstance(status, tuple) else (status,)), answer[:1000]
    if found >= 400:
        assert b"application/problem+json" in answer


def test_half_closed_connections_do_not_hang(stage: Stage) -> None:
    whole = head("GET", "/healthz")
    cut = head("POST", LOGIN, "Content-Type: application/json", "Content-Length: 100") + b'{"email": "'
    address = urlsplit(stage.url)
    for data in (whole, cut):
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while answer := connection.recv(65536):
                assert b" 500 " not in answer
    assert stage.owner.get("/healthz")["status"] == "ok"


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("bytes=0-0", 206),
        ("bytes=99999999999999999999-", 416),
        ("bytes=5-2", 200),
        ("bytes=-0", 416),
        ("bytes=a-b", 200),
        ("bytes=0-1,4-5", (200, 206)),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(1000)), (200, 416)),
        ("lines=1-2", 200),
        ("bytes=0-99999999999999999999", (200, 206)),
        ("bytes=\N{SUPERSCRIPT TWO}-5", 200),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_absurd_ranges_are_ignored_or_refused(stage: Stage, value: str, status: int | tuple[int, ...]) -> None:
    play = stage.owner.get(f"play/{stage.video_id}")
    presentation = stage.owner.video(stage.video_id)["thumbnail_url"].split("/")[-2]
    inside = f"{play['manifest_url'].rpartition('/')[0]}/{presentation}/v480/0.m4s"
    found, _ = exchange(stage, head("GET", inside, f"Range: {value}"))
    stage.owner.ask("DELETE", f"playback/{play['session_id']}", 204)
    assert found in (status if isinstance(status, tuple) else (status,))
