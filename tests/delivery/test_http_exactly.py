"""What HTTP asks of a cached segment, by the section that asks it: RFC 9110 (semantics), 9111 (caching).

Cases after those of nginx's own tests (range.t, range_if_range.t, not_modified.t), of cache-tests and of
web-platform-tests, as far as they speak of an origin server. Each goes both ways: at once, and through aiohttp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.delivery.films import content
from tests.delivery.two_ways import ORIGIN, address, get

if TYPE_CHECKING:
    from tests.delivery.two_ways import TwoWays

BODY = content("v480", "1")
WHOLE = "0-999"
TAG = '"TAG"'
"""Stands for the segment's own entity tag."""
DATE = "Wed, 25 Nov 2026 00:00:00 GMT"
IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Case:
    """A request, what must come back, and who says so."""

    section: str
    fields: tuple[str, ...]
    status: int
    range: str = ""
    """The bytes that come back, as Content-Range writes them; nothing where there is none of the segment."""
    method: str = "GET"


def case(section: str, status: int, *fields: str, part: str = "", method: str = "GET") -> Case:
    return Case(section, fields, status, part, method)


CASES = [
    # Ranges
    case("9110 14.2: a server may pass over Range, and does without one", 200, part=WHOLE),
    case("9110 14.1.2: both positions are inclusive", 206, "Range: bytes=0-8", part="0-8"),
    case("9110 14.1.2: one byte", 206, "Range: bytes=0-0", part="0-0"),
    case("9110 14.1.2: the last byte", 206, "Range: bytes=999-999", part="999-999"),
    case("9110 14.1.2: without a last position, the rest", 206, "Range: bytes=990-", part="990-999"),
    case("9110 14.1.2: all of it is a part too", 206, "Range: bytes=0-", part=WHOLE),
    case("9110 14.1.2: a last position beyond the end is the end", 206, "Range: bytes=990-1990", part="990-999"),
    case("9110 14.1.2: more digits than any file has bytes", 206, f"Range: bytes=1-{'9' * 40}", part="1-999"),
    case("9110 14.1.2: a suffix", 206, "Range: bytes=-10", part="990-999"),
    case("9110 14.1.2: a suffix longer than all is all", 206, "Range: bytes=-1001", part=WHOLE),
    case("9110 14.1: units know no case", 206, "Range: BYTES=0-8", part="0-8"),
    case("9110 14.1.2: a suffix of nothing satisfies nobody", 416, "Range: bytes=-0"),
    case("9110 14.1.2: nor does what begins at the end", 416, "Range: bytes=1000-"),
    case("9110 14.1.2: or far beyond it", 416, f"Range: bytes={'9' * 40}-"),
    case("9110 14.1.2: a last position before the first is invalid", 200, "Range: bytes=9-8", part=WHOLE),
    case("9110 14.2: an unknown unit is passed over", 200, "Range: items=0-8", part=WHOLE),
    case("9110 14.2: so is what is no range", 200, "Range: bytes=alpha", part=WHOLE),
    case("9110 14.2: or half of one", 200, "Range: bytes=10", part=WHOLE),
    case("9110 14.2: or of nothing", 200, "Range: bytes=-", part=WHOLE),
    case("9110 14.2: two parts without a comma", 200, "Range: bytes=10-11 12-", part=WHOLE),
    case("9110 14.2: several parts may be answered whole", 200, "Range: bytes=0-9, -10, 10-19", part=WHOLE),
    case("9110 14.2: however many they are", 200, f"Range: bytes={'0-,' * 300}0-", part=WHOLE),
    case("9110 5.3: two lines of a field that is no list make no sense", 200, "Range: bytes=0-1", "Range: bytes=3-4",
         part=WHOLE),
    case("9110 14.2: Range is for GET alone", 200, "Range: bytes=0-8", part=WHOLE, method="HEAD"),
    case("9110 14.2: even where nothing satisfies it", 200, "Range: bytes=5000-", part=WHOLE, method="HEAD"),
    # If-Range
    case("9110 13.1.5: the version that is here", 206, f"If-Range: {TAG}", "Range: bytes=0-8", part="0-8"),
    case("9110 13.1.5: another version comes whole", 200, 'If-Range: "x"', "Range: bytes=0-8", part=WHOLE),
    case("9110 13.1.5: it is compared strongly", 200, f"If-Range: W/{TAG}", "Range: bytes=0-8", part=WHOLE),
    case("9110 13.1.5: a date is none of ours", 200, f"If-Range: {DATE}", "Range: bytes=0-8", part=WHOLE),
    case("9110 13.1.5: nor is nonsense", 200, "If-Range: wrong", "Range: bytes=0-8", part=WHOLE),
    case("9110 13.1.5: another version is never out of range", 200, 'If-Range: "x"', "Range: bytes=5000-", part=WHOLE),
    case("9110 13.1.5: this one is", 416, f"If-Range: {TAG}", "Range: bytes=5000-"),
    case("9110 13.1.5: without Range it says nothing", 200, 'If-Range: "x"', part=WHOLE),
    # If-None-Match
    case("9110 13.1.2: the version that is here", 304, f"If-None-Match: {TAG}"),
    case("9110 13.1.2: it is compared weakly", 304, f"If-None-Match: W/{TAG}"),
    case("9110 13.1.2: any version is here", 304, "If-None-Match: *"),
    case("9110 13.1.2: first of a list", 304, f'If-None-Match: {TAG}, "x", "y"'),
    case("9110 13.1.2: last of a list", 304, f'If-None-Match: "x","y" ,  {TAG}'),
    case("9110 5.3: a list on several lines is one list", 304, 'If-None-Match: "x"', f"If-None-Match: {TAG}"),
    case("9110 13.1.2: another version", 200, 'If-None-Match: "x"', part=WHOLE),
    case("9110 8.8.3: a tag has quotes", 200, "If-None-Match: TAG", part=WHOLE),
    case("9110 8.8.3: a comma may be a part of a tag", 200, 'If-None-Match: "x,TAG"', part=WHOLE),
    case("9110 13.1.2: HEAD is as GET", 304, f"If-None-Match: {TAG}", method="HEAD"),
    case("9110 13.2.2: it goes before Range", 304, f"If-None-Match: {TAG}", "Range: bytes=0-8"),
    case("9110 13.2.2: also where nothing satisfies it", 304, f"If-None-Match: {TAG}", "Range: bytes=5000-"),
    case("9110 13.2.2: another version, in part", 206, 'If-None-Match: "x"', "Range: bytes=0-8", part="0-8"),
    case("9110 13.1.3: it goes before dates", 200, 'If-None-Match: "x"', f"If-Modified-Since: {DATE}", part=WHOLE),
    case("9110 13.1.3: dates mean nothing to what has none", 200, f"If-Modified-Since: {DATE}", part=WHOLE),
    # If-Match
    case("9110 13.1.1: the version that is here", 200, f"If-Match: {TAG}", part=WHOLE),
    case("9110 13.1.1: any", 200, "If-Match: *", part=WHOLE),
    case("9110 13.1.1: one of a list on several lines", 200, 'If-Match: "x"', f"If-Match: {TAG}", part=WHOLE),
    case("9110 13.1.1: another version", 412, 'If-Match: "x"'),
    case("9110 13.1.1: it is compared strongly", 412, f"If-Match: W/{TAG}"),
    case("9110 13.2.2: it goes first of all", 412, 'If-Match: "x"', f"If-None-Match: {TAG}", "Range: bytes=0-8"),
    case("9110 13.1.4: dates mean nothing here either", 200, "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
         part=WHOLE),
    # What caches and origins ask for is of no concern to an origin server of what never changes
    case("9111 5.2.1.4: no-cache asks caches", 200, "Cache-Control: no-cache", "Pragma: no-cache", part=WHOLE),
    case("9111 5.2.1.7: only-if-cached as well", 200, "Cache-Control: only-if-cached", part=WHOLE),
    case("9110 12.5.3: what is compressed already has no other coding", 200, "Accept-Encoding: gzip, br", part=WHOLE),
    case("9110 12.5.1: nor another type", 200, "Accept: text/html", part=WHOLE),
    case("9110 9.3.2: HEAD", 200, part=WHOLE, method="HEAD"),
    case("9110 15.5.6: other methods", 405, "Content-Length: 0", method="PUT"),
]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


