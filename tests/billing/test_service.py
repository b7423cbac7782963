from __future__ import annotations

import sqlite3
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ottserver.backends.bus import open_bus
from ottserver.backends.database.sqlite import READERS
from ottserver.billing import service
from ottserver.billing.models import Entitlement, Plan
from ottserver.billing.service import BillingService
from ottserver.clock import utcnow
from ottserver.errors import Busy, Conflict, Invalid, NotFound
from ottserver.events import AccountDeleted, SubscriptionChanged
from ottserver.identity import Principal, Role
from ottserver.ids import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.backends.database import Database


def somebody(role: Role = "member") -> Principal:
    return Principal(new_id(), role, new_id())


@pytest.fixture
def billing(database: Database, plans: tuple[Plan, ...]) -> BillingService:
    return BillingService(database, plans, house_plan=None)


def days_from_now(entitlement: Entitlement | None) -> float:
    assert entitlement
    assert entitlement.expires_at
    return (entitlement.expires_at - utcnow()) / timedelta(days=1)


async def test_member_without_a_plan_is_entitled_to_nothing(billing: BillingService) -> None:
    member = somebody()
    assert await billing.entitlement(member) is None
    assert (await billing.subscription(member)).status == "none"


@pytest.mark.parametrize("role", ["owner", "admin"])
async def test_owners_and_admins_play_everything_without_a_plan(billing: BillingService, role: Role) -> None:
    entitlement = await billing.entitlement(somebody(role))
    assert entitlement
    assert (entitlement.plan_id, entitlement.max_height) == (None, 2160)


async def test_where_nothing_is_sold_every_member_has_the_house_plan(
    database: Database, plans: tuple[Plan, ...]
) -> None:
    billing = BillingService(database, plans, house_plan="standard")
    assert await billing.entitlement(somebody()) == Entitlement("standard", 1080, 2, None)
    subscription = await billing.subscription(somebody())
    assert (subscription.plan_id, subscription.is_active, subscription.end_date) == ("standard", True, None)
    with pytest.raises(Conflict, match="Nothing is sold here"):
        await billing.subscribe("basic")


async def test_granted_plan_entitles_until_its_end(billing: BillingService) -> None:
    member = somebody()
    await billing.grant(member.account_id, "standard", 30)
    entitlement = await billing.entitlement(member)
    assert entitlement
    assert (entitlement.plan_id, entitlement.max_height, entitlement.screens) == ("standard", 1080, 2)
    assert days_from_now(entitlement) == pytest.approx(30, abs=0.01)
    assert await billing.entitlement(somebody()) is None


async def test_another_grant_of_the_same_plan_prolongs_it(billing: BillingService) -> None:
    member = somebody()
    for _ in range(3):
        await billing.grant(member.account_id, "basic", 10)
    assert days_from_now(await billing.entitlement(member)) == pytest.approx(30, abs=0.01)
    assert (await billing.subscription(member)).is_active


async def test_best_of_several_plans_counts(billing: BillingService) -> None:
    member = somebody()
    await billing.grant(member.account_id, "premium", 5)
    await billing.grant(member.account_id, "basic", 300)
    entitlement = await billing.entitlement(member)
    assert entitlement
    assert entitlement.plan_id == "premium"
    assert days_from_now(entitlement) == pytest.approx(5, abs=0.01)


async def test_expired_grant_entitles_to_nothing_and_a_new_one_starts_today(
    billing: BillingService, tmp_path: Path
) -> None:
    member = somebody()
    await billing.grant(member.account_id, "basic", 10)
    with sqlite3.connect(tmp_path / "ott.db") as file:  # a month passes
        file.execute("UPDATE billing_grants SET starts_at = '2020-01-01 00:00:00', ends_at = '2020-01-11 00:00:00'")
    file.close()
    assert await billing.entitlement(member) is None
    subscription = await billing.subscription(member)
    assert (subscription.plan_id, subscription.status, subscription.is_active) == ("basic", "expired", False)
    await billing.grant(member.account_id, "basic", 10)
    assert days_from_now(await billing.entitlement(member)) == pytest.approx(10, abs=0.01)


@pytest.mark.parametrize(("plan_id", "days"), [("gold", 30), ("basic", 0), ("basic", -1), ("basic", 10**9)])
async def test_grant_that_makes_no_sense_is_refused_and_leaves_nothing(
    billing: BillingService, plan_id: str, days: int
) -> None:
    member = somebody()
    with pytest.raises((Invalid, NotFound)) as refused:
        await billing.grant(member.account_id, plan_id, days)
    assert refused.value.errors[0].field in ("plan_id", "days")
    assert await billing.entitlement(member) is None


async def test_grants_cannot_be_piled_up_beyond_the_calendar(billing: BillingService) -> None:
    member = somebody()

    async def pile_up() -> None:
        for _ in range(3):
            await billing.grant(member.account_id, "basic", 36_500)

    with pytest.raises(Conflict):
        await pile_up()


async def test_known_member_still_plays_while_the_database_does_not_answer(
    database: Database, billing: BillingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, stranger = somebody(), somebody()
    for one in (member, stranger):
        await billing.grant(one.account_id, "premium", 30)
    before = await billing.entitlement(member)
    assert before is not None
    monkeypatch.setattr(service, "DATABASE_WAIT_SECONDS", 0.05)
    async with AsyncExitStack() as stack:
        for _ in range(READERS):  # nobody else gets a connection
            await stack.enter_async_context(database.reading())
        assert await billing.entitlement(member) == before
        with pytest.raises(Busy):
            await billing.entitlement(stranger)
    assert await billing.entitlement(stranger) is not None


async def test_deleted_account_leaves_no_grant_behind(database: Database, billing: BillingService) -> None:
    member = somebody()
    bus = open_bus("outbox://", database)
    bus.subscribe("billing", AccountDeleted, billing.erase)
    await billing.grant(member.account_id, "basic", 30)
    async with database.writing() as work:
        await work.announce(AccountDeleted(member.account_id))
    async with bus.running():
        await bus.drained()
    assert await billing.export(member.account_id) == {"grants": []}
    assert await billing.entitlement(member) is None


async def test_grant_is_announced(database: Database, billing: BillingService) -> None:
    heard: list[SubscriptionChanged] = []
    bus = open_bus("outbox://", database)

    async def hear(fact: SubscriptionChanged) -> None:
        heard.append(fact)

    bus.subscribe("listener", SubscriptionChanged, hear)
    member = somebody()
    await billing.grant(member.account_id, "basic", 30)
    async with bus.running():
        await bus.drained()
    assert heard == [SubscriptionChanged(member.account_id, "basic", "active")]


async def test_subscribing_says_that_payments_are_not_taken_yet(billing: BillingService) -> None:
    with pytest.raises(Busy, match="cannot be paid for yet"):
        await billing.subscribe("basic")
    with pytest.raises(NotFound, match="basic, standard, premium"):
        await billing.subscribe("gold")


@pytest.mark.parametrize(("currency", "minor"), [("INR", 19900), ("JPY", 199), ("KWD", 199000)])
def test_price_in_minor_units_follows_the_currency(currency: str, minor: int) -> None:
    assert Plan("basic", "Basic", 199, currency, "720p", 720, 1).amount_minor == minor
