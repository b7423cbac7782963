"""The catalog for viewers over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from ottserver.catalog import answers
from ottserver.catalog.browsing import Item
from ottserver.web.routing import Call, NoBody, NoQuery, Page, Reply, Route, Routes

if TYPE_CHECKING:
    from ottserver.catalog.browsing import Browsing

ARTWORK_CACHE = "private, max-age=604800, immutable"
"""The address of a picture changes with the presentation it was made from."""


class _Handlers:
    def __init__(self, browsing: Browsing) -> None:
        self._browsing = browsing

    async def home(self, call: Call[NoBody, NoQuery]) -> Reply:
        rows = await self._browsing.home(call.principal.account_id)
        return Reply(answers.HomeAnswer(rows=[answers.row_answer(row) for row in rows]))

    async def metadata(self, call: Call[NoBody, NoQuery]) -> Reply:
        return Reply(answers.metadata(await self._browsing.video(call.path["video_id"], call.principal)))

    async def title(self, call: Call[NoBody, NoQuery]) -> Reply:
        return Reply(answers.title_answer(await self._browsing.video(call.path["title_id"], call.principal)))

    async def categories(self, call: Call[NoBody, Page]) -> Reply:
        page, limit = call.query.page, call.query.limit
        found, total = await self._browsing.categories(page, limit)
        return Reply(answers.listed([answers.category_answer(one) for one in found], total, page, limit))

    async def category(self, call: Call[NoBody, Page]) -> Reply:
        page, limit = call.query.page, call.query.limit
        found, total = await self._browsing.category(call.path["slug"], page, limit)
        return Reply(answers.listed([answers.card(Item(video)) for video in found], total, page, limit))

    async def artwork(self, call: Call[NoBody, NoQuery]) -> web.Response:
        picture = await self._browsing.picture(call.path["presentation"], call.path["name"])
        headers = {"ETag": f'"{picture.etag}"', "Cache-Control": ARTWORK_CACHE}
        known = call.request.if_none_match or ()
        if any(tag.value in (picture.etag, "*") for tag in known):
            return web.Response(status=304, headers=headers)
        return web.Response(body=picture.data, content_type="image/jpeg", headers=headers)


def routes(browsing: Browsing) -> Routes:
    """The routes for viewers."""
    handlers = _Handlers(browsing)
    api = "/api/v1"
    return [
        Route("GET", f"{api}/home", handlers.home, "The home page's rows", answer=answers.HomeAnswer),
        Route(
            "GET",
            f"{api}/videos/{{video_id}}/metadata",
            handlers.metadata,
            "What is known of a video",
            answer=answers.Metadata,
        ),
        Route("GET", f"{api}/titles/{{title_id}}", handlers.title, "A title", answer=answers.TitleAnswer),
        Route(
            "GET",
            f"{api}/categories",
            handlers.categories,
            "The genres that have something to watch",
            query=Page,
            answer=answers.Listed[answers.CategoryAnswer],
        ),
        Route(
            "GET",
            f"{api}/categories/{{slug}}",
            handlers.category,
            "The videos of a genre",
            query=Page,
            answer=answers.Listed[answers.Card],
        ),
        Route(
            "GET",
            f"{api}/artwork/{{presentation}}/{{name}}",
            handlers.artwork,
            "A picture made from a film",
            produces="image/jpeg",
        ),
    ]
