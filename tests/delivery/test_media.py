from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import m3u8
import pytest
from yarl import URL

from ottserver.delivery.tickets import Tickets
from ottserver.media import Extras, extra_key
from tests.delivery.films import BOARD, OTHER_VIDEO_ID, SESSION_ID, VIDEO_ID, content, subtitles

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from tests.delivery.conftest import Stage

SEGMENT = "{p}/v720/1.m4s"
BODY = content("v720", "1")


def raw(url: str) -> URL:
    """The address exactly as written."""
    return URL(url, encoded=True)


async def problem(response: ClientResponse, status: int) -> dict[str, object]:
    assert response.status == status
    assert response.content_type == "application/problem+json"
    found: dict[str, object] = await response.json()
    assert found["status"] == status
    return found


async def test_segment_comes_whole_and_may_be_kept_for_ever(stage: Stage) -> None:
    response = await stage.client.get(stage.url(SEGMENT))
    assert response.status == 200
    assert await response.read() == BODY
    assert response.headers["Content-Type"] == "video/mp4"
    assert response.headers["Content-Length"] == "1000"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["ETag"].startswith('"')
    assert "Transfer-Encoding" not in response.headers


async def test_a_segment_says_how_long_it_was_waited_for_only_where_it_was(stage: Stage) -> None:
    stage.segments.gate.clear()
    asyncio.get_running_loop().call_later(0.25, stage.segments.gate.set)
    first = await stage.client.get(stage.url(SEGMENT))
    server, _, delay = first.headers["CMSD-Dynamic"].partition(";rd=")
    assert server == '"ottserver"'
    assert 200 <= int(delay) < 10_000
    assert "CMSD-Dynamic" not in (await stage.client.get(stage.url(SEGMENT))).headers
    assert "CMSD-Dynamic" not in (await stage.client.get(stage.url("master.m3u8"))).headers


async def test_audio_and_init_have_their_types(stage: Stage) -> None:
    response = await stage.client.get(stage.url("{p}/a0/init.mp4"))
    assert (response.status, response.headers["Content-Type"]) == (200, "audio/mp4")
    assert await response.read() == content("a0", "init")


async def test_a_player_reaches_every_segment_from_the_master_playlist(stage: Stage) -> None:
    address = stage.url("master.m3u8")
    response = await stage.client.get(address)
    assert response.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert response.headers["Cache-Control"] == "private, no-store"
    master = m3u8.loads(await response.text())
    lists = [playlist.uri for playlist in master.playlists] + [media.uri for media in master.media]
    fetched = 0
    for entry in lists:
        place = urljoin(address, entry)
        media = m3u8.loads(await (await stage.client.get(place)).text())
        for inside in [media.segment_map[0].uri, *(segment.uri for segment in media.segments)]:
            part = await stage.client.get(urljoin(place, inside))
            rendition, name = urljoin(place, inside).split("/")[-2:]
            assert await part.read() == content(rendition, name.partition(".")[0])
            fetched += 1
    assert fetched == 5 * 4


async def test_mpd_is_served_as_dash(stage: Stage) -> None:
    response = await stage.client.get(stage.url("manifest.mpd"))
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/dash+xml"
    assert response.headers["Cache-Control"] == "private, no-store"


async def test_range_is_answered_with_its_bytes(stage: Stage) -> None:
    response = await stage.client.get(stage.url(SEGMENT), headers={"Range": "bytes=2-5"})
    assert response.status == 206
    assert await response.read() == BODY[2:6]
    assert response.headers["Content-Range"] == "bytes 2-5/1000"
    assert response.headers["Content-Length"] == "4"


async def test_range_beyond_the_end_is_416_and_says_the_size(stage: Stage) -> None:
    response = await stage.client.get(stage.url(SEGMENT), headers={"Range": "bytes=1000-"})
    await problem(response, 416)
    assert response.headers["Content-Range"] == "bytes */1000"


async def test_several_ranges_are_answered_whole(stage: Stage) -> None:
    response = await stage.client.get(stage.url(SEGMENT), headers={"Range": "bytes=0-1,5-6"})
    assert response.status == 200
    assert await response.read() == BODY


async def test_head_says_what_get_would_and_sends_nothing(stage: Stage) -> None:
    got = await stage.client.get(stage.url(SEGMENT))
    head = await stage.client.head(stage.url(SEGMENT), headers={"Range": "bytes=0-1"})
    assert head.status == 200
    assert await head.read() == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Accept-Ranges", "Cache-Control"):
        assert head.headers[name] == got.headers[name]


