"""Accounts over HTTP.

The web app sends `X-OTT-Web: 1` and gets its tokens in cookies as well; only with that header, which no page of another
origin can send, is the refresh cookie read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottserver.accounts.guessing import DEVICE_DAYS, Origin
from ottserver.accounts.requests import (
    AccountAnswer,
    AccountChange,
    ExportAnswer,
    Registration,
    Renewal,
    SessionAnswer,
    SessionList,
    SetUp,
    SetUpAnswer,
    SignedInAnswer,
    SignIn,
)
from ottserver.errors import FieldError, NotAuthenticated
from ottserver.web.clients import client_of, household
from ottserver.web.guards import ACCESS_COOKIE, WEB_HEADER
from ottserver.web.routing import Access, Call, Cookie, NoBody, NoQuery, Page, Reply, Route

if TYPE_CHECKING:
    from aiohttp import web

    from ottserver.accounts.models import SignedIn
    from ottserver.accounts.service import AccountService

REFRESH_COOKIE = "ott_refresh"
REFRESH_PATH = "/api/v1"
DEVICE_COOKIE = "ott_device"
DEVICE_PATH = "/api/v1/login"
DAY = 86_400


def _from_web(request: web.Request) -> bool:
    return request.headers.get(WEB_HEADER) == "1"


def _device(request: web.Request) -> str:
    return request.headers.get("User-Agent", "")


def _origin(request: web.Request) -> Origin:
    mark = request.cookies.get(DEVICE_COOKIE, "") if _from_web(request) else ""
    return Origin(household(client_of(request).address), mark)


class _Handlers:
    def __init__(self, service: AccountService) -> None:
        self._service = service

    def _signed_in(self, request: web.Request, signed_in: SignedIn, email: str = "") -> Reply:
        cookies: tuple[Cookie, ...] = ()
        if _from_web(request):
            days = self._service.settings.refresh_token_days
            cookies = (
                Cookie(ACCESS_COOKIE, signed_in.token, signed_in.expires_in),
                Cookie(REFRESH_COOKIE, signed_in.refresh_token, days * DAY, REFRESH_PATH),
            )
            mark = self._service.device_mark(email) if email else ""
            if mark:
                cookies += (Cookie(DEVICE_COOKIE, mark, DEVICE_DAYS * DAY, DEVICE_PATH),)
        return Reply(SignedInAnswer.model_validate(signed_in), cookies=cookies)

    @staticmethod
    def _signed_out(request: web.Request) -> Reply:
        cookies = (Cookie(ACCESS_COOKIE, "", 0), Cookie(REFRESH_COOKIE, "", 0, REFRESH_PATH))
        return Reply(cookies=cookies if _from_web(request) else ())

    @staticmethod
    def _refresh_token(call: Call[Renewal, NoQuery]) -> str | None:
        cookie = call.request.cookies.get(REFRESH_COOKIE) if _from_web(call.request) else None
        return call.body.refresh_token or cookie or None

    async def register(self, call: Call[Registration, NoQuery]) -> Reply:
        body, device = call.body, _device(call.request)
        signed_in = await self._service.register(body.email, body.password, body.name, device=device)
        return self._signed_in(call.request, signed_in, body.email)

    async def login(self, call: Call[SignIn, NoQuery]) -> Reply:
        body, request = call.body, call.request
        signed_in = await self._service.login(
            body.email, body.password, device=_device(request), origin=_origin(request)
        )
        return self._signed_in(request, signed_in, body.email)

    async def refresh(self, call: Call[Renewal, NoQuery]) -> Reply:
        token = self._refresh_token(call)
        if token is None:
            message = "This needs a refresh token."
            raise NotAuthenticated(message, errors=(FieldError("refresh_token", message),))
        return self._signed_in(call.request, await self._service.sessions.refresh(token))

    async def logout(self, call: Call[Renewal, NoQuery]) -> Reply:
        token = self._refresh_token(call)
        if call.caller is not None:
            await self._service.sessions.sign_out(call.caller)
        elif token is not None:
            await self._service.sessions.end_by_refresh_token(token)
        else:
            message = "Nobody is signed in with this token."
            raise NotAuthenticated(message)
        return self._signed_out(call.request)

    async def set_up_needed(self, _call: Call[NoBody, NoQuery]) -> Reply:
        needed = await self._service.set_up_needed()
        return Reply(SetUpAnswer(needed=needed, registration=self._service.settings.registration))

    async def set_up(self, call: Call[SetUp, NoQuery]) -> Reply:
        body, device = call.body, _device(call.request)
        signed_in = await self._service.set_up(body.code, body.email, body.password, body.name, device=device)
        return self._signed_in(call.request, signed_in, body.email)

    async def account(self, call: Call[NoBody, NoQuery]) -> Reply:
        return Reply(AccountAnswer.of(await self._service.account(call.principal)))

    async def change_account(self, call: Call[AccountChange, NoQuery]) -> Reply:
        body = call.body
        account = await self._service.change_account(
            call.principal,
            name=body.name,
            email=body.email,
            password=body.password,
            current_password=body.current_password,
        )
        return Reply(AccountAnswer.of(account))

    async def delete_account(self, call: Call[NoBody, NoQuery]) -> Reply:
        await self._service.delete(call.principal)
        return self._signed_out(call.request)

    async def export(self, call: Call[NoBody, NoQuery]) -> Reply:
        held = await self._service.export(call.principal)
        return Reply(held, headers={"Content-Disposition": 'attachment; filename="account.json"'})

    async def sessions(self, call: Call[NoBody, Page]) -> Reply:
        live = await self._service.sessions.live(call.principal.account_id)
        start, end = (call.query.page - 1) * call.query.limit, call.query.page * call.query.limit
        results = [SessionAnswer.of(session, call.principal.session_id) for session in live[start:end]]
        return Reply(SessionList(results=results, total=len(live), page=call.query.page, has_more=end < len(live)))

    async def end_session(self, call: Call[NoBody, NoQuery]) -> Reply:
        await self._service.sessions.end(call.principal.account_id, call.path["session_id"])
        return Reply()


def routes(service: AccountService) -> list[Route]:
    """The accounts' routes."""
    on = _Handlers(service)
    return [
        Route(
            "POST",
            "/api/v1/register",
            on.register,
            "Make an account",
            access=Access.PUBLIC,
            body=Registration,
            answer=SignedInAnswer,
            status=201,
            errors=(409, 503),
            limit="sign-up",
        ),
        Route(
            "POST",
            "/api/v1/login",
            on.login,
            "Sign in",
            access=Access.PUBLIC,
            body=SignIn,
            answer=SignedInAnswer,
            errors=(401, 403, 503),
            limit="sign-in",
        ),
        Route(
            "POST",
            "/api/v1/token/refresh",
            on.refresh,
            "Trade a refresh token for new tokens; it works once, and its reuse ends the session",
            access=Access.PUBLIC,
            body=Renewal,
            answer=SignedInAnswer,
            errors=(401,),
        ),
        Route(
            "POST",
            "/api/v1/logout",
            on.logout,
            "End this session, named by its access token or else by its refresh token",
            access=Access.PUBLIC,
            body=Renewal,
            status=204,
            errors=(401,),
        ),
        Route(
            "GET",
            "/api/v1/setup",
            on.set_up_needed,
            "Whether the first owner is still to be made",
            access=Access.PUBLIC,
            answer=SetUpAnswer,
        ),
        Route(
            "POST",
            "/api/v1/setup",
            on.set_up,
            "Make the first owner with the set-up code that the server printed",
            access=Access.PUBLIC,
            body=SetUp,
            answer=SignedInAnswer,
            status=201,
            errors=(403, 409, 503),
            limit="sign-in",
        ),
        Route("GET", "/api/v1/me", on.account, "The caller's account", answer=AccountAnswer),
        Route(
            "PATCH",
            "/api/v1/me",
            on.change_account,
            "Change the name, or with the current password the e-mail address or the password",
            body=AccountChange,
            answer=AccountAnswer,
            errors=(403, 409, 503),
            limit="password",
        ),
        Route(
            "DELETE",
            "/api/v1/me",
            on.delete_account,
            "Delete the account and all personal data",
            status=204,
            errors=(409,),
        ),
        Route(
            "GET",
            "/api/v1/me/export",
            on.export,
            "Everything held about the account",
            answer=ExportAnswer,
        ),
        Route(
            "GET",
            "/api/v1/me/sessions",
            on.sessions,
            "Signed-in devices, the one used last first",
            query=Page,
            answer=SessionList,
        ),
        Route(
            "DELETE",
            "/api/v1/me/sessions/{session_id}",
            on.end_session,
            "Sign a device out",
            status=204,
            errors=(404,),
        ),
    ]
