from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from ottserver import errors
from ottserver.web.heads import redacted
from ottserver.web.problems import STATUS
from ottserver.web.routing import Access, Call, NoBody, NoQuery, Reply, RequestModel, Route

if TYPE_CHECKING:
    from tests.web.conftest import Serve, Site

HOST = b"Host: a\r\n"


class Name(RequestModel):
    name: str


async def _ok(_call: Call[NoBody, NoQuery]) -> Reply:
    return Reply({"ok": True})


async def _echo(call: Call[Name, NoQuery]) -> Reply:
    return Reply({"name": call.body.name})


async def _broken(_call: Call[NoBody, NoQuery]) -> Reply:
    message = "a secret of the inside"
    raise RuntimeError(message)


async def _slow(_call: Call[NoBody, NoQuery]) -> Reply:
    raise TimeoutError


async def _breaks_off(call: Call[NoBody, NoQuery]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(call.request)
    await response.write(b"begun")
    raise errors.Busy("Nobody may read this.")


ROUTES = [
    Route("GET", "/ok", _ok, "Ok", access=Access.PUBLIC),
    Route("POST", "/echo", _echo, "Echo", access=Access.PUBLIC, body=Name),
    Route("GET", "/broken", _broken, "Broken", access=Access.PUBLIC),
    Route("GET", "/slow", _slow, "Slow", access=Access.PUBLIC),
    Route("GET", "/breaks-off", _breaks_off, "Breaks off", access=Access.PUBLIC),
    Route("DELETE", "/ok", _ok, "Delete", access=Access.PUBLIC),
]


@pytest.fixture
async def site(serve: Serve) -> Site:
    return await serve(ROUTES)


@pytest.mark.parametrize("kind", list(STATUS))
async def test_every_domain_error_has_its_status(serve: Serve, kind: type[errors.OttError]) -> None:
    async def fail(_call: Call[NoBody, NoQuery]) -> Reply:
        if issubclass(kind, errors.TooMany):
            raise kind("A sentence.", retry_after=7.2)
        if issubclass(kind, errors.Busy):
            raise kind("A sentence.", retry_after=7.2)
        raise kind("A sentence.", errors=(errors.FieldError("f", "is wrong"),), extra={"sessions": [1]})

    site = await serve([Route("GET", "/", fail, "Fail", access=Access.PUBLIC)])
    answer = await site.call("GET", "/")
    found = answer.problem(int(STATUS[kind]))
    assert found["detail"] == "A sentence."
    assert found["title"] == kind.title
    if issubclass(kind, (errors.TooMany, errors.Busy)):
        assert answer.headers["Retry-After"] == "8"
    else:
        assert found["errors"] == [{"field": "f", "message": "is wrong"}]
        assert found["sessions"] == [1]
    assert ("WWW-Authenticate" in answer.headers) == (kind is errors.NotAuthenticated)


def test_every_domain_error_is_in_the_table() -> None:
    kinds = set(errors.OttError.__subclasses__())
    kinds |= {below for kind in kinds for below in kind.__subclasses__()}
    assert {kind for kind in kinds if kind.__module__ == "ottserver.errors"} == set(STATUS)


async def test_handler_that_breaks_gives_no_inside_away(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    answer = await site.call("GET", "/broken")
    assert "secret" not in answer.body.decode()
    assert answer.headers["X-Request-Id"] in answer.problem(500)["detail"]
    logged = [record for record in caplog.records if answer.headers["X-Request-Id"] in record.getMessage()]
    assert logged[0].exc_info is not None


async def test_timeout_is_worth_another_try(site: Site) -> None:
    answer = await site.call("GET", "/slow")
    answer.problem(503)
    assert int(answer.headers["Retry-After"]) > 0


async def test_answer_that_fails_after_its_head_is_cut_short(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET /breaks-off HTTP/1.1\r\n" + HOST + b"\r\n")
    async with asyncio.timeout(10):
        received = await reader.read()
    writer.close()
    assert received.endswith(b"\r\n\r\nbegun")
    assert received.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
async def test_no_other_version_of_http_is_spoken_than_the_two_that_are(site: Site, version: bytes) -> None:
    answer = await site.raw(b"GET /ok HTTP/" + version + b"\r\n" + HOST + b"\r\n")
    assert answer.problem(400)["detail"] == "The request's version of HTTP is neither 1.0 nor 1.1."
    assert answer.headers["Connection"] == "close"


async def test_unknown_address_is_not_found(site: Site) -> None:
    (await site.call("GET", "/nothing")).problem(404)


async def test_wrong_method_says_which_are_allowed(site: Site) -> None:
    answer = await site.call("PUT", "/ok")
    answer.problem(405)
    assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD", "DELETE"}


async def test_common_headers_are_on_every_answer(site: Site) -> None:
    for path in ("/ok", "/nothing", "/broken"):
        headers = (await site.call("GET", path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Strict-Transport-Security" not in headers
        assert headers["Server"] == "ottserver"


async def test_browsers_are_held_to_https_where_users_come_by_it(serve: Serve) -> None:
    site = await serve(ROUTES, secure=True)
    assert (await site.call("GET", "/ok")).headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_media_say_nothing_that_only_pages_need(serve: Serve) -> None:
    site = await serve([Route("GET", "/media/{rest:.*}", _ok, "Media", access=Access.PUBLIC, raw=True)], secure=True)
    for path in ("/media/ticket/segment", "/media/"):
        headers = (await site.call("GET", path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert not headers.keys() & {"Referrer-Policy", "Cross-Origin-Opener-Policy", "Strict-Transport-Security"}


async def test_request_id_of_the_client_is_kept(site: Site) -> None:
    answer = await site.call("GET", "/ok", headers={"X-Request-Id": "abc-123.X_45"})
    assert answer.headers["X-Request-Id"] == "abc-123.X_45"


@pytest.mark.parametrize("given", ["short", "x" * 129, "with space", "semi;colon12", "üüüüüüüü"])
async def test_request_id_that_logs_could_trip_over_is_replaced(site: Site, given: str) -> None:
    answer = await site.call("GET", "/ok", headers={"X-Request-Id": given})
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-Request-Id"])


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"FETCH /ok HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /ok HTTP/9.9\r\n" + HOST + b"\r\n",
        b"GET /ok HTTP/1.1\r\n" + HOST + b"No colon here\r\n\r\n",
        b"GET /ok HTTP/1.1\r\n" + HOST + b"Bad\x00Name: x\r\n\r\n",
        b"GET /ok HTTP/1.1\r\n" + HOST + b"Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /ok HTTP/1.1\r\n" + HOST + b"".join(b"H%d: x\r\n" % i for i in range(300)) + b"\r\n",
        b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: five\r\n\r\n",
        b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: -5\r\n\r\n",
        b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /ok HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_a_problem_document(site: Site, data: bytes) -> None:
    async with asyncio.timeout(10):
        found = (await site.raw(data)).problem(400)
    assert found["title"] == "The request is malformed"


async def test_broken_chunk_of_a_body_is_malformed(site: Site) -> None:
    head = b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with asyncio.timeout(10):
        (await site.raw(head + b'5\r\n{"nam\r\nzz\r\nxx\r\n')).problem(400)


async def test_unknown_expectation_gets_a_problem_document(site: Site) -> None:
    (await site.call("POST", "/echo", data=b"{}", headers={"Expect": "magic"})).problem(417)
    (await site.raw(b"GET /ok HTTP/1.1\r\nExpect: \xff\r\n" + HOST + b"\r\n")).problem(417)


async def test_request_of_http_1_0_needs_no_host(site: Site) -> None:
    assert (await site.raw(b"GET /ok HTTP/1.0\r\n\r\n")).status == 200


async def test_absolute_address_in_the_request_line_is_served(site: Site) -> None:
    assert (await site.raw(b"GET http://elsewhere.example/ok HTTP/1.1\r\n" + HOST + b"\r\n")).status == 200


async def test_client_that_vanishes_cancels_its_handler(serve: Serve) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(_call: Call[NoBody, NoQuery]) -> Reply:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return Reply()

    site = await serve([Route("GET", "/", wait, "Wait", access=Access.PUBLIC)])
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    async with asyncio.timeout(10):
        await begun.wait()
        writer.close()
        await ended.wait()


def test_log_holds_no_ticket() -> None:
    assert redacted("/media/abcdefghijkl/v/master.m3u8") == "/media/abcdef…/v/master.m3u8"
    assert redacted("/api/v1/me") == "/api/v1/me"
