"""Routes as data: router, validation, guards and OpenAPI document come from one table, so they cannot disagree.

A room's `handlers.py` has `routes(service) -> list[Route]`. A handler is parse, call, answer:

    async def login(call: Call[Credentials, NoQuery]) -> Reply:
        return Reply(await service.login(call.body.email, call.body.password))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ottserver.errors import NotAuthenticated
from ottserver.web.limits import EVERY

if TYPE_CHECKING:
    from ottserver.identity import Principal


class RequestModel(BaseModel):
    """Base of bodies and queries: unknown fields are refused, and the values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NoBody(RequestModel):
    """A route without a body."""


class NoQuery(RequestModel):
    """A route without a query."""


class Page(RequestModel):
    """The query of a list: which page, counted from 1, of how many entries."""

    page: int = Field(1, ge=1, le=1_000_000)
    limit: int = Field(20, ge=1, le=100)


B = TypeVar("B", bound=BaseModel)
Q = TypeVar("Q", bound=BaseModel)


class Access(Enum):
    """Who may call a route."""

    PUBLIC = "public"
    """Anybody; a valid token is still read."""
    ACCOUNT = "account"
    """Whoever is signed in."""
    MANAGER = "manager"
    """Owners and admins."""


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """One request, parsed and guarded."""

    request: web.Request
    body: B
    query: Q
    path: Mapping[str, str]
    caller: Principal | None

    @property
    def principal(self) -> Principal:
        """The caller of a route that is not public."""
        if self.caller is None:
            message = "This needs an access token."
            raise NotAuthenticated(message)
        return self.caller


@dataclass(frozen=True, slots=True)
class Reply:
    """A JSON answer: a pydantic model, a dataclass, or plain JSON values; `None` has no body.

    Without a `status` of its own it has the route's.
    """

    content: object = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to set, always HttpOnly and SameSite=Strict; an empty value with `max_age` 0 removes it."""

    name: str
    value: str
    max_age: int
    path: str = "/"


@dataclass(frozen=True, slots=True)
class HeaderField:
    """A header field that a raw route reads, for the OpenAPI document; `schema` is JSON Schema."""

    name: str
    schema: Mapping[str, Any]
    required: bool = True


Handler = Callable[[Call[Any, Any]], Awaitable[Reply | web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path.

    `path` has `{name}` parts; one whose name ends in `_id` must be a UUID, else the route answers 404 by itself.
    `raw` leaves the body unread for the handler (uploads); `fields` and `takes` then tell the document which header
    fields and what media type of body the handler reads. `limit` names a rate limit of `ottserver.web.limits`.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    access: Access = Access.ACCOUNT
    body: type[BaseModel] = NoBody
    query: type[BaseModel] = NoQuery
    answer: type[BaseModel] | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    raw: bool = False
    fields: tuple[HeaderField, ...] = ()
    takes: str | None = None
    produces: str = "application/json"
    hidden: bool = False
    """Left out of the OpenAPI document: pages and static files."""
    limit: str | None = None

    @property
    def policy(self) -> str | None:
        """The rate limit that applies: its own, or that of every call; files, pages and media have none."""
        if self.limit is not None or self.raw or not self.path.startswith("/api/"):
            return self.limit
        return EVERY


Routes = list[Route]
