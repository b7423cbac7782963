from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import m3u8
from mpegdash.parser import MPEGDASHParser

from tests.delivery.films import presentation, rung, track

if TYPE_CHECKING:
    from tests.delivery.conftest import Stage

ORIGINAL = replace(
    rung(2160, name="original", boundaries=(0, 132132)), codecs="hvc1.2.4.L153.B0", group="original", copied=True
)


def with_original(stage: Stage) -> None:
    """Give the stage's film an original of one long segment."""
    film = presentation(rung(480), ORIGINAL, rung(1080), track("a0", "en", default=True), track("a1", "fr"))
    stage.film = replace(film, id=stage.film.id)
    stage.library.films[stage.film.id] = stage.film


async def test_original_has_manifests_of_its_own_with_all_sound(stage: Stage) -> None:
    with_original(stage)
    address = stage.url("original.m3u8", max_height=2160)
    master = m3u8.loads(await (await stage.client.get(address)).text())
    (variant,) = master.playlists
    assert variant.stream_info.codecs == "hvc1.2.4.L153.B0,mp4a.40.2"
    assert [media.language for media in master.media] == ["en", "fr"]
    media = m3u8.loads(await (await stage.client.get(urljoin(address, variant.uri))).text())
    assert [segment.duration for segment in media.segments] == [5.5055]

    response = await stage.client.get(stage.url("original.mpd", max_height=2160))
    assert response.headers["Content-Type"] == "application/dash+xml"
    mpd = await asyncio.to_thread(MPEGDASHParser.parse, await response.text())
    names = [r.id for s in mpd.periods[0].adaptation_sets for r in s.representations]
    assert names == ["original", "a0", "a1"]


async def test_ladder_never_holds_the_original(stage: Stage) -> None:
    with_original(stage)
    master = m3u8.loads(await (await stage.client.get(stage.url("master.m3u8", max_height=2160))).text())
    assert [playlist.stream_info.resolution[1] for playlist in master.playlists] == [480, 1080]
    assert "original" not in await (await stage.client.get(stage.url("manifest.mpd", max_height=2160))).text()


async def test_film_without_an_original_has_no_manifest_of_it(stage: Stage) -> None:
    assert (await stage.client.get(stage.url("original.mpd"))).status == 404


async def test_original_above_the_plan_is_denied(stage: Stage) -> None:
    with_original(stage)
    for inside in ("original.m3u8", "original.mpd", "{p}/original/media.m3u8", "{p}/original/0.m4s"):
        assert (await stage.client.get(stage.url(inside, max_height=1080))).status == 403
