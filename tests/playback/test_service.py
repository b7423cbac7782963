from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ottserver.delivery.tickets import Refusal
from ottserver.errors import Busy, Conflict, Gone, NotFound, PaymentRequired
from ottserver.ids import new_id
from ottserver.playback.store import HISTORY_LIMIT
from tests.playback.conftest import LEASE_SECONDS
from tests.playback.support import FILM, FILM_SECONDS, refusal

if TYPE_CHECKING:
    from ottserver.playback.models import Play
    from tests.playback.conftest import Stage


def refused(stage: Stage, play: Play) -> Refusal | None:
    return refusal(stage.tickets, play.ticket)


async def test_play_gives_a_ticket_for_this_film_at_the_plans_height(stage: Stage) -> None:
    somebody, film = stage.house.member(max_height=720), stage.house.add_film()
    play = await stage.service.play(somebody, film, user_agent="VLC/3.0")
    ticket = stage.tickets.verify(play.ticket)
    assert (ticket.session_id, ticket.video_id, ticket.presentation_id) == (play.session.id, film, FILM.id)
    assert ticket.max_height == play.max_height == 720
    assert play.session.duration_seconds == FILM_SECONDS
    assert play.resume_at == 0


async def test_without_a_plan_playing_is_refused_in_a_sentence(stage: Stage) -> None:
    film = stage.house.add_film()
    with pytest.raises(PaymentRequired, match="plan"):
        await stage.service.play(stage.house.member(screens=None), film)


async def test_unknown_video_is_not_found(stage: Stage) -> None:
    with pytest.raises(NotFound):
        await stage.service.play(stage.house.member(), new_id())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"status": "probing", "presentation_id": ""}, "still being prepared"),
        ({"status": "failed", "reason": "The file holds no video."}, "The file holds no video"),
        ({"status": "failed", "reason": ""}, "could not be prepared"),
        ({"presentation_id": "cd" * 16}, "still being prepared"),
    ],
)
async def test_video_that_cannot_be_played_says_why_and_takes_no_screen(
    stage: Stage, changes: dict[str, str], sentence: str
) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    stage.house.change(film, **changes)
    with pytest.raises(Conflict, match=sentence):
        await stage.service.play(somebody, film)
    assert await stage.screens.holders(somebody.account_id) == []


