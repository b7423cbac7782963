"""Heartbeats that come together are saved together, and what they are answered is as true as one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ottserver.errors import Busy, Gone
from ottserver.playback.afloat import Afloat
from ottserver.playback.metrics import PlaybackMetrics
from ottserver.playback.service import PlaybackService
from tests.playback.support import FILM_SECONDS

if TYPE_CHECKING:
    from ottserver.identity import Principal
    from ottserver.playback.models import Play
    from tests.playback.conftest import Stage

MANY = 60


async def playing(stage: Stage, many: int = MANY) -> list[tuple[Principal, Play]]:
    people = [stage.house.member() for _ in range(many)]
    film = stage.house.add_film()
    return [(person, await stage.service.play(person, film)) for person in people]


def other_process(stage: Stage) -> PlaybackService:
    """Another process on the same backends, which remembers nothing of this one's sessions."""
    return PlaybackService(
        stage.database,
        stage.screens,
        entitlements=stage.house,
        catalog=stage.house,
        presentations=stage.house,
        tickets=stage.tickets,
        afloat=Afloat(PlaybackMetrics(stage.registry.__class__())),
        now=stage.clock.now,
    )


async def test_heartbeats_of_many_players_need_few_transactions_and_keep_every_place(stage: Stage) -> None:
    players = await playing(stage)
    for start in (100.0, 200.0):  # the first makes rows of the history, the second changes them
        before = stage.database.written
        await asyncio.gather(
            *(
                stage.service.heartbeat(person, play.session.id, start + number, "playing")
                for number, (person, play) in enumerate(players)
            )
        )
        assert stage.database.written - before <= MANY // 5
        stage.restart()
        kept = [(await stage.service.history(person, "", page=1, limit=5))[0] for person, _ in players]
        assert [[watched.position for watched in one] for one in kept] == [[start + n] for n in range(MANY)]


async def test_of_two_heartbeats_of_one_player_the_later_one_counts(stage: Stage) -> None:
    [(person, play)] = await playing(stage, 1)
    await asyncio.gather(
        *(stage.service.heartbeat(person, play.session.id, second, "playing") for second in (10, 20, 30)),
        stage.service.heartbeat(person, play.session.id, 40, "ended"),
    )
    watched, _ = await stage.service.history(person, "", page=1, limit=5)
    assert [one.position for one in watched] == [FILM_SECONDS]


async def test_session_ended_in_another_process_is_told_why_among_others_that_go_on(stage: Stage) -> None:
    players = await playing(stage, 3)
    person, play = players[1]
    await other_process(stage).end(person, play.session.id)
    answers = await asyncio.gather(
        *(stage.service.heartbeat(who, one.session.id, 50, "playing") for who, one in players), return_exceptions=True
    )
    assert [isinstance(answer, Gone) for answer in answers] == [False, True, False]
    with pytest.raises(Gone, match="another device"):
        await stage.service.heartbeat(person, play.session.id, 60, "playing")
    watched, _ = await stage.service.history(person, "", page=1, limit=5)
    assert watched == []


async def test_line_to_the_database_that_breaks_holds_up_nobody_and_loses_no_place(stage: Stage) -> None:
    players = await playing(stage, 5)
    await asyncio.gather(*(stage.service.heartbeat(who, one.session.id, 50, "playing") for who, one in players))
    stage.database.cut = True
    beats = [stage.service.heartbeat(who, one.session.id, 70, "playing") for who, one in players]
    assert [beat.saved for beat in await asyncio.gather(*beats)] == [False] * 5
    stage.database.cut = False
    await stage.keeper.tend()
    for person, _ in players:
        watched, _ = await stage.service.history(person, "", page=1, limit=5)
        assert [one.position for one in watched] == [70]


async def test_heartbeat_that_is_given_up_is_kept_all_the_same(stage: Stage) -> None:
    [(person, play)] = await playing(stage, 1)
    beat = asyncio.create_task(stage.service.heartbeat(person, play.session.id, 90, "playing"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not beat.done()
    beat.cancel()
    await asyncio.gather(beat, return_exceptions=True)
    await stage.service.close()
    watched, _ = await stage.service.history(person, "", page=1, limit=5)
    assert [one.position for one in watched] == [90]


async def test_unknown_session_is_busy_while_nobody_can_look(stage: Stage) -> None:
    [(person, play)] = await playing(stage, 1)
    stage.clock.pass_(100)
    stage.database.cut = True
    with pytest.raises(Busy):
        await other_process(stage).heartbeat(person, play.session.id, 90, "playing")
