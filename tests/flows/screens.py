"""What a player does with the addresses it was given, and what an independent FFmpeg sees there."""

from __future__ import annotations

import io
import json
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import av
import m3u8
import requests

if TYPE_CHECKING:
    from pathlib import Path

PLAYER_SECONDS = 60.0

_PICTURES = re.compile(r'#EXT-X-IMAGE-STREAM-INF:.*\n|<AdaptationSet [^>]*contentType="image".*?</AdaptationSet>')


def fetch(url: str, *, method: str = "GET", **headers: str) -> requests.Response:
    """One request of a player, which knows nothing but the address; `If_None_Match` is written with dashes."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, url, headers=fields, timeout=PLAYER_SECONDS)


def text(url: str) -> str:
    """A manifest that has to be there."""
    answer = fetch(url)
    assert answer.status_code == 200, f"{url}: {answer.status_code} {answer.text[:500]}"
    assert answer.headers["Cache-Control"] == "private, no-store"
    return answer.text


@dataclass(frozen=True)
class Track:
    """One rendition as its media playlist lists it: absolute addresses, and seconds for each segment."""

    init: str
    segments: tuple[str, ...]
    seconds: tuple[float, ...]


def track(playlist_url: str) -> Track:
    """The rendition behind a media playlist, which must be complete."""
    playlist = m3u8.loads(text(playlist_url))
    assert playlist.is_endlist
    return Track(
        init=urljoin(playlist_url, playlist.segment_map[0].uri),
        segments=tuple(urljoin(playlist_url, segment.uri) for segment in playlist.segments),
        seconds=tuple(segment.duration for segment in playlist.segments),
    )


def tracks(master_url: str) -> dict[str, Track]:
    """Every rendition behind a master playlist: video by its height, such as "480", and the first sound as "audio"."""
    master = m3u8.loads(text(master_url))
    assert master.is_variant
    found = {
        str(variant.stream_info.resolution[1]): track(urljoin(master_url, variant.uri)) for variant in master.playlists
    }
    sound = next((media for media in master.media if media.type == "AUDIO"), None)
    return found if sound is None else {**found, "audio": track(urljoin(master_url, sound.uri))}


def manifests(master_url: str, dash_url: str) -> list[str]:
    """All that tells a player what there is: master playlist, media playlists, MPD.

    Without the pictures for the seek bar: they are listed when they are made.
    """
    master = m3u8.loads(text(master_url))
    inside = [playlist.uri for playlist in master.playlists] + [media.uri for media in master.media]
    texts = [text(url) for url in (master_url, *(urljoin(master_url, uri) for uri in inside), dash_url)]
    return [_PICTURES.sub("", one) for one in texts]


def decoded_frames(chosen: Track) -> int:
    """How many pictures or sound frames the whole rendition decodes to; every one is decoded."""
    whole = b""
    for url in (chosen.init, *chosen.segments):
        answer = fetch(url)
        assert answer.status_code == 200, f"{url}: {answer.status_code} {answer.text[:500]}"
        assert len(answer.content) == int(answer.headers["Content-Length"])
        whole += answer.content
    with av.open(io.BytesIO(whole), "r") as container:
        return sum(len(packet.decode()) for packet in container.demux(container.streams[0]))


@dataclass(frozen=True)
class Seen:
    """What ffprobe says of one stream of a manifest: seconds and frames."""

    duration: float
    start: float
    frames: int
    height: int


def seen(ffprobe: Path, url: str, streams: str) -> list[Seen]:
    """Let ffprobe read a manifest's streams that a specifier such as "v:0" selects to their end, decoding all.

    FFmpeg's DASH reader ends with the first stream that ends, so streams that are to be counted are read alone.
    """
    entries = "stream=height,start_time,nb_read_frames:format=duration"
    done = subprocess.run(
        [
            *(str(ffprobe), "-v", "error", "-count_frames", "-select_streams", streams),
            *("-show_entries", entries, "-of", "json", url),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=PLAYER_SECONDS,
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    return [
        Seen(
            duration=float(found["format"]["duration"]),
            start=float(stream["start_time"]),
            frames=int(stream["nb_read_frames"]),
            height=int(stream.get("height", 0)),
        )
        for stream in found["streams"]
    ]