async def test_of_fifty_simultaneous_plays_on_two_screens_two_win(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=2), stage.house.add_film()
    outcomes = await asyncio.gather(*(stage.service.play(somebody, film) for _ in range(50)), return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 2
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 48


async def test_full_screens_are_listed_so_that_one_can_be_ended(stage: Stage) -> None:
    somebody, film = stage.house.member(screens=2), stage.house.add_film("Sintel")
    first = await stage.service.play(somebody, film, user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
    stage.clock.pass_(5)
    second = await stage.service.play(somebody, film)
    await stage.service.heartbeat(somebody, first.session.id, 61.5, "playing")
    with pytest.raises(Conflict, match="all 2 screens") as refusal:
        await stage.service.play(somebody, film)
    listed: Any = refusal.value.extra["sessions"]
    assert [entry["session_id"] for entry in listed] == [first.session.id, second.session.id]
    assert listed[0] == {
        "session_id": first.session.id,
        "video_id": film,
        "title": "Sintel",
        "device": "Firefox on Linux",
        "started_at": "2026-11-23T12:00:00.000Z",
        "position": 61.5,
    }
    await stage.service.end(somebody, first.session.id)
    third = await stage.service.play(somebody, film)
    assert refused(stage, third) is None


async def test_accounts_do_not_share_screens(stage: Stage) -> None:
    film = stage.house.add_film()
    for _ in range(3):
        await stage.service.play(stage.house.member(screens=1), film)


async def test_screen_is_free_again_when_its_player_fell_silent(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    await stage.service.play(somebody, film)
    stage.clock.pass_(LEASE_SECONDS - 1)
    with pytest.raises(Conflict, match="the one screen"):
        await stage.service.play(somebody, film)
    stage.clock.pass_(2)
    await stage.service.play(somebody, film)


async def test_heartbeats_keep_the_screen(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    for second in range(0, 120, 20):
        beat = await stage.service.heartbeat(somebody, play.session.id, second, "playing")
        assert (beat.lease_seconds, beat.saved) == (LEASE_SECONDS, True)
        stage.clock.pass_(20)
    with pytest.raises(Conflict):
        await stage.service.play(somebody, film)


async def test_session_ended_elsewhere_gets_410_and_its_ticket_opens_nothing(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    await stage.service.end(somebody, play.session.id)
    assert refused(stage, play) is Refusal.REVOKED
    with pytest.raises(Gone, match="another device"):
        await stage.service.heartbeat(somebody, play.session.id, 5, "playing")
    assert await stage.screens.holders(somebody.account_id) == []


async def test_ending_twice_is_no_error(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    await stage.service.end(somebody, play.session.id)
    await stage.service.end(somebody, play.session.id)


async def test_session_ends_wholly_or_not_at_all_whenever_the_page_that_asks_is_gone(stage: Stage) -> None:
    film = stage.house.add_film()
    outcomes = set()
    for step in range(12):
        somebody = stage.house.member()
        play = await stage.service.play(somebody, film)
        asking = asyncio.create_task(stage.service.end(somebody, play.session.id))
        await asyncio.sleep(step * 0.0005)
        asking.cancel()
        await asyncio.wait([asking])
        await stage.service.close()
        ended = refused(stage, play) is Refusal.REVOKED
        assert ended is (await stage.screens.holders(somebody.account_id) == [])
        document: Any = await stage.service.export(somebody.account_id)
        assert ended is (document["sessions"][0]["ended_at"] is not None)
        outcomes.add(ended)
    assert False in outcomes


async def test_sessions_of_others_are_not_found_and_stay_unharmed(stage: Stage) -> None:
    somebody, other, film = stage.house.member(), stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    for session_id in (play.session.id, new_id()):
        with pytest.raises(NotFound):
            await stage.service.heartbeat(other, session_id, 0, "playing")
        with pytest.raises(NotFound):
            await stage.service.end(other, session_id)
    assert refused(stage, play) is None
    assert (await stage.service.heartbeat(somebody, play.session.id, 1, "playing")).saved


async def test_player_that_slept_takes_its_screen_again_when_one_is_free(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    stage.clock.pass_(5 * LEASE_SECONDS)
    await stage.service.heartbeat(somebody, play.session.id, 30, "paused")
    with pytest.raises(Conflict):
        await stage.service.play(somebody, film)


async def test_player_that_slept_is_ended_when_its_screen_was_taken(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    asleep = await stage.service.play(somebody, film)
    stage.clock.pass_(5 * LEASE_SECONDS)
    awake = await stage.service.play(somebody, film)
    with pytest.raises(Gone, match="taken"):
        await stage.service.heartbeat(somebody, asleep.session.id, 30, "playing")
    assert refused(stage, asleep) is Refusal.REVOKED
    assert refused(stage, awake) is None


async def test_film_goes_on_where_it_was_left(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    await stage.service.heartbeat(somebody, play.session.id, 1234.5, "paused")
    await stage.service.end(somebody, play.session.id)
    again = await stage.service.play(somebody, film)
    assert again.resume_at == 1234.5
    await stage.service.heartbeat(somebody, again.session.id, FILM_SECONDS - 60, "playing")
    await stage.service.end(somebody, again.session.id)
    assert (await stage.service.play(somebody, film)).resume_at == 0


async def test_profiles_of_a_household_go_on_each_at_their_own_place(stage: Stage) -> None:
    somebody, film, child = stage.house.member(screens=2), stage.house.add_film(), new_id()
    play = await stage.service.play(somebody, film, profile_id=child)
    await stage.service.heartbeat(somebody, play.session.id, 700, "playing")
    assert (await stage.service.play(somebody, film)).resume_at == 0
    await stage.service.end(somebody, play.session.id)
    assert (await stage.service.play(somebody, film, profile_id=child)).resume_at == 700


async def test_position_behind_the_end_is_the_end(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    await stage.service.heartbeat(somebody, play.session.id, 1e300, "playing")
    entries, total = await stage.service.history(somebody, "", page=1, limit=20)
    assert total == 1
    assert entries[0].position == FILM_SECONDS
    assert entries[0].finished


async def test_a_mere_look_leaves_no_history(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    await stage.service.heartbeat(somebody, play.session.id, 3, "playing")
    assert await stage.service.history(somebody, "", page=1, limit=20) == ([], 0)


async def test_history_is_paged_the_latest_first_and_can_be_forgotten(stage: Stage) -> None:
    somebody = stage.house.member(screens=9)
    films = [stage.house.add_film(f"Film {n}") for n in range(3)]
    for film in films:
        play = await stage.service.play(somebody, film)
        stage.clock.pass_(1)
        await stage.service.heartbeat(somebody, play.session.id, 600, "playing")
    entries, total = await stage.service.history(somebody, "", page=1, limit=2)
    assert ([entry.video_id for entry in entries], total) == ([films[2], films[1]], 3)
    entries, _ = await stage.service.history(somebody, "", page=2, limit=2)
    assert [entry.title for entry in entries] == ["Film 0"]
    await stage.service.forget(somebody, "", films[2])
    await stage.service.forget(somebody, "", films[2])
    assert (await stage.service.history(somebody, "", page=1, limit=2))[1] == 2
    assert (await stage.service.play(somebody, films[2])).resume_at == 0


async def test_continue_watching_leaves_out_what_is_finished(stage: Stage) -> None:
    somebody = stage.house.member(screens=9)
    for position in (600.0, FILM_SECONDS, 1200.0):
        play = await stage.service.play(somebody, stage.house.add_film())
        stage.clock.pass_(1)
        await stage.service.heartbeat(somebody, play.session.id, position, "playing")
    found = await stage.service.continue_watching(somebody.account_id, 10)
    assert [(at, duration) for _, at, duration in found] == [(1200.0, FILM_SECONDS), (600.0, FILM_SECONDS)]
    assert len(await stage.service.continue_watching(somebody.account_id, 1)) == 1


async def test_history_is_bounded_and_the_oldest_makes_room(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HISTORY_LIMIT >= 1000
    monkeypatch.setattr("ottserver.playback.store.HISTORY_LIMIT", 3)
    somebody = stage.house.member(screens=9)
    films = [stage.house.add_film() for _ in range(5)]
    for film in films:
        play = await stage.service.play(somebody, film)
        stage.clock.pass_(1)
        await stage.service.heartbeat(somebody, play.session.id, 600, "playing")
    entries, total = await stage.service.history(somebody, "", page=1, limit=20)
    assert total == 3
    assert [entry.video_id for entry in entries] == films[:1:-1]


async def test_while_the_database_is_down_a_player_keeps_its_screen_and_later_its_place(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    play = await stage.service.play(somebody, film)
    stage.database.cut = True
    for second in range(10, 120, 20):
        beat = await stage.service.heartbeat(somebody, play.session.id, second, "playing")
        assert not beat.saved
        stage.clock.pass_(20)
    with pytest.raises(Busy):
        await stage.service.heartbeat(somebody, new_id(), 1, "playing")
    stage.database.cut = False
    with pytest.raises(Conflict):
        await stage.service.play(somebody, film)
    assert (await stage.service.heartbeat(somebody, play.session.id, 130, "playing")).saved
    await stage.service.end(somebody, play.session.id)
    assert (await stage.service.play(somebody, film)).resume_at == 130


async def test_export_holds_what_was_watched_and_where(stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film("Sintel")
    play = await stage.service.play(somebody, film, user_agent="VLC/3")
    await stage.service.heartbeat(somebody, play.session.id, 600, "playing")
    document: Any = await stage.service.export(somebody.account_id)
    assert [(entry["title"], entry["position"]) for entry in document["history"]] == [("Sintel", 600)]
    assert [(entry["device"], entry["ended_at"]) for entry in document["sessions"]] == [("VLC", None)]
    assert await stage.service.export(new_id()) == {"history": [], "sessions": []}
