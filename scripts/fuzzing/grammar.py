"""Requests that are nearly right: valid ones from a grammar, with some part of them bent or broken."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field, replace

METHODS = ("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "get", "PROPFIND", "QUERY", "M-SEARCH")
SAFE_IN_TARGET = string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/%?"
ELSEWHERE = (
    *("/", "/watch/x", "/admin", "/docs", "/healthz", "/readyz", "/favicon.ico", "/static/app/main.js", "/vendor/"),
    *("/static/../config/default.toml", "/static/%2e%2e/setup.cfg", "/api/v1/me", "/api/v1/home", "/api/v1/setup"),
    *("/api/v1/history?page=0", "/api/v1/videos/x/metadata", "/api/v1/admin/videos", "/api/v1/uploads", "/api/v1/"),
    *("/api/v1/categories?page=1e9&limit=-1", "/api/v1/playback/00000000-0000-0000-0000-000000000000/heartbeat"),
    *(
        "/media",
        "/media/",
        "/media//",
        "/media/a/b/c/d/e/f/g",
        "*",
        "/%",
        "/%00",
        "/%ff%fe",
        "/?",
        "/api/v1/openapi.json",
    ),
)
LISTED = (
    *("/api/v1/history", "/api/v1/categories", "/api/v1/categories/drama", "/api/v1/search", "/api/v1/search/suggest"),
    *("/api/v1/home", "/api/v1/me", "/api/v1/me/sessions", "/api/v1/me/export", "/api/v1/profiles", "/api/v1/payments"),
    *("/api/v1/admin/videos", "/api/v1/admin/accounts", "/api/v1/videos/x/metadata", "/api/v1/titles/%00"),
)
"""Only read, so that whoever asks is still somebody afterwards."""
ASKED = ("page", "limit", "query", "genre", "kind", "year", "profile", "can", "page", "limit")
WORDS = ("fuzz", "%00", "%ff", "*", "%22", "a" * 3000, "%F0%9F%90%B0", "film", "../..", "' OR 1=1 --".replace(" ", "+"))
POSTED = ("/api/v1/login", "/api/v1/token/refresh", "/api/v1/setup", "/api/v1/logout", "/api/v1/subscribe")
NUMBERS = (
    "0",
    "1",
    "9",
    "15",
    "999",
    "4096",
    "1000000",
    "99999999999999999999",
    "18446744073709551616",
    "-1",
    "1e3",
    "",
    "0x1",
    "٣",
)
QUERIES = ("CMCD=bl%3D100", "CMCD=" + "%2C" * 200, "a=b&a=b", "%", "?", "token=1", "x" * 2000)
JSON_BODIES = (
    *(
        b"{}",
        b"[]",
        b"null",
        b"{",
        b'{"email": "a@b.example", "password": "x"}',
        b'{"email": 1}',
        b"\xff\xfe",
        b"1e999",
    ),
    *(b'{"a":' * 500, b'{"email": "\\ud800", "password": "\\u0000"}', b'"' + b"x" * 5000 + b'"'),
)


@dataclass(frozen=True)
class Viewer:
    """Somebody with a ticket."""

    ticket: str
    files: dict[str, bytes]
    """What the ticket opens, by the path after it."""
    etags: dict[str, bytes]
    """The same by entity tag."""
    beyond: tuple[str, ...]
    """Paths that a better plan's ticket opens."""
    manifests: tuple[str, ...]
    token: str
    """An access token of the same person."""


@dataclass
class Asked:
    """One request as it is sent."""

    data: bytes
    method: str
    whole: bool = True
    """Whether its framing is right, so that it must be answered."""
    closes: bool = False
    """Whether the connection may end with it."""
    ranges: tuple[str, ...] = ()
    """The values of its Range lines."""
    plain: str = ""
    """The file that it asks for, by the path after the ticket, where nothing but its range changes the answer."""


@dataclass
class Unit:
    """What is sent on a connection in one go, and where it is cut into pieces."""

    asked: list[Asked]
    cuts: list[int] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        """All bytes."""
        return b"".join(one.data for one in self.asked)