async def test_what_the_player_has_already_is_304(stage: Stage) -> None:
    tag = (await stage.client.get(stage.url(SEGMENT))).headers["ETag"]
    response = await stage.client.get(stage.url(SEGMENT), headers={"If-None-Match": f'"x", W/{tag}'})
    assert response.status == 304
    assert response.headers["ETag"] == tag
    assert "immutable" in response.headers["Cache-Control"]
    assert await response.read() == b""
    refused = await stage.client.get(stage.url(SEGMENT), headers={"If-Match": '"x"'})
    await problem(refused, 412)
    stale = await stage.client.get(stage.url(SEGMENT), headers={"If-Range": '"x"', "Range": "bytes=0-1"})
    assert (stale.status, await stale.read()) == (200, BODY)


@pytest.mark.parametrize(
    "inside", ["master.m3u8", "manifest.mpd", "{p}/v720/media.m3u8", SEGMENT, "../../secret", "x", "", "{p}/nope/0.m4s"]
)
async def test_bad_ticket_is_denied_in_the_same_words_whatever_is_wrong(stage: Stage, inside: str) -> None:
    genuine = stage.ticket()
    expired = Tickets(b"a secret of thirty-two bytes ...", lifetime_seconds=3600, now=lambda: 1_000_000_000)
    revoked = stage.ticket(session_id=OTHER_VIDEO_ID)
    stage.tickets.revoke(OTHER_VIDEO_ID)
    inside = inside.format(p=stage.film.id)
    addresses = [
        f"/media/{genuine[:-1]}/{VIDEO_ID}/{inside}",
        f"/media/{genuine[:40]}{'A' if genuine[40] != 'A' else 'B'}{genuine[41:]}/{VIDEO_ID}/{inside}",
        f"/media/{genuine}/{OTHER_VIDEO_ID}/{inside}",
        f"/media/{genuine}%20/{VIDEO_ID}/{inside}",
        f"/media/%00/{VIDEO_ID}/{inside}",
        f"/media//{VIDEO_ID}/{inside}",
        f"/media/{revoked}/{VIDEO_ID}/{inside}",
        "/media/"
        + expired.issue(session_id=SESSION_ID, video_id=VIDEO_ID, presentation_id=stage.film.id, max_height=720)
        + f"/{VIDEO_ID}/{inside}",
    ]
    answers = [await problem(await stage.client.get(raw(address)), 403) for address in addresses]
    assert all(answer == answers[0] for answer in answers)
    denied = sum(
        sample.value
        for metric in stage.registry.collect()
        for sample in metric.samples
        if sample.name == "ott_delivery_denied_total"
    )
    assert denied == len(addresses)


async def test_ticket_ends_with_its_session_even_for_a_cached_segment(stage: Stage) -> None:
    address = stage.url(SEGMENT)
    assert (await stage.client.get(address)).status == 200
    stage.tickets.revoke(SESSION_ID)
    await problem(await stage.client.get(address), 403)


async def test_rendition_above_the_plan_is_denied_cached_or_not(stage: Stage) -> None:
    address = stage.url("{p}/v1080/0.m4s", max_height=720)
    await problem(await stage.client.get(address), 403)
    assert (await stage.client.get(stage.url("{p}/v1080/0.m4s", max_height=1080))).status == 200
    await problem(await stage.client.get(address), 403)
    await problem(await stage.client.get(stage.url("{p}/v1080/media.m3u8", max_height=720)), 403)
    await problem(await stage.client.get(stage.url("{p}/v1080/init.mp4", max_height=720)), 403)


async def test_another_presentation_under_a_good_ticket_is_denied(stage: Stage) -> None:
    await stage.client.get(stage.url(SEGMENT))
    for other in ("0" * 32, "..", stage.film.id.upper(), stage.film.id + "0", stage.film.id[:-1]):
        response = await stage.client.get(raw(stage.url(f"{other}/v720/1.m4s")))
        await problem(response, 403)


@pytest.mark.parametrize(
    "inside",
    [
        "{p}/v720/3.m4s",
        "{p}/v720/-1.m4s",
        "{p}/v720/01.m4s",
        "{p}/v720/1.M4S",
        "{p}/v720/%31.m4s",
        "{p}/v720/9999999999999999999999.m4s",
        "{p}/v720/",
        "{p}/v720",
        "{p}/nope/0.m4s",
        "{p}/v720/%2e%2e/v1080/0.m4s",
        "master.m3u",
        "master.m3u8/",
        "",
    ],
)
async def test_unknown_part_of_a_film_is_404(stage: Stage, inside: str) -> None:
    await problem(await stage.client.get(raw(stage.url(inside))), 404)


