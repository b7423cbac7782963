"""Small films made for tests: every frame carries its number as bars of light, every sound is a known tone."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

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
        pictures = _video_stream(out, clip)
        tracks = [_audio_stream(out, sound) for sound in clip.sounds]
        time_base = clip.time_base if clip.times else 1 / clip.rate
        for number in range(clip.frames):
            picture = numbered(number, clip.size).reformat(format=clip.pixel_format)
            picture.pts = clip.times[number] if clip.times else clip.first + number
            picture.time_base = time_base
            out.mux(pictures.encode(picture))
        out.mux(pictures.encode(None))
        for sound, track in zip(clip.sounds, tracks, strict=True):
            _sing(out, track, sound, clip, float(clip.first * time_base))
    return path


def broadcast(folder: Path) -> Path:
    """A transport stream of 16 s at 25 frames a second; sound runs from 12 s to 14 s, and its head does not name it."""
    parts = (
        Clip("before.ts", seconds=12),
        Clip("sounding.ts", seconds=2, first=300, sounds=(Sound(),)),
        Clip("after.ts", seconds=2, first=350),
    )
    before, sounding, after = [write(part, folder).read_bytes() for part in parts]
    # Null packets (ISO/IEC 13818-1 section 2.4.3.3): whoever looks at the end alone does not see the sound either.
    stuffing = (b"\x47\x1f\xff\x10" + b"\xff" * 184) * 4000
    path = folder / "broadcast.ts"
    path.write_bytes(before + sounding + stuffing + after)
    return path


def _video_stream(out: OutputContainer, clip: Clip) -> VideoStream:
    stream: VideoStream = out.add_stream(clip.codec, rate=clip.rate, options=dict(clip.options))  # type: ignore[assignment] # a video codec's name
    stream.width, stream.height, stream.pix_fmt = *clip.size, clip.pixel_format
    context = stream.codec_context
    context.time_base = clip.time_base if clip.times else 1 / clip.rate
    if clip.aspect:
        context.sample_aspect_ratio = clip.aspect
    if clip.transfer:
        context.color_trc, context.color_primaries, context.colorspace, context.color_range = clip.transfer, 9, 9, 1
    return stream


def _audio_stream(out: OutputContainer, sound: Sound) -> AudioStream:
    stream: AudioStream = out.add_stream(sound.codec, rate=sound.rate)  # type: ignore[assignment] # an audio codec's name
    stream.layout = sound.layout
    if sound.language:
        stream.metadata["language"] = sound.language
    return stream


def _sing(out: OutputContainer, track: AudioStream, sound: Sound, clip: Clip, offset: float) -> None:
    samples = tone(sound, clip.seconds)
    step = track.codec_context.frame_size or 1024
    for at in range(0, samples.shape[1], step):
        block = np.ascontiguousarray(samples[:, at : at + step])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=sound.layout)
        frame.sample_rate, frame.time_base = sound.rate, Fraction(1, sound.rate)
        frame.pts = at + round((sound.starts + offset) * sound.rate)
        for ready in av.AudioResampler(track.codec_context.format, track.layout, sound.rate).resample(frame):
            out.mux(track.encode(ready))
    out.mux(track.encode(None))


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


def packets_of(path: Path) -> dict[str, list[tuple[int, int, int]]]:
    """(pts, dts, duration) of all packets by kind of stream, as the file's demuxer gives them, without decoding."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size and packet.pts is not None and packet.dts is not None:
                found.setdefault(packet.stream.type, []).append((packet.pts, packet.dts, packet.duration or 0))
    return found
