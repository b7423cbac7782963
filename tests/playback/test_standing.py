from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ottserver.billing.models import Entitlement
from ottserver.delivery.tickets import Refusal
from ottserver.errors import Gone, PaymentRequired
from ottserver.events import AccountDisabled, DevicesSignedOut, SubscriptionChanged
from ottserver.playback.keeper import LOWERED_AFTER_SECONDS, REVIEW_SECONDS
from tests.playback.support import refusal

if TYPE_CHECKING:
    from ottserver.identity import Principal
    from tests.playback.conftest import Stage


def changed(somebody: Principal) -> SubscriptionChanged:
    return SubscriptionChanged(somebody.account_id, "basic", "active")


async def test_lower_plan_is_told_first_and_holds_soon_after(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=2, max_height=1080), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    stage.house.plans[somebody.account_id] = Entitlement("basic", 480, 2, None)
    for _ in range(2):
        await stage.keeper.subscription_changed(changed(somebody))
    assert (await stage.service.heartbeat(somebody, play.session.id, 10, "playing")).max_height == 480
    assert stage.tickets.verify(play.ticket).max_height == 1080
    stage.clock.pass_(LOWERED_AFTER_SECONDS)
    assert stage.tickets.verify(play.ticket).max_height == 480
    remembered = stage.tickets.remembered(play.ticket)
    assert remembered is not None
    assert remembered.max_height == 480
    stage.restart()
    await stage.keeper.restore()
    assert stage.tickets.verify(play.ticket).max_height == 480


async def test_fewer_screens_end_those_that_began_last(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=3), stage.house.add_film()
    first, second, third = [await stage.service.play(somebody, film) for _ in range(3)]
    stage.house.plans[somebody.account_id] = Entitlement("basic", 720, 1, None)
    await stage.keeper.subscription_changed(changed(somebody))
    assert refusal(stage.tickets, first.ticket) is None
    for play in (second, third):
        assert refusal(stage.tickets, play.ticket) is Refusal.REVOKED
        with pytest.raises(Gone, match="screens"):
            await stage.service.heartbeat(somebody, play.session.id, 10, "playing")


async def test_plan_that_is_gone_is_noticed_within_a_minute_without_any_fact(stage: Stage) -> None:
    somebody, other, film = stage.house.member(), stage.house.member(), stage.house.add_film()
    play, going = [await stage.service.play(viewer, film) for viewer in (somebody, other)]
    await stage.keeper.tend()
    del stage.house.plans[somebody.account_id]
    for _ in range(int(REVIEW_SECONDS // 10)):
        stage.clock.pass_(10)
        await stage.keeper.tend()
    assert refusal(stage.tickets, play.ticket) is Refusal.REVOKED
    assert refusal(stage.tickets, going.ticket) is None
    with pytest.raises(Gone, match="plan") as gone:
        await stage.service.heartbeat(somebody, play.session.id, 10, "playing")
    assert gone.value.extra == {"reason": "plan"}
    with pytest.raises(PaymentRequired):
        await stage.service.play(somebody, film)


async def test_ticket_ends_with_the_plan(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    moment = stage.clock.now()
    plan = stage.house.plans[somebody.account_id]
    stage.clock.pass_(60)
    stage.house.plans[somebody.account_id] = replace(plan, expires_at=stage.clock.now())
    stage.clock.moment = moment
    play = await stage.service.play(somebody, film)
    stage.clock.pass_(59)
    assert refusal(stage.tickets, play.ticket) is None
    stage.clock.pass_(1)
    assert refusal(stage.tickets, play.ticket) is Refusal.EXPIRED


async def test_device_that_is_signed_out_stops_and_others_go_on(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=2), stage.house.add_film()
    here = await stage.service.play(somebody, film)
    there = await stage.service.play(replace(somebody, session_id="another device"), film)
    stage.restart()
    await stage.keeper.restore()
    await stage.keeper.signed_out(DevicesSignedOut(somebody.account_id, ("another device", "a third")))
    assert refusal(stage.tickets, there.ticket) is Refusal.REVOKED
    assert refusal(stage.tickets, here.ticket) is None


async def test_account_that_is_shut_out_stops_everywhere(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=2), stage.house.add_film()
    plays = [await stage.service.play(somebody, film) for _ in range(2)]
    for _ in range(2):
        await stage.keeper.account_disabled(AccountDisabled(somebody.account_id))
    for play in plays:
        assert refusal(stage.tickets, play.ticket) is Refusal.REVOKED
        with pytest.raises(Gone, match="shut out"):
            await stage.service.heartbeat(somebody, play.session.id, 10, "playing")
    assert await stage.screens.holders(somebody.account_id) == []