async def test_dots_in_a_path_lead_nowhere(stage: Stage) -> None:
    reader, writer = await asyncio.open_connection(stage.client.host, stage.client.port)
    address = stage.url("{p}/v480/../v1080/0.m4s", max_height=480)
    writer.write(f"GET {address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert (await reader.read()).startswith(b"HTTP/1.1 404 ")
    writer.close()


async def test_path_without_a_ticket_is_denied(stage: Stage) -> None:
    for path in ("/media/", "/media/x", "/media/x/", "/media/a/b/c/d/e/f/g"):
        await problem(await stage.client.get(raw(path)), 403)


async def test_other_methods_are_refused(stage: Stage) -> None:
    await problem(await stage.client.post(stage.url(SEGMENT)), 405)
    await problem(await stage.client.delete(stage.url("master.m3u8")), 405)


async def test_simultaneous_misses_ask_the_store_once(stage: Stage) -> None:
    responses = await asyncio.gather(*(stage.client.get(stage.url(SEGMENT)) for _ in range(50)))
    assert {response.status for response in responses} == {200}
    assert len(stage.segments.asked) == 1


async def test_segment_is_no_longer_wanted_when_the_last_client_who_waits_has_gone(stage: Stage) -> None:
    stage.segments.gate.clear()
    request = f"GET {stage.url(SEGMENT)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    writers = []
    for _ in range(2):
        _, writer = await asyncio.open_connection(stage.client.host, stage.client.port)
        writer.write(request)
        writers.append(writer)
    while not stage.segments.asked:  # noqa: ASYNC110 - what happens on the server's side signals nobody
        await asyncio.sleep(0.005)
    writers[0].close()
    await asyncio.sleep(0.05)
    assert stage.segments.withdrawn == []
    writers[1].close()
    while not stage.segments.withdrawn:  # noqa: ASYNC110 - what happens on the server's side signals nobody
        await asyncio.sleep(0.005)
    stage.segments.gate.set()
    assert await (await stage.client.get(stage.url(SEGMENT))).read() == BODY


async def test_film_goes_on_playing_while_the_database_is_down(stage: Stage) -> None:
    assert (await stage.client.get(stage.url("master.m3u8"))).status == 200
    stage.library.reachable = False
    assert (await stage.client.get(stage.url("manifest.mpd"))).status == 200
    assert (await stage.client.get(stage.url(SEGMENT))).status == 200


async def test_missing_segment_is_404_and_asked_for_again_next_time(stage: Stage) -> None:
    stage.segments.asked.clear()
    key = f"presentations/{stage.film.id}/v720/1.m4s"
    await stage.segments.blobs.delete(key)
    await problem(await stage.client.get(stage.url(SEGMENT)), 404)
    await stage.segments.blobs.put(key, b"back")
    assert await (await stage.client.get(stage.url(SEGMENT))).read() == b"back"


async def test_sessions_that_fetch_are_known_once(stage: Stage) -> None:
    assert stage.delivery.take_active() == set()
    await stage.client.get(stage.url(SEGMENT))
    await stage.client.get(stage.url(SEGMENT))
    assert stage.delivery.take_active() == {SESSION_ID}
    assert stage.delivery.take_active() == set()


async def test_page_of_another_origin_is_told_nothing_where_none_is_configured(stage: Stage) -> None:
    response = await stage.client.get(stage.url(SEGMENT), headers={"Origin": "https://player.example"})
    assert response.status == 200
    assert not [name for name in response.headers if name.startswith("Access-Control")]


class TestOneOrigin:
    @pytest.fixture
    def origins(self) -> tuple[str, ...]:
        return ("https://player.example",)

    async def test_its_pages_may_read_media_and_errors(self, stage: Stage) -> None:
        for address, status in ((stage.url(SEGMENT), 200), ("/media/x/y/z", 403)):
            response = await stage.client.get(address, headers={"Origin": "https://player.example"})
            assert response.status == status
            assert response.headers["Access-Control-Allow-Origin"] == "https://player.example"
            assert "Content-Range" in response.headers["Access-Control-Expose-Headers"]
            assert response.headers["Timing-Allow-Origin"] == "https://player.example"
            assert response.headers["Vary"] == "Origin"

    async def test_pages_of_others_may_not(self, stage: Stage) -> None:
        response = await stage.client.get(stage.url(SEGMENT), headers={"Origin": "https://thief.example"})
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["Vary"] == "Origin"

    async def test_preflight_allows_what_players_send(self, stage: Stage) -> None:
        asked = {
            "Origin": "https://player.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "range",
        }
        response = await stage.client.options(stage.url(SEGMENT), headers=asked)
        assert response.status == 204
        assert "GET" in response.headers["Access-Control-Allow-Methods"]
        assert "Range" in response.headers["Access-Control-Allow-Headers"]
        assert response.headers["Access-Control-Allow-Origin"] == "https://player.example"
        foreign = await stage.client.options(stage.url(SEGMENT), headers=asked | {"Origin": "https://thief.example"})
        assert "Access-Control-Allow-Methods" not in foreign.headers


class TestEveryOrigin:
    @pytest.fixture
    def origins(self) -> tuple[str, ...]:
        return ("*",)

    async def test_any_page_may_read_media(self, stage: Stage) -> None:
        response = await stage.client.get(stage.url(SEGMENT), headers={"Origin": "https://anybody.example"})
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Vary" not in response.headers


async def test_subtitles_are_listed_as_soon_as_they_are_there_and_may_be_kept_for_ever(stage: Stage) -> None:
    address = stage.url("master.m3u8")
    assert "SUBTITLES" not in await (await stage.client.get(address)).text()
    early = await stage.client.get(stage.url("{p}/s0-aa/subtitles.vtt"))
    assert early.status == 404
    await stage.segments.blobs.put(extra_key(stage.film.id, "s0-aa.vtt"), b"WEBVTT\n")
    stage.library.beside = Extras(text=(subtitles("s0-aa", "en"), subtitles("s1", "de", kind="image")))

    master = m3u8.loads(await (await stage.client.get(address)).text())
    (track,) = [media for media in master.media if media.type == "SUBTITLES"]
    listed = urljoin(address, track.uri)
    playlist = m3u8.loads(await (await stage.client.get(raw(listed))).text())
    response = await stage.client.get(raw(urljoin(listed, playlist.segments[0].uri)))
    assert await response.read() == b"WEBVTT\n"
    assert response.headers["Content-Type"] == "text/vtt; charset=utf-8"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "s0-aa/subtitles.vtt" in await (await stage.client.get(stage.url("manifest.mpd"))).text()
    await problem(await stage.client.get(stage.url("{p}/s1/subtitles.vtt")), 404)
    await problem(await stage.client.get(stage.url("{p}/s0-aa/init.mp4")), 404)


async def test_subtitles_stay_listed_while_the_database_is_down(stage: Stage) -> None:
    stage.library.beside = Extras(text=(subtitles("s0-aa", "en"),))
    assert "SUBTITLES" in await (await stage.client.get(stage.url("master.m3u8"))).text()
    stage.library.reachable = False
    assert "SUBTITLES" in await (await stage.client.get(stage.url("master.m3u8", max_height=480))).text()


async def test_pictures_for_the_seek_bar_are_listed_once_they_are_there(stage: Stage) -> None:
    for name in ("master.m3u8", "manifest.mpd"):
        response = await stage.client.get(stage.url(name))
        assert "storyboard" not in await response.text()
    for name in ("index.vtt", "images.m3u8", "0.jpg"):
        assert (await stage.client.get(stage.url(f"{{p}}/storyboard/{name}"))).status == 404

    stage.library.beside = Extras(storyboard=BOARD)
    await stage.segments.blobs.put(extra_key(stage.film.id, "storyboard/0.jpg"), b"a sheet")
    for name in ("master.m3u8", "manifest.mpd"):
        response = await stage.client.get(stage.url(name))
        assert f"{stage.film.id}/" in (text := await response.text())
        assert "storyboard" in text
    response = await stage.client.get(stage.url("{p}/storyboard/index.vtt"))
    assert response.content_type == "text/vtt"
    assert "immutable" in response.headers["Cache-Control"]
    assert (await response.text()).count("0.jpg#xywh=") == 3
    response = await stage.client.get(stage.url("{p}/storyboard/0.jpg"))
    assert (response.status, response.content_type, await response.read()) == (200, "image/jpeg", b"a sheet")
    for name in ("1.jpg", "00.jpg", "0", "0.png", "..", "media.m3u8"):
        assert (await stage.client.get(stage.url(f"{{p}}/storyboard/{name}"))).status == 404


async def test_rough_pictures_for_the_seek_bar_keep_their_addresses_when_the_fine_ones_are_there(stage: Stage) -> None:
    rough = replace(BOARD, interval=6.0, tiles=1, columns=1, folder="glance")
    await stage.segments.blobs.put(extra_key(stage.film.id, "glance/0.jpg"), b"a rough sheet")
    stage.library.beside = Extras(glance=rough)
    for name in ("master.m3u8", "manifest.mpd"):
        text = await (await stage.client.get(stage.url(name))).text()
        assert ("glance" in text, "storyboard" in text) == (True, False)
    assert (await stage.client.get(stage.url("{p}/storyboard/index.vtt"))).status == 404
    before = await (await stage.client.get(stage.url("{p}/glance/index.vtt"))).read()

    stage.library.beside = Extras(glance=rough, storyboard=BOARD)
    for name in ("master.m3u8", "manifest.mpd"):
        text = await (await stage.client.get(stage.url(name))).text()
        assert ("glance" in text, "storyboard" in text) == (False, True)
    assert (await stage.client.get(stage.url("{p}/storyboard/index.vtt"))).status == 200
    assert await (await stage.client.get(stage.url("{p}/glance/index.vtt"))).read() == before
    assert await (await stage.client.get(stage.url("{p}/glance/0.jpg"))).read() == b"a rough sheet"
