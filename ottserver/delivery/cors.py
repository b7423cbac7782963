"""Which other origins' pages may read media (Fetch standard, CORS protocol)."""

from __future__ import annotations

from aiohttp import hdrs

_EXPOSED = "Accept-Ranges, CMSD-Dynamic, Content-Length, Content-Range, ETag, Retry-After, X-Request-Id"
_METHODS = "GET, HEAD, OPTIONS"


class Cors:
    """The origins that may, and what is said to each."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        """`origins` such as https://films.example; "*" is every one. With none, only our own page plays."""
        self._every = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    def headers(self, origin: str | None) -> dict[str, str]:
        """What a response says to a page of `origin`. Shared caches are told when that depends on who asks."""
        if self._every:
            return _allow("*")
        if not self._origins:
            return {}
        vary: dict[str, str] = {hdrs.VARY: hdrs.ORIGIN}
        if origin is not None and origin.lower() in self._origins:
            return vary | _allow(origin)
        return vary

    def preflight(self, origin: str | None) -> dict[str, str]:
        """What the answer to an OPTIONS request says to a page of `origin`."""
        headers = {hdrs.ALLOW: _METHODS, **self.headers(origin)}
        if hdrs.ACCESS_CONTROL_ALLOW_ORIGIN in headers:
            headers |= {
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: (
                    "Range, If-Range, If-Match, If-None-Match, CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session"
                ),
                hdrs.ACCESS_CONTROL_MAX_AGE: "86400",
            }
        return headers


def _allow(origin: str) -> dict[str, str]:
    return {
        hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
        hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: _EXPOSED,
        "Timing-Allow-Origin": origin,
    }
