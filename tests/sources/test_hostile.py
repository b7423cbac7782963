from __future__ import annotations

import asyncio
import os
import struct
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import pytest

from ottserver.ingest.models import ProbeFailed
from ottserver.ingest.prober import probe_source
from tests.sources.make import made
from tests.sources.specs import Sound, Source
from tests.sources.verify import plan_for, seen_in, stitched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FILM = Source("film.mp4", seconds=Fraction(2), sounds=(Sound(),))
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
KEYED = '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{}"\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n'
MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\n{}\n"
MPD = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S" '
    'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="9"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>'
)
SMOOTH = (
    '<?xml version="1.0"?><SmoothStreamingMedia MajorVersion="2" Duration="9"><StreamIndex Type="video" Url="{}"/>'
    "</SmoothStreamingMedia>"
)
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:{}\nm=video 9 RTP/AVP 96\n"
NAMING = {
    "m3u8": HLS, "keyed m3u8": KEYED.replace("{}", "{0}"), "master m3u8": MASTER, "mpd": MPD, "ism": SMOOTH, "sdp": SDP,
    "ffconcat": "ffconcat version 1.0\nfile '{}'\n", "concat": "file '{}'\n", "pls": "[playlist]\nFile1={}\n",
    "asx": '<ASX version="3.0"><Entry><Ref href="{}"/></Entry></ASX>', "asf reference": "[Reference]\nRef1={}\n",
    "ram": "{}\n", "rtsptext": "RTSPtext\n{}\n", "ffmetadata": ";FFMETADATA1\ntitle={}\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{}"/></svg>', "avisynth": 'FFVideoSource("{}")\n',
    "imf": '<?xml version="1.0"?><CompositionPlaylist><Id>{}</Id></CompositionPlaylist>',
}  # fmt: skip


class Canary:
    """An address and a file of which it is known whether anybody has come."""

    def __init__(self, folder: Path) -> None:
        # Whoever opens a FIFO to read it waits for a writer, and so is found out.
        self.file = folder / "secret.ts"
        os.mkfifo(self.file)
        self.connections = 0
        self.port = 0

    async def accept(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count a connection."""
        self.connections += 1
        writer.close()

    def places(self) -> list[str]:
        """What a hostile file may name."""
        address = f"http://127.0.0.1:{self.port}/film.ts"
        return [str(self.file), f"file://{self.file}", self.file.name, address, f"tcp://127.0.0.1:{self.port}"]

    def hold(self) -> None:
        """Nobody has come."""
        assert self.connections == 0
        # Without a reader a FIFO cannot be opened to write.
        with pytest.raises(OSError, match="No such device"):
            os.close(os.open(self.file, os.O_WRONLY | os.O_NONBLOCK))


@pytest.fixture
async def canary(tmp_path: Path) -> AsyncIterator[Canary]:
    bird = Canary(tmp_path)
    async with await asyncio.start_server(bird.accept, "127.0.0.1", 0) as server:
        bird.port = server.sockets[0].getsockname()[1]
        yield bird


async def test_canary_notices_who_opens_what_a_playlist_names(canary: Canary, tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    await asyncio.to_thread(path.write_text, HLS.format(canary.places()[3]))
    with pytest.raises(av.error.FFmpegError):
        await asyncio.to_thread(av.open, str(path), options={"protocol_whitelist": "file,http,tcp"})
    assert canary.connections


@pytest.mark.parametrize("kind", NAMING)
async def test_file_that_names_others_is_refused_under_any_name_and_opens_none(
    kind: str, canary: Canary, tmp_path: Path
) -> None:
    names = ("own", "film.mp4", "film.mkv", "film-%d.jpg")
    refused = []
    for place, name in zip(canary.places(), [*names, names[0]], strict=True):
        path = tmp_path / name.replace("own", f"list.{kind.rsplit(maxsplit=1)[-1]}")
        await asyncio.to_thread(path.write_text, NAMING[kind].format(place, place))
        with pytest.raises(ProbeFailed) as failure:
            await probe_source(path, timeout_seconds=30)
        refused.append(failure.value.reason)
    assert all(reason.startswith("The file is not a video: ") for reason in refused), refused
    canary.hold()


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def referring(data: bytes, kind: bytes, place: str) -> bytes:
    """An MP4 whose index says that the media of its first track are elsewhere."""
    at = data.index(b"dref") - 4
    size = int.from_bytes(data[at : at + 4])
    entry = box(kind, bytes(4) + place.encode() + b"\0")
    new = box(b"dref", bytes(4) + struct.pack(">I", 1) + entry)
    mended = bytearray(data[:at] + new + data[at + size :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        parent = data.index(name) - 4
        grown = int.from_bytes(data[parent : parent + 4]) + len(new) - size
        mended[parent : parent + 4] = struct.pack(">I", grown)
    return bytes(mended)


@pytest.mark.parametrize("kind", [b"url ", b"urn ", b"alis"])
@pytest.mark.parametrize("name", ["film.mov", "film.mp4", "film.mkv"])
async def test_film_whose_media_are_elsewhere_is_refused_and_opens_nothing(
    kind: bytes, name: str, canary: Canary, tmp_path: Path
) -> None:
    data = await asyncio.to_thread(made(FILM).read_bytes)
    for place in canary.places():
        path = tmp_path / name
        await asyncio.to_thread(path.write_bytes, referring(data, kind, place))
        with pytest.raises(ProbeFailed, match="only names other files"):
            await probe_source(path, timeout_seconds=30)
    canary.hold()


async def test_reference_movie_of_quicktime_is_refused_and_opens_nothing(canary: Canary, tmp_path: Path) -> None:
    address = canary.places()[3].encode() + b"\0"
    reference = box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(address)) + address)
    path = tmp_path / "film.mov"
    await asyncio.to_thread(path.write_bytes, box(b"moov", box(b"rmra", box(b"rmda", reference))))
    with pytest.raises(ProbeFailed, match="only names other files"):
        await probe_source(path, timeout_seconds=30)
    canary.hold()


def element(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">Q", len(body) | 1 << 56) + body


def test_linked_matroska_shows_itself_only(tmp_path: Path) -> None:
    # SegmentFamily, PrevUID, PrevFilename, NextUID and NextFilename (RFC 9559 section 5.1.2).
    neighbour = made(Source("neighbour.mkv", seconds=Fraction(2)))
    (tmp_path / "next.mkv").write_bytes(neighbour.read_bytes())
    links = element(b"\x44\x44", b"\1" * 16) + element(b"\x3e\xb9\x23", b"\2" * 16)
    links += element(b"\x3e\x83\xbb", b"next.mkv") + element(b"\x3c\xb9\x23", b"\2" * 16)
    data = bytearray(made(Source("live.mkv", seconds=Fraction(2), muxer=(("live", "1"),))).read_bytes())
    # The first is in the table of contents, the cues are not in a live recording: nothing else names places.
    at = data.rindex(b"\x15\x49\xa9\x66", 0, data.index(b"\x1f\x43\xb6\x75"))
    width = 9 - data[at + 4].bit_length()
    size = int.from_bytes(bytes([data[at + 4] & (0xFF >> width)]) + data[at + 5 : at + 4 + width])
    body = bytes(data[at + 4 + width : at + 4 + width + size])
    data[at : at + 4 + width + size] = element(b"\x15\x49\xa9\x66", body + links)
    path = tmp_path / "linked.mkv"
    path.write_bytes(data)

    (pictures,) = stitched(path, plan_for(path), tmp_path)

    assert [look.number for look in seen_in(pictures)] == list(range(50))
