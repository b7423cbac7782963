from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import m3u8
import requests

from tests.flows.people import eventually, new_member, new_owner

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.conftest import StartQuick
    from tests.flows.people import Person

SRT = "1\n00:00:01,000 --> 00:00:02,000\nHello\n"


def film_of(folder: Path, ffmpeg: Path) -> Path:
    """Four seconds with English subtitles, a picture track of German ones and two chapters."""
    (folder / "in.srt").write_text(SRT)
    marks = "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={start + 2000}\ntitle={title}\n"
        for start, title in ((0, "One"), (2000, "Two"))
    )
    (folder / "marks.txt").write_text(f";FFMETADATA1\n{marks}")
    made, film = folder / "made.mkv", folder / "film.mkv"
    command = [
        str(ffmpeg),
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=160x90:r=25:d=4",
        "-i",
        str(folder / "in.srt"),
    ]
    command += ["-i", str(folder / "in.srt"), "-i", str(folder / "marks.txt"), "-map", "0", "-map", "1", "-map", "2"]
    command += ["-map_chapters", "3", "-c:v", "libx264", "-preset", "ultrafast", "-c:s:0", "srt", "-c:s:1", "ass"]
    command += ["-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=ger", str(made)]
    subprocess.run(command, check=True, timeout=60)
    # No encoder here makes pictures of text: the container is made to say that it holds them.
    film.write_bytes(made.read_bytes().replace(b"S_TEXT/ASS", b"S_HDMV/PGS"))
    return film


def known(owner: Person, video_id: str, *states: str) -> list[dict[str, Any]]:
    """The video's subtitles once they are in these states."""

    def look() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = owner.get(f"videos/{video_id}/metadata")["subtitles"]
        return found if [one["state"] for one in found] == list(states) else None

    return eventually(look, within=60)


def test_subtitles_of_a_film_and_those_an_owner_adds_reach_its_players(
    start_quick: StartQuick, tmp_path: Path, ffmpeg: Path
) -> None:
    server = start_quick()
    owner = new_owner(server)
    film = film_of(tmp_path, ffmpeg)
    done = server.run("import", str(film), "--title", "Words", "--wait", "playable")
    video_id = json.loads(done.stdout)["video_id"]

    english, german = known(owner, video_id, "ready", "image")
    assert (english["language"], english["label"], english["codec"]) == ("en", "English", "subrip")
    assert (german["language"], german["codec"], german["name"]) == ("de", "hdmv_pgs_subtitle", "")
    chapters = owner.get(f"videos/{video_id}/metadata")["chapters"]
    assert [(c["title"], c["start_seconds"], c["end_seconds"]) for c in chapters] == [("One", 0, 2), ("Two", 2, 4)]

    path = f"admin/videos/{video_id}/subtitles"
    added = owner.ask("POST", f"{path}?language=fr&forced=true", 201, data=SRT.encode()).json()
    assert (added["language"], added["label"], added["forced"]) == ("fr", "Français", True)
    listed = known(owner, video_id, "ready", "image", "ready")
    assert (listed[2]["name"], listed[2]["added"]) == (added["name"], True)

    play = owner.play(video_id)
    assert [(s["language"], s["forced"]) for s in play["subtitles"]] == [("en", False), ("fr", True)]
    for one in play["subtitles"]:
        text = requests.get(server.url + one["url"], timeout=30)
        assert text.headers["Content-Type"].startswith("text/vtt")
        assert "00:00:01.000 --> 00:00:02.000\nHello" in text.text
    master = m3u8.loads(requests.get(play["manifest_url"], timeout=30).text)
    assert [(m.language, m.forced) for m in master.media if m.type == "SUBTITLES"] == [("en", "NO"), ("fr", "YES")]

    owner.ask("DELETE", f"{path}/{added['name']}", 204)
    known(owner, video_id, "ready", "image")
    owner.ask("DELETE", f"{path}/{added['name']}", 404)
    again = m3u8.loads(requests.get(play["manifest_url"], timeout=30).text)
    assert [m.language for m in again.media if m.type == "SUBTITLES"] == ["en"]


def test_adding_subtitles_is_refused_in_sentences(start_quick: StartQuick, tmp_path: Path, ffmpeg: Path) -> None:
    server = start_quick()
    owner = new_owner(server)
    done = server.run("import", str(film_of(tmp_path, ffmpeg)), "--title", "Words", "--wait", "playable")
    path = f"admin/videos/{json.loads(done.stdout)['video_id']}/subtitles"
    nothing = owner.ask("POST", path, 422, data=b"just words").json()
    assert nothing["detail"] == "It holds no subtitles in a known text format."
    owner.ask("POST", path, 413, data=bytes((16 << 20) + 1))
    owner.ask("POST", f"{path}?language={'x' * 50}", 422, data=SRT.encode())
    unknown = owner.ask("POST", f"{path}?language=german", 422, data=SRT.encode()).json()
    assert unknown["detail"] == "“german” is no language known here: write its code, such as en, de or pt-BR."
    named = owner.ask("POST", f"{path}?said=.de.forced", 201, data=SRT.encode()).json()
    assert (named["language"], named["forced"]) == ("de", True)
    own = owner.ask("POST", f"{path}?language=fran%C3%A7ais&said=.de", 201, data=SRT.encode()).json()
    assert (own["language"], own["label"]) == ("fr", "Français")
    owner.ask("POST", "admin/videos/nonsense/subtitles", 404, data=SRT.encode())
    new_member(server.url, "reader@example.org").ask("POST", path, 403, data=SRT.encode())
