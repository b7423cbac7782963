"""Who is calling: access tokens from a header or a cookie, and the defence of cookies against other sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from ottserver.errors import Denied, NotAuthenticated, OttError
from ottserver.web.routing import Access

if TYPE_CHECKING:
    from aiohttp import web

    from ottserver.identity import Principal

ACCESS_COOKIE = "ott_access"
WEB_HEADER = "X-OTT-Web"
"""Sent by the built-in page. A page of another origin cannot send it without a preflight, which /api/ never grants."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Authenticator(Protocol):
    """What the web layer needs of accounts."""

    async def authenticate(self, token: str) -> Principal:
        """The account behind an access token. Raises `NotAuthenticated`."""
        ...


class Guard:
    """Decides whether a request may reach its handler."""

    def __init__(self, authenticator: Authenticator, public_url: str) -> None:
        """`public_url` is the address that users type, or "" where that is what the Host header says."""
        self._authenticator = authenticator
        self._public_host = _host(public_url)

    async def admit(self, request: web.Request, access: Access) -> Principal | None:
        """The caller, or nothing where nobody needs to be. Raises `NotAuthenticated` or `Denied`."""
        if WEB_HEADER in request.headers and request.method not in SAFE_METHODS:
            self._same_origin(request)
        if access is Access.PUBLIC:
            return await self._whoever(request)
        principal = await self._caller(request)
        if access is Access.MANAGER and not principal.manages:
            message = "Only owners and admins may do this."
            raise Denied(message)
        return principal

    async def _whoever(self, request: web.Request) -> Principal | None:
        try:
            return await self._caller(request)
        except OttError:
            return None

    async def _caller(self, request: web.Request) -> Principal:
        header = request.headers.get("Authorization")
        if header is not None:
            scheme, _, token = header.partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                message = "The Authorization header should be: Bearer <access token>."
                raise NotAuthenticated(message)
            return await self._authenticator.authenticate(token.strip())
        token = request.cookies.get(ACCESS_COOKIE, "")
        if not token:
            message = "This needs an access token."
            raise NotAuthenticated(message)
        if request.method not in SAFE_METHODS:
            if WEB_HEADER not in request.headers:
                message = f"A request that is signed in by a cookie needs the header {WEB_HEADER}: 1."
                raise Denied(message)
            self._same_origin(request)
        return await self._authenticator.authenticate(token)

    def _same_origin(self, request: web.Request) -> None:
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        origin = request.headers.get("Origin")
        ours = {request.headers.get("Host", "").lower(), self._public_host} - {""}
        if site not in ("same-origin", "none") or (origin is not None and _host(origin) not in ours):
            message = "This request comes from another site."
            raise Denied(message)


def _host(origin: str) -> str:
    """Host and port of an origin; nothing for "null", which sandboxed pages send, and for what is no origin."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
