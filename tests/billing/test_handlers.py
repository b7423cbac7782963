from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ottserver.accounts import handlers as accounts
from ottserver.backends.cache import open_cache
from ottserver.billing.handlers import routes
from ottserver.billing.service import BillingService
from ottserver.web.guards import Guard
from ottserver.web.limits import RateLimits
from ottserver.web.server import build_application
from tests.accounts.support import call, person, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.test_utils import TestClient
    from pytest_aiohttp import AiohttpClient

    from ottserver.backends.database import Database
    from ottserver.billing.models import Plan


@pytest.fixture
def billing(database: Database, plans: tuple[Plan, ...]) -> BillingService:
    return BillingService(database, plans, house_plan=None)


@pytest.fixture
async def client(
    database: Database, billing: BillingService, aiohttp_client: AiohttpClient
) -> AsyncIterator[TestClient[Any, Any]]:
    async with open_cache("memory://") as cache, running(database, cache) as service:
        everything = [*accounts.routes(service), *routes(billing)]
        yield await aiohttp_client(
            build_application(everything, Guard(service, ""), RateLimits(on=False), secure_cookies=False)
        )


async def test_plans_are_shown_to_anybody_with_both_prices(client: TestClient[Any, Any]) -> None:
    status, answer = await call(client, "GET", "subscriptions")
    assert status == 200
    assert answer["plans"][0] == {
        "id": "basic",
        "name": "Basic",
        "price": 199,
        "currency": "INR",
        "amount_minor": 19900,
        "screens": 1,
        "quality": "720p",
        "max_height": 720,
    }
    assert [(p["price"], p["quality"], p["screens"]) for p in answer["plans"]] == [
        (199, "720p", 1),
        (499, "1080p", 2),
        (799, "4K", 4),
    ]


async def test_own_subscription_is_none_and_then_what_was_granted(
    client: TestClient[Any, Any], billing: BillingService
) -> None:
    ada = await person(client)
    assert await call(client, "GET", "subscription", **ada.headers) == (
        200,
        {
            "plan_id": None,
            "status": "none",
            "start_date": None,
            "end_date": None,
            "is_active": False,
            "renews": False,
        },
    )
    await billing.grant(ada.user_id, "premium", 30)
    _, answer = await call(client, "GET", "subscription", **ada.headers)
    assert (answer["plan_id"], answer["status"], answer["is_active"]) == ("premium", "active", True)
    assert answer["start_date"] < answer["end_date"]


async def test_subscription_needs_somebody_signed_in(client: TestClient[Any, Any]) -> None:
    assert (await call(client, "GET", "subscription"))[0] == 401
    assert (await call(client, "POST", "subscribe", {"plan_id": "basic", "payment_method": "sandbox"}))[0] == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"plan_id": "basic", "payment_method": "cash"}, "payment_method"),
        ({"plan_id": "basic"}, "payment_method"),
        ({"plan_id": ["basic"], "payment_method": "sandbox"}, "plan_id"),
    ],
)
async def test_purchase_that_is_not_valid_names_the_field(
    client: TestClient[Any, Any], body: dict[str, object], field: str
) -> None:
    ada = await person(client)
    status, answer = await call(client, "POST", "subscribe", body, **ada.headers)
    assert (status, [error["field"] for error in answer["errors"]]) == (422, [field])


async def test_unknown_plan_is_404_and_the_sentence_names_those_there_are(client: TestClient[Any, Any]) -> None:
    ada = await person(client)
    body = {"plan_id": "gold", "payment_method": "sandbox"}
    status, answer = await call(client, "POST", "subscribe", body, **ada.headers)
    assert (status, answer["detail"]) == (404, "There is no such plan; there are basic, standard, premium.")


@pytest.mark.parametrize("method", ["sandbox", "stripe:pm_1", "razorpay:x", "card_visa"])
async def test_valid_purchase_is_put_off_with_a_sentence(client: TestClient[Any, Any], method: str) -> None:
    ada = await person(client)
    body = {"plan_id": "standard", "payment_method": method}
    async with client.post("/api/v1/subscribe", json=body, headers=ada.headers) as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "cannot be paid for yet" in (await response.json())["detail"]