async def ask(ways: TwoWays, request: bytes) -> Answer:
    """The first answer of what both servers answer alike."""
    head, _, rest = (await ways.same([request])).partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    pairs = [field.split(": ", 1) for field in fields]
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers) == len(pairs), "a field comes twice"
    body, _, _ = rest.partition(b"HTTP/1.1 404 ")  # the answer to the last request, which `same` adds
    return Answer(int(line.split(" ")[1]), headers, body)


async def test_segment_is_answered_as_http_says(ways: TwoWays) -> None:
    place = address(ways)
    tag = (await ask(ways, get(place))).headers["etag"]
    for each in CASES:
        fields = "".join(f"{field.replace(TAG, tag).replace('TAG', tag[1:-1])}\r\n" for field in each.fields)
        answer = await ask(ways, get(place, f"Host: x\r\n{fields}".encode(), method=each.method))
        assert answer.status == each.status, each
        _check(answer, each, tag)


def _check(answer: Answer, each: Case, tag: str) -> None:
    told = answer.headers
    assert {"date", "server", "x-request-id", "vary"} <= told.keys() or each.status == 405, each
    if each.range:
        first, last = map(int, each.range.split("-"))
        wanted = BODY[first : last + 1]
        assert answer.body == (b"" if each.method == "HEAD" else wanted), each
        assert told["content-length"] == str(len(wanted)), each
        assert told["content-type"] == "video/mp4", each
    if each.status in (200, 206, 304):
        assert (told["etag"], told["cache-control"], told["accept-ranges"]) == (tag, IMMUTABLE, "bytes"), each
    else:
        assert told["cache-control"] == "no-store", (
            each
        )  # RFC 9111 3: 405 may be kept where nobody says that it may not
        assert told["content-type"] == "application/problem+json", each
        assert len(answer.body) == int(told["content-length"]), each
    match each.status:
        case 206:
            assert told["content-range"] == f"bytes {each.range}/1000", each
        case 416:
            assert told["content-range"] == "bytes */1000", each
        case _:
            assert "content-range" not in told, each
    if each.status == 304:  # RFC 9110 15.4.5: nothing about a body that is not there
        assert not told.keys() & {"content-length", "content-type", "transfer-encoding"}, each
        assert answer.body == b"", each
    if each.status == 405:
        assert set(told["allow"].split(",")) == {"GET", "HEAD", "OPTIONS"}, each


