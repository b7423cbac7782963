from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ottserver.delivery.tickets import Refusal
from ottserver.errors import Busy, Conflict, Gone
from tests.playback.conftest import LEASE_SECONDS
from tests.playback.support import refusal

if TYPE_CHECKING:
    from tests.playback.conftest import Stage
    from tests.support.faults import Fault


@pytest.fixture(params=["error", "hang"])
def fault(request: pytest.FixtureRequest) -> Fault:
    """How a backend is away."""
    found: Fault = request.param
    return found


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ottserver.backends.outage.cache.WAIT_SECONDS", 0.02)


def figure(stage: Stage, name: str, **labels: str) -> float | None:
    return stage.registry.get_sample_value(name, labels)


async def test_without_the_cache_players_go_on_and_screens_are_still_counted(stage: Stage, fault: Fault) -> None:
    somebody, film = stage.house.member(screens=2), stage.house.add_film()
    running = await stage.service.play(somebody, film)
    stage.cache.fault = fault
    outcomes = await asyncio.gather(*(stage.service.play(somebody, film) for _ in range(9)), return_exceptions=True)
    (begun,) = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    refused = next(outcome for outcome in outcomes if isinstance(outcome, Conflict))
    assert len([outcome for outcome in outcomes if isinstance(outcome, Conflict)]) == 8
    listed: Any = refused.extra["sessions"]
    assert [entry["session_id"] for entry in listed] == [running.session.id, begun.session.id]
    for _ in range(6):
        stage.clock.pass_(LEASE_SECONDS / 2)
        for play in (running, begun):
            assert (await stage.service.heartbeat(somebody, play.session.id, 60, "playing")).saved
    assert figure(stage, "ott_backend_down", backend="cache") == 1
    await stage.service.end(somebody, running.session.id)
    assert refusal(stage.tickets, running.ticket) is Refusal.REVOKED
    await stage.service.play(somebody, film)


async def test_cache_that_is_back_and_empty_is_filled_by_those_who_play(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=1), stage.house.add_film()
    stage.cache.fault = "error"
    play = await stage.service.play(somebody, film)
    for _ in range(3):
        await stage.screens.holders(somebody.account_id)
    stage.cache.fault = ""
    await asyncio.sleep(0.6)  # the breaker's first pause
    assert (await stage.service.heartbeat(somebody, play.session.id, 60, "playing")).saved
    assert figure(stage, "ott_backend_down", backend="cache") == 0
    assert [holder["session_id"] for holder in await stage.screens.holders(somebody.account_id)] == [play.session.id]
    with pytest.raises(Conflict):
        await stage.service.play(somebody, film)


async def test_without_the_database_known_films_begin_and_are_written_later(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=2), stage.house.add_film()
    before = await stage.service.play(somebody, film)
    await stage.service.heartbeat(somebody, before.session.id, 1200, "playing")
    await stage.service.end(somebody, before.session.id)
    stage.database.cut = True
    play = await stage.service.play(somebody, film)
    assert play.resume_at == 1200
    assert refusal(stage.tickets, play.ticket) is None
    assert figure(stage, "ott_plays_granted_from_memory_total") == 1
    beat = await stage.service.heartbeat(somebody, play.session.id, 1300, "playing")
    assert not beat.saved
    assert figure(stage, "ott_playback_sessions_waiting") == 1
    stage.database.cut = False
    assert (await stage.service.heartbeat(somebody, play.session.id, 1310, "playing")).saved
    assert figure(stage, "ott_playback_sessions_waiting") == 0
    document: Any = await stage.service.export(somebody.account_id)
    assert [entry["position"] for entry in document["sessions"]] == [1310, 1200]


async def test_session_that_began_and_ended_without_the_database_is_written_by_the_keeper(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=1), stage.house.add_film()
    await stage.service.end(somebody, (await stage.service.play(somebody, film)).session.id)
    stage.database.cut = True
    play = await stage.service.play(somebody, film)
    with pytest.raises(Conflict):
        await stage.service.play(somebody, film)
    await stage.service.end(somebody, play.session.id, 700)
    assert refusal(stage.tickets, play.ticket) is Refusal.REVOKED
    with pytest.raises(Gone):
        await stage.service.heartbeat(somebody, play.session.id, 710, "playing")
    again = await stage.service.play(somebody, film)
    assert again.resume_at == 700
    stage.database.cut = False
    await stage.keeper.tend()
    document: Any = await stage.service.export(somebody.account_id)
    ended = {entry["session_id"]: entry["ended_at"] is not None for entry in document["sessions"]}
    assert (ended[play.session.id], ended[again.session.id]) == (True, False)
    assert document["history"][0]["position"] == 700


async def test_without_the_database_one_who_only_fetches_keeps_the_screen(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=1), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    stage.database.cut = True
    for _ in range(6):
        stage.clock.pass_(LEASE_SECONDS / 2)
        stage.fetching.sessions.add(play.session.id)
        with pytest.raises(Busy):
            await stage.keeper.tend()
    with pytest.raises(Conflict):
        await stage.service.play(somebody, film)


async def test_what_waits_for_the_database_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ottserver.playback.afloat.WAITING_LIMIT", 2)
    somebody, film = stage.house.member(screens=9), stage.house.add_film()
    await stage.service.play(somebody, film)
    stage.database.cut = True
    for _ in range(2):
        await stage.service.play(somebody, film)
    with pytest.raises(Busy):
        await stage.service.play(somebody, film)
    assert len(await stage.screens.holders(somebody.account_id)) == 3


async def test_end_that_waits_for_the_database_stays_an_end_whatever_its_player_says(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=1), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    async with stage.database.writing():
        late = asyncio.create_task(stage.service.heartbeat(somebody, play.session.id, 60, "playing"))
        for _ in range(500):  # until its heartbeat waits for its turn
            if stage.database.written == 3:
                break
            await asyncio.sleep(0.001)
        stage.database.cut = True
        await stage.service.end(somebody, play.session.id)
    stage.database.cut = False
    await late
    with pytest.raises(Gone):
        await stage.service.heartbeat(somebody, play.session.id, 70, "playing")
    assert await stage.screens.holders(somebody.account_id) == []
    await stage.keeper.tend()
    stage.restart()
    await stage.keeper.restore()
    assert refusal(stage.tickets, play.ticket) is Refusal.REVOKED


async def test_server_that_is_stopped_writes_what_waited_for_the_database(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=2), stage.house.add_film()
    ended, running = [await stage.service.play(somebody, film) for _ in range(2)]
    stage.database.cut = True
    await stage.service.end(somebody, ended.session.id)
    await stage.service.heartbeat(somebody, running.session.id, 900, "playing")
    stage.database.cut = False
    await stage.service.close()
    stage.restart()
    await stage.keeper.restore()
    assert refusal(stage.tickets, ended.ticket) is Refusal.REVOKED
    watched, _ = await stage.service.history(somebody, "", page=1, limit=5)
    assert [one.position for one in watched] == [900]
