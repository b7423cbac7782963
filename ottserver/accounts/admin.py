"""Accounts for administrators: who there is, and who is shut out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottserver.accounts.requests import AccountList, KnownAccountAnswer, StandingChange
from ottserver.web.routing import Access, Call, NoBody, NoQuery, Page, Reply, Route, Routes

if TYPE_CHECKING:
    from ottserver.accounts.service import AccountService


def routes(service: AccountService) -> Routes:
    """The routes of administrators."""

    async def accounts(call: Call[NoBody, Page]) -> Reply:
        page, limit = call.query.page, call.query.limit
        found, total = await service.page(page=page, limit=limit)
        results = [KnownAccountAnswer.of(account) for account in found]
        return Reply(AccountList(results=results, total=total, page=page, has_more=page * limit < total))

    async def change(call: Call[StandingChange, NoQuery]) -> Reply:
        put = service.disable if call.body.disabled else service.enable
        return Reply(KnownAccountAnswer.of(await put(call.path["account_id"], by=call.principal)))

    return [
        Route(
            "GET",
            "/api/v1/admin/accounts",
            accounts,
            "Every account, oldest first",
            access=Access.MANAGER,
            query=Page,
            answer=AccountList,
            errors=(503,),
        ),
        Route(
            "PATCH",
            "/api/v1/admin/accounts/{account_id}",
            change,
            "Shut an account out, which ends what it plays and signs it out, or let it in again",
            access=Access.MANAGER,
            body=StandingChange,
            answer=KnownAccountAnswer,
            errors=(403, 404, 409, 503),
        ),
    ]
