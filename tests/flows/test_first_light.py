from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from mpegdash.parser import MPEGDASHParser

from tests.flows.people import PASSWORD, Person, assert_problem, eventually, new_member, new_owner
from tests.flows.screens import decoded_frames, fetch, seen, text, tracks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.conftest import Cinema, StartQuick

AUDIO_FRAME_SECONDS = 1024 / 48000
SECONDS, FRAMES = 30.0, 720


@pytest.fixture(scope="module")
def play(cinema: Cinema) -> dict[str, Any]:
    """The owner's playback of the film, begun as soon as it is playable."""
    cinema.owner.until(cinema.video_id, "playable", "complete")
    return cinema.owner.play(cinema.video_id)


def test_film_plays_before_it_is_encoded_whole(cinema: Cinema, play: dict[str, Any]) -> None:
    assert play["duration_seconds"] == SECONDS
    assert play["resume_at"] == 0
    assert play["max_height"] >= 1080
    there = tracks(play["manifest_url"])
    assert sorted(there) == ["1080", "480", "720", "audio"]
    last = fetch(there["480"].segments[-1])
    assert last.status_code == 200
    assert len(last.content) > 10_000
    assert cinema.listener.statuses(cinema.video_id)[:2] == ["probing", "playable"]


def test_manifests_agree_on_a_grid_without_gaps(play: dict[str, Any]) -> None:
    listed = tracks(play["manifest_url"])
    for rendition in listed.values():
        assert sum(rendition.seconds) == pytest.approx(SECONDS, abs=AUDIO_FRAME_SECONDS)
    mpd = MPEGDASHParser.parse(text(play["dash_url"]))
    assert mpd.media_presentation_duration == "PT30S"
    (period,) = mpd.periods
    pictures = next(one for one in period.adaptation_sets if one.content_type == "video")
    sound = next(one for one in period.adaptation_sets if one.content_type == "audio")
    assert [rung.height for rung in pictures.representations] == [480, 720, 1080]
    for adaptation, name in ((pictures, "480"), (sound, "audio")):
        (template,) = adaptation.segment_templates
        (timeline,) = template.segment_timelines
        ticks = [entry.d for entry in timeline.Ss for _ in range((entry.r or 0) + 1)]
        assert timeline.Ss[0].t == 0
        assert [tick / template.timescale for tick in ticks] == pytest.approx(listed[name].seconds, abs=1e-3)


@pytest.mark.parametrize("manifest", ["manifest_url", "dash_url"])
def test_another_ffmpeg_sees_every_frame_at_its_time(play: dict[str, Any], ffprobe: Path, manifest: str) -> None:
    heights = []
    # In HLS every rung is listed once with stereo and once with 5.1.
    for streams in ("v:0", "v:2" if manifest == "manifest_url" else "v:1"):
        video = seen(ffprobe, play[manifest], streams)[0]
        assert (video.duration, video.frames) == (SECONDS, FRAMES)
        assert abs(video.start) <= AUDIO_FRAME_SECONDS
        heights.append(video.height)
    assert heights == [480, 720]
    sound = seen(ffprobe, play[manifest], "a:0")[0]
    assert abs(sound.start) <= AUDIO_FRAME_SECONDS
    assert sound.frames * AUDIO_FRAME_SECONDS == pytest.approx(SECONDS, abs=AUDIO_FRAME_SECONDS)


