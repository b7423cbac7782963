from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ottserver.errors import Conflict, Gone, NotFound
from ottserver.events import AccountDeleted, VideoRemoved
from ottserver.playback.keeper import SILENCE_SECONDS, Keeper
from tests.playback.conftest import LEASE_SECONDS, TICKET_SECONDS
from tests.playback.support import refusal

if TYPE_CHECKING:
    from ottserver.playback.models import Play
    from tests.playback.conftest import Stage


def opens(stage: Stage, play: Play) -> bool:
    return refusal(stage.tickets, play.ticket) is None


async def test_restart_gives_screens_back_to_players_that_were_alive(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=2), stage.house.add_film()
    alive, silent = [await stage.service.play(somebody, film) for _ in range(2)]
    stage.clock.pass_(LEASE_SECONDS)
    await stage.service.heartbeat(somebody, alive.session.id, 20, "playing")
    stage.clock.pass_(5)
    stage.restart()
    await stage.keeper.restore()
    assert [holder["session_id"] for holder in await stage.screens.holders(somebody.account_id)] == [alive.session.id]
    assert opens(stage, alive)
    assert opens(stage, silent)


async def test_running_player_goes_on_after_a_restart_that_took_long(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    stage.clock.pass_(3 * LEASE_SECONDS)
    stage.restart()
    await stage.keeper.restore()
    assert (await stage.service.heartbeat(somebody, play.session.id, 90, "playing")).saved
    with pytest.raises(Conflict):
        await stage.service.play(somebody, film)


async def test_ended_session_stays_ended_after_a_restart(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    await stage.service.end(somebody, play.session.id)
    stage.clock.pass_(TICKET_SECONDS / 2)
    stage.restart()
    await stage.keeper.restore()
    assert not opens(stage, play)
    with pytest.raises(Gone):
        await stage.service.heartbeat(somebody, play.session.id, 90, "playing")


async def test_player_that_only_fetches_keeps_its_screen(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    for _ in range(100):
        stage.clock.pass_(10)
        stage.fetching.sessions.add(play.session.id)
        await stage.keeper.tend()
    assert opens(stage, play)
    with pytest.raises(Conflict):
        await stage.service.play(somebody, film)


async def test_player_that_comes_back_to_a_taken_screen_is_shut_out(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    away = await stage.service.play(somebody, film)
    stage.clock.pass_(2 * LEASE_SECONDS)
    here = await stage.service.play(somebody, film)
    stage.fetching.sessions |= {away.session.id, here.session.id}
    await stage.keeper.tend()
    assert not opens(stage, away)
    assert opens(stage, here)


async def test_long_silent_session_ends_as_of_when_it_was_last_seen(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=2), stage.house.add_film()
    silent = await stage.service.play(somebody, film)
    stage.clock.pass_(SILENCE_SECONDS / 2)
    recent = await stage.service.play(somebody, film)
    stage.clock.pass_(SILENCE_SECONDS / 2 + 1)
    await stage.keeper.tend()
    assert not opens(stage, silent)
    assert opens(stage, recent)
    document: Any = await stage.service.export(somebody.account_id)
    ended = {entry["session_id"]: entry["ended_at"] for entry in document["sessions"]}
    assert ended == {silent.session.id: "2026-11-23T12:00:00.000Z", recent.session.id: None}


async def test_sessions_long_ended_are_forgotten(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    await stage.service.end(somebody, play.session.id)
    stage.clock.pass_(8 * 24 * 3600)
    await stage.keeper.tend()
    with pytest.raises(NotFound):
        await stage.service.end(somebody, play.session.id)


async def test_deleted_account_plays_no_longer_and_leaves_no_trace(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film, user_agent="VLC")
    await stage.service.heartbeat(somebody, play.session.id, 600, "playing")
    for _ in range(2):
        await stage.keeper.account_deleted(AccountDeleted(somebody.account_id))
        assert not opens(stage, play)
        assert await stage.screens.holders(somebody.account_id) == []
        assert await stage.service.export(somebody.account_id) == {"history": [], "sessions": []}
    stage.restart()
    await stage.keeper.restore()
    assert not opens(stage, play)


async def test_removed_video_stops_and_leaves_history(stage: Stage) -> None:
    somebody, film, other = stage.house.member(screens=2), stage.house.add_film(), stage.house.add_film()
    stopped, going = [await stage.service.play(somebody, video) for video in (film, other)]
    for play in (stopped, going):
        await stage.service.heartbeat(somebody, play.session.id, 600, "playing")
    for _ in range(2):
        await stage.keeper.video_removed(VideoRemoved(film, "source"))
        assert not opens(stage, stopped)
        assert opens(stage, going)
        entries, _total = await stage.service.history(somebody, "", page=1, limit=20)
        assert [entry.video_id for entry in entries] == [other]


async def test_keeper_goes_on_after_the_database_was_down_and_stops_when_told(stage: Stage) -> None:
    keeper = Keeper(
        stage.database,
        stage.screens,
        tickets=stage.tickets,
        activity=stage.fetching,
        standings=stage.house,
        afloat=stage.afloat,
        every_seconds=0.01,
        now=stage.clock.now,
    )
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    async with keeper.running():
        stage.database.cut = True
        stage.fetching.sessions.add("something")
        while stage.fetching.sessions:  # noqa: ASYNC110 - the keeper signals nobody
            await asyncio.sleep(0.01)
        stage.database.cut = False
        stage.clock.pass_(SILENCE_SECONDS + 1)
        while opens(stage, play):  # noqa: ASYNC110 - the keeper signals nobody
            await asyncio.sleep(0.01)
    stage.fetching.sessions.add("later")
    await asyncio.sleep(0.05)
    assert stage.fetching.sessions == {"later"}