async def test_page_of_a_configured_origin_may_read_every_answer(ways: TwoWays) -> None:
    """Fetch standard, CORS protocol; the exposed fields are those that players read."""
    place = address(ways)
    tag = (await ask(ways, get(place))).headers["etag"]
    for fields in (
        "",
        "Range: bytes=0-8\r\n",
        "Range: bytes=5000-\r\n",
        f"If-None-Match: {tag}\r\n",
        'If-Match: "x"\r\n',
    ):
        mine, other = [
            (await ask(ways, get(place, f"Host: x\r\nOrigin: {origin}\r\n{fields}".encode()))).headers
            for origin in (ORIGIN, "https://evil.example")
        ]
        assert mine["access-control-allow-origin"] == ORIGIN
        assert {"Content-Range", "ETag", "CMSD-Dynamic"} <= set(mine["access-control-expose-headers"].split(", "))
        assert "access-control-allow-origin" not in other
        assert mine["vary"] == other["vary"] == "Origin"


async def test_preflight_allows_what_players_send(ways: TwoWays) -> None:
    asked = b"Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: range,cmcd-request\r\n"
    place = address(ways)
    mine, other = [
        await ask(ways, get(place, f"Host: x\r\nOrigin: {origin}\r\n".encode() + asked, method="OPTIONS"))
        for origin in (ORIGIN, "https://evil.example")
    ]
    assert (mine.status, mine.body, mine.headers["access-control-allow-origin"]) == (204, b"", ORIGIN)
    assert {"Range", "CMCD-Request"} <= set(mine.headers["access-control-allow-headers"].split(", "))
    assert int(mine.headers["access-control-max-age"]) > 0
    assert not any(name.startswith("access-control-") for name in other.headers)
    for answer in (mine, other):  # RFC 9110 9.3.7
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