def test_segments_are_files_that_any_cache_can_keep(play: dict[str, Any]) -> None:
    url = tracks(play["manifest_url"])["480"].segments[3]
    whole = fetch(url)
    size, etag = len(whole.content), whole.headers["ETag"]
    assert whole.headers["Content-Type"] == "video/mp4"
    assert whole.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    head = fetch(url, method="HEAD")
    assert (head.headers["Content-Length"], head.headers["ETag"], head.content) == (str(size), etag, b"")
    part = fetch(url, Range="bytes=100-199")
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{size}"
    assert fetch(url, Range="bytes=-50").content == whole.content[-50:]
    outside = fetch(url, Range=f"bytes={size}-")
    assert (outside.status_code, outside.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert fetch(url, If_None_Match=etag).status_code == 304
    assert fetch(url, Range="bytes=0-9", If_Range='"other"').content == whole.content


def test_forged_tickets_and_those_of_other_titles_open_nothing(cinema: Cinema, play: dict[str, Any]) -> None:
    segment = tracks(play["manifest_url"])["480"].segments[0]
    ticket = segment.split("/")[4]
    for forged in (
        ticket[:-1] + ("A" if ticket[-1] != "A" else "B"),
        ticket[:40] + ("A" if ticket[40] != "A" else "B") + ticket[41:],
        ticket[:99],
        "A" * 100,
        cinema.owner.token,
        "%2e%2e",
    ):
        for url in (segment, play["manifest_url"], play["dash_url"]):
            assert_problem(denied := fetch(url.replace(ticket, forged)))
            assert denied.status_code == 403
    assert fetch(segment.replace(cinema.video_id, play["session_id"])).status_code == 403


def test_expired_ticket_opens_nothing(start_quick: StartQuick, scene: Path) -> None:
    server = start_quick(OTT_DELIVERY_TICKET_HOURS="0.001")
    owner = new_owner(server)
    done = server.run("import", str(scene))
    video_id = json.loads(done.stdout)["video_id"]
    owner.until(video_id, "playable", "complete")
    url = owner.play(video_id)["manifest_url"]
    assert fetch(url).status_code == 200
    assert_problem(eventually(lambda: answer if (answer := fetch(url)).status_code == 403 else None))


def test_viewers_find_the_film_with_its_pictures(cinema: Cinema, play: dict[str, Any]) -> None:
    assert play["session_id"]
    owner = cinema.owner
    metadata = owner.get(f"videos/{cinema.video_id}/metadata")
    assert metadata["title"] == "Big Buck Bunny"
    assert metadata["duration_seconds"] == SECONDS
    assert [rung["height_class"] for rung in metadata["renditions"]] == [480, 720, 1080]

    def pictured() -> dict[str, Any] | None:
        items = [item for row in owner.get("home")["rows"] for item in row["items"]]
        mine = next((item for item in items if item["video_id"] == cinema.video_id), None)
        return mine if mine and mine["thumbnail_url"] else None

    card = eventually(pictured, within=60)
    assert card["title"] == "Big Buck Bunny"
    for name in ("thumbnail_url", "backdrop_url"):
        picture = owner.ask("GET", card[name])
        assert picture.headers["Content-Type"] == "image/jpeg"
        assert picture.content.startswith(b"\xff\xd8\xff")
        Person(owner.url).ask("GET", card[name], 401)


def test_manager_sees_the_film_grow_until_it_is_complete(cinema: Cinema) -> None:
    video = cinema.owner.until(cinema.video_id, "complete")
    assert [(rendition["name"], rendition["ready"], rendition["total"]) for rendition in video["renditions"]] == [
        (name, 15, 15) for name in ("v480", "v720", "v1080", "a0", "a0s")
    ]
    eventually(lambda: "complete" in cinema.listener.statuses(cinema.video_id) or None)
    assert cinema.listener.statuses(cinema.video_id) == ["probing", "playable", "complete"]
    for name in ("480", "1080"):
        assert decoded_frames(tracks(cinema.owner.play(cinema.video_id)["manifest_url"])[name]) == FRAMES


@pytest.mark.parametrize("manifest", ["manifest_url", "dash_url"])
def test_ffmpeg_that_reads_all_renditions_at_once_loses_no_frame(
    play: dict[str, Any], ffprobe: Path, manifest: str
) -> None:
    command = [str(ffprobe), "-v", "error", "-count_packets", "-show_entries", "stream=codec_type,nb_read_packets"]
    printed = subprocess.run(
        [*command, "-of", "json", play[manifest]], capture_output=True, text=True, timeout=100, check=True
    )
    streams = json.loads(printed.stdout)["streams"]
    packets = [int(s["nb_read_packets"]) for s in streams if s["codec_type"] == "video"]
    # In HLS every rung is listed once with stereo and once with 5.1.
    assert packets == [FRAMES] * (6 if manifest == "manifest_url" else 3)


def test_members_are_kept_out_of_what_managers_see(cinema: Cinema) -> None:
    member = new_member(cinema.server.url, "mia@example.org")
    for path in ("admin/videos", f"admin/videos/{cinema.video_id}", "admin/events"):
        member.get(path, 403)
        Person(cinema.server.url).get(path, 401)
    Person(cinema.server.url).post(
        "setup", {"code": cinema.server.set_up_code, "email": "x@example.org", "password": PASSWORD, "name": "X"}, 409
    )


def test_everybody_can_ask_how_the_server_is(cinema: Cinema) -> None:
    nobody = Person(cinema.server.url)
    assert nobody.get("/healthz") == {"status": "ok"}
    assert nobody.get("/readyz")["status"] == "ready"
    assert "# HELP" in nobody.ask("GET", "/metrics").text
    assert "ottserver" in nobody.ask("GET", "/").text