class Grammar:
    """Makes units, the same ones for the same seed."""

    def __init__(self, seed: int, viewers: list[Viewer], host: str) -> None:
        """Requests go to `host`, with the tickets of `viewers`."""
        self._chance = random.Random(seed)  # noqa: S311 - repeatable is what it has to be
        self._viewers = viewers
        self._host = host

    def unit(self) -> Unit:
        """The next one: a plain request, some one after the other, or one that breaks off the talk."""
        chance = self._chance
        kind = chance.random()
        if kind < 0.25:  # noqa: PLR2004 - a quarter goes the way before the parser
            return Unit([self._plain()])
        asked = [self._bent() for _ in range(chance.choice((1, 1, 1, 2, 3, 8)))]
        if kind > 0.75:  # noqa: PLR2004 - and as many are broken
            asked.append(self._broken())
        unit = Unit(asked)
        if chance.random() < 0.3:  # noqa: PLR2004 - some arrive in pieces
            size = len(unit.data)
            unit.cuts = sorted(chance.randrange(size) for _ in range(chance.choice((1, 2, 5)))) if size else []
        return unit

    def _plain(self) -> Asked:
        viewer = self._chance.choice(self._viewers)
        file = self._chance.choice(list(viewer.files))
        fields = {"Host": self._host, "User-Agent": "fuzz", "Accept": "*/*"}
        if self._chance.random() < 0.5:  # noqa: PLR2004 - half of them
            fields["Range"] = self._range()
        return replace(_request("GET", f"/media/{viewer.ticket}{file}", list(fields.items())), plain=file)

    def _bent(self) -> Asked:
        """A request whose framing is right, whatever it asks for."""
        chance = self._chance
        kind = chance.random()
        if kind < 0.1:  # noqa: PLR2004 - some come from somebody who has signed in
            return self._known()
        if kind < 0.2:  # noqa: PLR2004 - some have a body
            body = chance.choice(JSON_BODIES)
            fields = [
                ("Host", self._host),
                ("Content-Type", chance.choice(("application/json", "text/plain", "", "a/b; c"))),
            ]
            return _request("POST", chance.choice(POSTED), fields + self._fields(), body)
        method = "GET" if chance.random() < 0.7 else chance.choice(METHODS)  # noqa: PLR2004 - most of them
        target = self._target()
        if chance.random() < 0.1:  # noqa: PLR2004 - some come as a proxy would send them
            target = f"http://{self._host}{target}"
        host = self._host if chance.random() < 0.95 else chance.choice(("", "a", "[::1]", "a:b:c", "x" * 300))  # noqa: PLR2004
        return _request(method, target or "/", [("Host", host), *self._fields()])

    def _known(self) -> Asked:
        """A call of the API by somebody who may make it, whatever its query says."""
        chance = self._chance
        pairs = [f"{chance.choice(ASKED)}={chance.choice(NUMBERS + WORDS)}" for _ in range(chance.choice((0, 1, 1, 3)))]
        fields = [("Host", self._host), ("Authorization", f"Bearer {chance.choice(self._viewers).token}")]
        return _request("GET", f"{chance.choice(LISTED)}?{'&'.join(pairs)}", fields)

    def _target(self) -> str:
        chance = self._chance
        kind = chance.random()
        if kind < 0.2:  # noqa: PLR2004 - not media
            target = chance.choice(ELSEWHERE)
        else:
            viewer = chance.choice(self._viewers)
            paths = viewer.beyond if kind < 0.4 else viewer.manifests if kind < 0.5 else tuple(viewer.files)  # noqa: PLR2004
            target = f"/media/{self._ticket(viewer)}{chance.choice(paths)}"
        for _ in range(chance.choice((0, 0, 1, 1, 3))):
            target = self._bend(target)
        return target

    def _ticket(self, viewer: Viewer) -> str:
        chance, text = self._chance, viewer.ticket
        if chance.random() < 0.6:  # noqa: PLR2004 - most are genuine
            return text
        at = chance.randrange(len(text))
        other = chance.choice(self._viewers).ticket
        return chance.choice(
            (
                text[:at],
                text[:at] + chance.choice(string.ascii_letters + "-_=%") + text[at + 1 :],
                text[:at] + other[at:],
                text.swapcase(),
                text + "=",
                text + chance.choice(string.ascii_letters),
                "",
            )
        )

    def _bend(self, target: str) -> str:
        chance = self._chance
        at = chance.randrange(len(target) + 1)
        parts = target.split("/")
        place = chance.randrange(len(parts))
        kind = chance.randrange(8)
        if kind == 0:
            return target[:at] + chance.choice(SAFE_IN_TARGET) + target[at + 1 :]
        if kind == 1:
            return target[:at] + f"%{ord(target[at : at + 1] or '/'):02X}" + target[at + 1 :]
        if kind == 2:  # noqa: PLR2004 - one of eight ways
            parts.insert(place, chance.choice(("..", ".", "", "%2e%2e", "%2F", "%00", "%5c", "~")))
        elif kind == 3:  # noqa: PLR2004
            parts[place] = chance.choice([*NUMBERS[:-1], *parts])
        elif kind == 4:  # noqa: PLR2004
            parts.pop(place)
        elif kind == 5:  # noqa: PLR2004
            return f"{target}?{chance.choice(QUERIES)}"
        elif kind == 6:  # noqa: PLR2004
            return target + chance.choice((".m4s", "/", "#", "%20", ";a=b", "." * 100))
        else:
            return target.replace("init.mp4", "0.m4s").replace("0.m4s", f"{chance.choice(NUMBERS[:-1])}.m4s")
        return "/".join(parts) or "/"

    def _fields(self) -> list[tuple[str, str]]:
        chance = self._chance
        viewer = chance.choice(self._viewers)
        etag = chance.choice([*viewer.etags, '"x"', "*", "", "W/" + next(iter(viewer.etags)), '"', "x" * 500])
        makers = (
            lambda: ("Range", self._range()),
            lambda: ("If-None-Match", chance.choice((etag, f'"a", {etag}', ",,,"))),
            lambda: ("If-Match", etag),
            lambda: ("If-Range", chance.choice((etag, "Wed, 21 Oct 2015 07:28:00 GMT"))),
            lambda: ("Origin", chance.choice(("https://a.example", "null", "x", "http://[", "https://a.example " * 9))),
            lambda: ("Accept-Encoding", chance.choice(("gzip", "gzip;q=0", "*", "identity;q=0", ";;q=,", "br" * 300))),
            lambda: ("Authorization", chance.choice(("Bearer x", "Bearer", "Basic Og==", "Bearer " + "e" * 3000, "x"))),
            lambda: ("Cookie", chance.choice(("ott_access=x", "ott_access=", "a=b; " * 300, "ott_device=a.b", '="'))),
            lambda: ("X-OTT-Web", chance.choice(("1", "0", ""))),
            lambda: ("X-Request-Id", chance.choice(("abcdefgh", "short", "a b", "é" * 10, "x" * 129))),
            lambda: ("X-Forwarded-For", chance.choice(("1.2.3.4", "garbage, 1.2.3.4", ",", "[::1]:9", "%"))),
            lambda: (
                "CMCD-Request",
                chance.choice(('bl=100,nor="../1.m4s"', 'nor="%2e%2e%2f"', "bl=", "x" * 900, '"')),
            ),
            lambda: ("Expect", chance.choice(("100-continue", "nonsense"))),
            lambda: ("Accept-Language", "x" * chance.choice((1, 100, 8000))),
            lambda: ("TE", "trailers"),
            lambda: (f"X-{chance.randrange(99)}", chance.choice(("", "a", "\t", "é", "\x80"))),
        )
        return [chance.choice(makers)() for _ in range(chance.choice((0, 1, 1, 2, 5, 12)))]

    def _range(self) -> str:
        chance = self._chance
        first, last = chance.choice(NUMBERS), chance.choice(NUMBERS)
        return chance.choice(
            (
                *(f"bytes={first}-{last}", f"bytes={first}-", f"bytes=-{last}", f"bytes={first}-{last},{last}-"),
                *(
                    f"items={first}-{last}",
                    "bytes=",
                    "bytes",
                    f"bytes = {first} - {last}",
                    "bytes=0-0,-1",
                    f"BYTES={first}-",
                ),
                f"bytes=0-{chance.randrange(70_000)}",
                f"bytes={chance.randrange(5_000)}-{chance.randrange(70_000)}",
                "bytes=" + ",".join(f"{number}-{number}" for number in range(300)),
            )
        )

    def _broken(self) -> Asked:
        """Bytes whose framing is wrong, or may be."""
        chance = self._chance
        data = bytearray(chance.choice((self._plain, self._bent))().data)
        kind = chance.randrange(7)
        if kind == 0:
            for _ in range(chance.choice((1, 1, 3, 20))):
                data[chance.randrange(len(data))] = chance.randrange(256)
        elif kind == 1:
            del data[chance.randrange(len(data)) :]
        elif kind == 2:  # noqa: PLR2004 - one of seven ways
            at = chance.randrange(len(data))
            data[at:at] = chance.choice((b"\r\n", b"\n", b"\r", b"\x00", b"\r\n\r\n", b" ", b"\t", b":", b"\xff" * 50))
        elif kind == 3:  # noqa: PLR2004
            data[-2:-2] = chance.choice(FRAMING)
        elif kind == 4:  # noqa: PLR2004
            data[:] = data.replace(
                b"HTTP/1.1", chance.choice((b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.", b"", b"http/1.1")), 1
            )
        elif kind == 5:  # noqa: PLR2004
            data[:] = chance.choice(GARBAGE)
        else:
            at = chance.randrange(len(data))
            data[at:at] = data[at : at + chance.randrange(200)]
        return Asked(bytes(data), bytes(data).partition(b" ")[0].decode("latin-1"), whole=False, closes=True)


FRAMING = (
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
    b"Connection: close\r\n",
    b" folded: x\r\n",
    b"X: a\r\n b\r\n",
    b"No-Colon\r\n",
    b"Space : x\r\n",
    b"Host: b\r\n",
    b"X: " + b"a" * 9000 + b"\r\n",
    b"".join(b"X-%d: a\r\n" % number for number in range(200)),
)
GARBAGE = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
    b"GET /\r\n\r\n",
    b"\r\n" * 50,
    b"\x00" * 500,
    b"GET " + b"/a" * 6000 + b" HTTP/1.1\r\n\r\n",
    b"A" * 10_000,
    b"GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
    b"SSH-2.0-fuzz\r\n",
)


def _request(method: str, target: str, fields: list[tuple[str, str]], body: bytes | None = None) -> Asked:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
    ranges = tuple(value for name, value in fields if name == "Range")
    return Asked(head + (body or b""), method, closes=True, ranges=ranges)
