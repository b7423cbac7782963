from __future__ import annotations

import asyncio
import struct
import subprocess
import zipfile
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from ottserver.ingest.models import ProbeFailed
from ottserver.ingest.probe import probe
from ottserver.ingest.prober import probe_source
from tests.transcode.clips import Clip, Sound, broadcast, turn, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NTSC = Fraction(30000, 1001)
X264 = (("preset", "ultrafast"), ("bf", "2"), ("g", "30"))
MASTERED = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)"
PHONE = tuple(n * 33 + n % 3 + (n // 20) * 33 for n in range(120))


@pytest.mark.parametrize(
    ("clip", "rate", "frames", "origin"),
    [
        (Clip("film.mp4", rate=Fraction(24000, 1001)), Fraction(24000, 1001), 120, 0),
        (Clip("film.mkv", rate=Fraction(24000, 1001)), Fraction(24000, 1001), 120, 0),
        (Clip("ntsc.mkv", rate=NTSC), NTSC, 150, 0),
        (Clip("fast.mkv", rate=Fraction(60000, 1001), seconds=2), Fraction(60000, 1001), 120, 0),
        (Clip("later.mkv", first=50), Fraction(25), 125, 2000),
        (Clip("broadcast.ts", options=X264), Fraction(25), 125, None),
        (Clip("disc.mpg", codec="mpeg2video", options=(("bf", "2"),), format="vob"), Fraction(25), 125, None),
        (Clip("slow.mp4", rate=Fraction(5)), Fraction(10), 49, 0),
        (Clip("hourly.mp4", times=(0, 3_600_000, 7_200_000)), Fraction(4096, 225), 131_073, 0),
        (Clip("very-fast.mp4", rate=Fraction(120), seconds=1), Fraction(60), 60, 0),
        (Clip("phone.mkv", times=PHONE, rate=Fraction(30)), Fraction(30), 124, 0),
    ],
    ids=lambda value: value.name if isinstance(value, Clip) else "",
)
def test_rate_length_and_beginning_are_exact(
    clip: Clip, rate: Fraction, frames: int, origin: int | None, tmp_path: Path
) -> None:
    report = probe(write(clip, tmp_path))
    assert report.video.rate == rate
    assert abs(report.video.frames - frames) <= (1 if clip.rate > 60 else 0)
    assert origin is None or report.video.origin == origin
    assert report.duration_seconds == pytest.approx(report.video.frames / float(rate))


def test_broadcast_in_which_sound_begins_on_the_way_has_its_whole_length(tmp_path: Path) -> None:
    assert probe(broadcast(tmp_path)).duration_seconds == pytest.approx(16, abs=0.1)


def test_tracks_languages_subtitles_and_title_are_reported(tmp_path: Path, ffmpeg: Path) -> None:
    film = write(Clip("plain.mkv", seconds=2, sounds=(Sound(language="eng"), Sound("ac3", layout="5.1"))), tmp_path)
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,500 --> 00:00:01,500\nHello\n")
    chapters = tmp_path / "chapters.txt"
    chapters.write_text(";FFMETADATA1\ntitle=A Film\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n")
    full = tmp_path / "full.mkv"
    command = [ffmpeg, "-v", "error", "-i", film, "-i", words, "-i", chapters, "-map", "0", "-map", "1",
               "-map_metadata", "2", "-map_chapters", "2", "-c", "copy", "-c:s", "srt",
               "-metadata:s:s:0", "language=fra", "-metadata:s:a:1", "title=Director", full]  # fmt: skip
    run(command)
    report = probe(full)
    assert [(track.codec, track.channels, track.language, track.title) for track in report.audio] == [
        ("aac", 2, "eng", ""),
        ("ac3", 6, "und", "Director"),
    ]
    assert sum(track.default for track in report.audio) == 1
    assert [(words.codec, words.language) for words in report.subtitles] == [("subrip", "fra")]
    (chapter,) = report.chapters
    # The copy begins with the sound's priming, so the first picture comes 21 ms into it.
    assert (chapter.start_seconds, chapter.title) == (0, "One")
    assert chapter.end_seconds == pytest.approx(1 - 0.021, abs=0.002)
    assert report.title == "A Film"


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_reported_clockwise(degrees: int, tmp_path: Path) -> None:
    assert probe(turn(write(Clip("turned.mp4", seconds=1), tmp_path), degrees)).video.rotation == degrees


def test_interlaced_film_is_reported_so(tmp_path: Path) -> None:
    options = (("flags", "+ildct+ilme"), ("g", "12"))
    clip = Clip("fields.mpg", seconds=2, size=(352, 288), codec="mpeg2video", options=options, format="vob")
    assert probe(write(clip, tmp_path)).video.interlaced
    assert not probe(write(replace(clip, name="frames.mpg", options=(("g", "12"),)), tmp_path)).video.interlaced


def test_edit_list_decides_what_is_shown_first(tmp_path: Path, ffmpeg: Path) -> None:
    whole = write(Clip("whole.mp4", seconds=4, options=X264), tmp_path)
    cut = tmp_path / "cut.mp4"
    run([ffmpeg, "-v", "error", "-ss", "0.6", "-i", whole, "-c", "copy", cut])
    with av.open(str(cut)) as container:
        shown = sum(1 for _ in container.decode(video=0))
    assert probe(cut).video.frames == shown


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts"])
@pytest.mark.parametrize(
    ("stated", "peak"),
    [
        ("", 0),
        ("max-cll=1600,400", 1600),
        (f"{MASTERED}L(40000000,50)", 4000),
        (f"{MASTERED}L(10000000,50):max-cll=700,100", 700),
        (f"{MASTERED}L(10000000,50):max-cll=4000,100", 1000),
        (f"{MASTERED}L(10000000,50):max-cll=0,0", 1000),
    ],
)
def test_greatest_light_is_what_the_film_states(name: str, stated: str, peak: int, tmp_path: Path) -> None:
    options = (("preset", "ultrafast"), ("x265-params", f"log-level=none:{stated}".strip(":")))
    clip = Clip(name, codec="libx265", seconds=1, pixel_format="yuv420p10le", transfer=16, options=options)
    assert probe(write(clip, tmp_path)).video.peak == peak


def test_cover_art_is_not_the_film(tmp_path: Path, ffmpeg: Path) -> None:
    film = write(Clip("film.mp4", seconds=1, sounds=(Sound(),)), tmp_path)
    cover = tmp_path / "cover.jpg"
    run([ffmpeg, "-v", "error", "-i", film, "-frames:v", "1", cover])
    sung = tmp_path / "song.m4a"
    run([ffmpeg, "-v", "error", "-i", film, "-i", cover, "-map", "0:a", "-map", "1", "-c", "copy",
         "-disposition:v:0", "attached_pic", "-f", "mp4", sung])  # fmt: skip
    with pytest.raises(ProbeFailed, match="sound but no picture"):
        probe(sung)
    tagged = tmp_path / "song.mp3"
    run([ffmpeg, "-v", "error", "-i", film, "-i", cover, "-map", "0:a", "-map", "1", "-c:v", "copy",
         "-disposition:v:0", "attached_pic", "-id3v2_version", "3", tagged])  # fmt: skip
    with pytest.raises(ProbeFailed, match="sound but no picture"):
        probe(tagged)
    both = tmp_path / "both.mp4"
    run([ffmpeg, "-v", "error", "-i", film, "-i", cover, "-map", "0", "-map", "1", "-c", "copy",
         "-disposition:v:1", "attached_pic", both])  # fmt: skip
    assert probe(both).video.codec == "h264"


def no_video(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def zipped(folder: Path) -> Path:
    path = folder / "film.mp4"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("film.txt", "no film")
    return path


def half(folder: Path, name: str, clip: Clip | None = None) -> Path:
    path = write(clip or Clip(name, seconds=20, size=(64, 48)), folder)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def index_past_the_end(folder: Path) -> Path:
    """A valid box structure whose chunk offsets name bytes that are not there."""
    path = write(Clip("far.mp4", seconds=2, size=(64, 48)), folder)
    data = bytearray(path.read_bytes())
    at = data.index(b"stco") + 8
    (count,) = struct.unpack_from(">I", data, at)
    for entry in range(count):
        struct.pack_into(">I", data, at + 4 + 4 * entry, len(data) + 1000 * entry)
    path.write_bytes(data)
    return path


def song(folder: Path) -> Path:
    path = folder / "song.mp3"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libmp3lame", rate=44100)
        stream.layout = "stereo"
        for _ in range(40):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), format="fltp", layout="stereo")
            frame.sample_rate = 44100
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def endless_matroska(folder: Path) -> Path:
    """Written to a pipe, so that nothing but its declared duration says that the tail is missing."""
    path = write(Clip("endless.mkv", seconds=20, size=(64, 48), options=X264), folder)
    data = bytearray(path.read_bytes())
    at = data.index(b"\x18\x53\x80\x67") + 4
    data[at : at + 8] = b"\x01" + b"\xff" * 7
    path.write_bytes(data[: len(data) // 2])
    return path


def noise(folder: Path) -> Path:
    """An MP4 whose structure is whole and whose pictures are random bytes."""
    path = write(Clip("noise.mp4", seconds=2, size=(64, 48)), folder)
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") - 4
    (size,) = struct.unpack_from(">I", data, at)
    data[at + 8 : at + size] = np.random.default_rng(1).integers(0, 256, size - 8, np.uint8).tobytes()
    path.write_bytes(data)
    return path


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "empty": (lambda folder: no_video(folder, "empty.mp4", b""), "The file is empty"),
    "text": (lambda folder: no_video(folder, "notes.mp4", "Grüße\n".encode() * 999), "it is a text"),
    "bytes": (lambda folder: no_video(folder, "data.mp4", bytes(range(256)) * 99), "no known video format"),
    "one byte": (lambda folder: no_video(folder, "one.mp4", b"\0"), "no known video format"),
    "picture": (lambda folder: no_video(folder, "picture.mp4", b"\x89PNG\r\n\x1a\n" + bytes(99)), "it is a picture"),
    "archive": (zipped, "it is a ZIP archive"),
    "song": (song, "sound but no picture"),
    "mp4 without index": (lambda folder: half(folder, "noindex.mp4"), "incomplete: its last .* bytes"),
    "mp4 with index": (
        lambda folder: half(folder, "", Clip("fast.mp4", seconds=20, muxer=(("movflags", "faststart"),))),
        "incomplete: its last .* bytes",
    ),
    "mkv": (lambda folder: half(folder, "half.mkv"), "incomplete: its last .* bytes"),
    "avi": (lambda folder: half(folder, "", Clip("half.avi", codec="mpeg4", options=())), "incomplete"),
    "mkv of unknown size": (endless_matroska, "incomplete: the last .* seconds"),
    "index past the end": (index_past_the_end, "incomplete: its index"),
    "noise": (noise, "No picture of the film can be decoded"),
}


@pytest.mark.parametrize("case", BAD)
async def test_refusal_says_what_is_wrong(case: str, tmp_path: Path) -> None:
    make, reason = BAD[case]
    path = await asyncio.to_thread(make, tmp_path)
    with pytest.raises(ProbeFailed, match=reason):
        await probe_source(path, timeout_seconds=30)


@pytest.mark.parametrize("name", ["list.m3u8", "list.ffconcat", "list.mpd", "list.sdp", "remote.m3u8", "shown.mp4"])
async def test_file_that_names_other_files_opens_none(name: str, tmp_path: Path) -> None:
    film = await asyncio.to_thread(write, Clip("secret.ts", seconds=1), tmp_path)
    connections = 0

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/film.ts"
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
    text = {
        "list.m3u8": hls.format(film),
        "shown.mp4": hls.format(f"file://{film}"),
        "list.ffconcat": f"ffconcat version 1.0\nfile '{film}'\n",
        "list.mpd": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        f"<AdaptationSet><Representation><BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "list.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
        "remote.m3u8": hls.format(address),
    }[name]
    path = no_video(tmp_path, name, text.encode())
    async with server:
        with pytest.raises(ProbeFailed, match="not a video"):
            await probe_source(path, timeout_seconds=30)
    assert connections == 0


async def test_probe_in_a_child_says_the_same_as_here(tmp_path: Path) -> None:
    film = await asyncio.to_thread(write, Clip("film.mkv", seconds=2, sounds=(Sound(language="eng"),)), tmp_path)
    assert await probe_source(film, timeout_seconds=30) == await asyncio.to_thread(probe, film)


async def test_probe_that_takes_too_long_is_refused_and_ended(tmp_path: Path) -> None:
    film = await asyncio.to_thread(write, Clip("film.mkv", seconds=1), tmp_path)
    with pytest.raises(ProbeFailed, match="in time"):
        await probe_source(film, timeout_seconds=0.01)


def run(command: list[object]) -> None:
    subprocess.run([str(word) for word in command], check=True)
