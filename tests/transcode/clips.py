"""Small films made for tests: every frame carries its number as bars of light, every sound is a tone that can be measured."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from av.video.frame import VideoFrame

BITS = 10
TONE_HERTZ = 440


@dataclass(frozen=True)
class Sound:
    """One audio track of a clip: a tone from `starts` seconds on for `seconds`."""

    codec: str = "aac"
    rate: int = 48000
    layout: str = "stereo"
    language: str = ""
    seconds: float | None = None
    starts: float = 0.0


@dataclass(frozen=True)
class Clip:
    """What a made film is like; `times` are its frames' timestamps in ticks of `time_base`, else a steady `rate`."""

    name: str
    seconds: float = 5.0
    rate: Fraction = Fraction(25)
    size: tuple[int, int] = (320, 180)
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: tuple[tuple[str, str], ...] = (("preset", "ultrafast"), ("bf", "2"), ("g", "60"), ("sc_threshold", "0"))
    sounds: tuple[Sound, ...] = ()
    first: int = 0
    """Timestamp of the first frame, in frames."""
    times: tuple[int, ...] = ()
    time_base: Fraction = Fraction(1, 1000)
    aspect: Fraction | None = None
    muxer: tuple[tuple[str, str], ...] = ()
    format: str | None = None
    transfer: int | None = None

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.times) or round(self.seconds * self.rate)


def write(clip: Clip, folder: Path) -> Path:
    """The clip as a file in the folder."""
    path = folder / clip.name
    with av.open(str(path), "w", format=clip.format, options=dict(clip.muxer)) as out:
        video = out.add_stream(clip.codec, rate=clip.rate, options=dict(clip.options))
        video.width, video.height, video.pix_fmt = *clip.size, clip.pixel_format
        time_base = clip.time_base if clip.times else 1 / clip.rate
        video.codec_context.time_base = time_base
        if clip.aspect:
            video.codec_context.sample_aspect_ratio = clip.aspect
        if clip.transfer:
            video.codec_context.color_trc, video.codec_context.color_primaries = clip.transfer, 9
            video.codec_context.colorspace, video.codec_context.color_range = 9, 1
        tracks = []
        for sound in clip.sounds:
            track = out.add_stream(sound.codec, rate=sound.rate)
            track.layout = sound.layout
            track.metadata["language"] = sound.language
            tracks.append(track)
        offset = clip.first * time_base
        for number in range(clip.frames):
            frame = numbered(number, clip.size).reformat(format=clip.pixel_format)
            frame.pts = clip.times[number] if clip.times else clip.first + number
            frame.time_base = time_base
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for sound, track in zip(clip.sounds, tracks, strict=True):
            samples = tone(sound, clip.seconds)
            step = track.codec_context.frame_size or 1024
            for at in range(0, samples.shape[1], step):
                block = np.ascontiguousarray(samples[:, at : at + step])
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=sound.layout)
                frame.sample_rate, frame.time_base = sound.rate, Fraction(1, sound.rate)
                frame.pts = at + round((sound.starts + float(offset)) * sound.rate)
                for ready in av.AudioResampler(track.format, track.layout, sound.rate).resample(frame):
                    out.mux(track.encode(ready))
            out.mux(track.encode(None))
    return path


def tone(sound: Sound, seconds: float) -> np.ndarray:
    """The sound's samples, shape (channels, n): a tone whose loudness rises and falls once a second."""
    count = round((sound.seconds or seconds - sound.starts) * sound.rate)
    time = np.arange(count) / sound.rate + sound.starts
    wave = 0.3 * np.sin(2 * np.pi * TONE_HERTZ * time) * (0.6 + 0.4 * np.sin(2 * np.pi * time))
    channels = av.AudioLayout(sound.layout).nb_channels
    return np.repeat(wave[None].astype(np.float32), channels, axis=0)


def numbered(number: int, size: tuple[int, int]) -> VideoFrame:
    """A picture with the number in binary: upright bars, the highest bit on the left, white for one."""
    width, height = size
    luma = np.full((height, width), 16, np.uint8)
    edges = np.linspace(0, width, BITS + 1).astype(int)
    for bit in range(BITS):
        if number >> (BITS - 1 - bit) & 1:
            luma[:, edges[bit] : edges[bit + 1]] = 235
    return av.VideoFrame.from_ndarray(np.repeat(luma[..., None], 3, axis=2), format="rgb24")


def number_on(frame: VideoFrame, *, turned: int = 0) -> int:
    """The number that a picture carries; `turned` says by how many clockwise quarter turns it was rotated."""
    luma = np.rot90(frame.reformat(format="gray8").to_ndarray(), turned)
    edges = np.linspace(0, luma.shape[1], BITS + 1).astype(int)
    number = 0
    for bit in range(BITS):
        left, right = edges[bit], edges[bit + 1]
        margin = (right - left) // 4
        number = number * 2 + int(luma[:, left + margin : right - margin].mean() > 126)
    return number


def numbers_in(path: Path, *, turned: int = 0) -> list[int]:
    """The numbers of all frames of a file in the order shown."""
    with av.open(str(path)) as container:
        return [number_on(frame, turned=turned) for frame in container.decode(video=0)]


def turn(path: Path, degrees: int) -> Path:
    """Rewrite an MP4's display matrix (ISO/IEC 14496-12 section 6.2.2) so that players turn the picture clockwise."""
    sine, cosine = {90: (1, 0), 180: (0, -1), 270: (-1, 0)}[degrees]
    matrix = struct.pack(">9i", cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = matrix
    path.write_bytes(data)
    return path


def packets_of(path: Path) -> dict[str, Sequence[tuple[int, int, int]]]:
    """(pts, dts, duration) of all packets by kind of stream, as the file's demuxer gives them, without decoding."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size and packet.pts is not None and packet.dts is not None:
                found.setdefault(packet.stream.type, []).append((packet.pts, packet.dts, packet.duration or 0))
    return found
