"""Makes the sources' files, each once: they are kept below .cache until what makes them changes."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.stream import Disposition

from tests.sources.picture import Look, draw
from tests.sources.specs import FLASH_SECONDS

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

    from tests.sources.specs import Sound, Source

_HERE = Path(__file__).parent
_CACHE = _HERE.parent.parent / ".cache" / "sources"
_BLOCK = 1024
LOUD = 0.4

_WORDS = {
    "srt": "1\n00:00:00,500 --> 00:00:01,500\nHello\n\n2\n00:00:02,000 --> 00:00:03,000\nagain\n",
    "webvtt": "WEBVTT\n\n00:00.500 --> 00:01.500\nHello\n\n00:02.000 --> 00:03.000\nagain\n",
    "ass": "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
    "Style: Default,Arial,20\n"
    "\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:00.50,0:00:01.50,Default,,0,0,0,,Hello\n",
}
_MATRIX_NAMES = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}


def made(source: Source) -> Path:
    """The source's file."""
    code = b"".join((_HERE / name).read_bytes() for name in ("make.py", "picture.py", "light.py"))
    digest = hashlib.sha256(code + repr(source).encode()).hexdigest()[:16]
    path = _CACHE / f"{digest}-{source.name}"
    if not path.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = _CACHE / f"{os.getpid()}-{source.name}"
        _write(source, unfinished)
        unfinished.rename(path)
        # What other code made of the same source is of no use any more.
        for other in _CACHE.glob(f"{'?' * len(digest)}-{source.name}"):
            if other != path:
                other.unlink(missing_ok=True)
    return path


def _write(source: Source, path: Path) -> None:
    with av.open(str(path), "w", format=source.format, options=dict(source.muxer)) as out:
        packets = _cover(out, source.cover)
        pictures = _video_stream(out, source)
        tracks = [_audio_stream(out, sound) for sound in source.sounds]
        words = _words(out, source.subtitles)
        if source.chapters:
            out.set_chapters([_chapter(number, source.chapters) for number in range(source.chapters)])
        packets += [*_pictures(pictures, source), *words]
        for sound, track in zip(source.sounds, tracks, strict=True):
            packets += _beeps(track, sound, source)
        timed = [packet for packet in packets if packet.pts is not None]
        for packet in sorted(timed, key=lambda packet: (packet.dts or 0) * packet.time_base):
            out.mux(packet)
    data = _mended(source, path)
    if data is not None:
        path.write_bytes(data)


def _video_stream(out: OutputContainer, source: Source) -> VideoStream:
    stream: VideoStream = out.add_stream(source.codec, rate=source.rate, options=dict(source.options))  # type: ignore[assignment] # a video codec's name
    stream.width, stream.height, stream.pix_fmt = *source.size, source.pixel_format
    context = stream.codec_context
    context.time_base = Fraction(1, 1000) if source.times else 1 / source.rate
    if source.aspect != 1:
        context.sample_aspect_ratio = source.aspect
    context.color_range = 2 if source.full else 1
    if source.tags:
        context.color_primaries, context.color_trc, context.colorspace = source.tags
    return stream


def _cover(out: OutputContainer, kind: str) -> list[Packet[Any]]:
    """Before the film, and larger: only what it is tells them apart."""
    if not kind:
        return []
    frame = av.VideoFrame.from_ndarray(np.full((640, 640, 3), 200, np.uint8), format="rgb24")
    still = frame.reformat(format="yuvj420p")
    still.pts, still.time_base = 0, Fraction(1, 25)
    if kind == "attachment":
        encoder: VideoCodecContext = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 640, 640, "yuvj420p", Fraction(1, 25)
        out.add_attachment("cover.jpg", "image/jpeg", b"".join(map(bytes, [*encoder.encode(still), *encoder.encode()])))
        return []
    stream = out.add_stream("mjpeg", rate=25)
    stream.width, stream.height, stream.pix_fmt = 640, 640, "yuvj420p"
    if kind == "art":
        stream.disposition = Disposition.attached_pic
    return [*stream.encode(still), *stream.encode(None)]


def _audio_stream(out: OutputContainer, sound: Sound) -> AudioStream:
    stream: AudioStream = out.add_stream(sound.codec, rate=sound.rate, options=dict(sound.options))  # type: ignore[assignment] # an audio codec's name
    stream.layout = sound.layout
    if sound.codec == "wmav2":
        stream.bit_rate = 128_000
    if sound.language:
        stream.metadata["language"] = sound.language
    if sound.title:
        stream.metadata["title"] = sound.title
    return stream


def _words(out: OutputContainer, kind: str) -> list[Packet[Any]]:
    if not kind:
        return []
    if kind == "mov_text":
        # ISO/IEC 14496-17: a 16-bit length and the text.
        stream = out.add_stream("mov_text")
        stream.codec_context.subtitle_header = _WORDS["ass"].encode()
        packet = av.Packet(struct.pack(">H", 5) + b"Hello")
        packet.stream, packet.time_base, packet.pts, packet.dts, packet.duration = (
            stream,
            Fraction(1, 1000),
            500,
            500,
            1000,
        )
        return [packet]
    with av.open(io.BytesIO(_WORDS[kind].encode()), "r", format=kind) as text:
        stream = out.add_stream_from_template(text.streams.subtitles[0])
        stream.metadata["language"] = "fra"
        found = [packet for packet in text.demux() if packet.size]
        for packet in found:
            packet.stream = stream
        return found


def _chapter(number: int, count: int) -> Any:  # noqa: ANN401 - a typed dictionary that PyAV keeps to itself
    start, end = 4000 * number // count, 4000 * (number + 1) // count
    return {
        "id": number,
        "start": start,
        "end": end,
        "time_base": Fraction(1, 1000),
        "metadata": {"title": f"Part {number}"},
    }


def _pictures(stream: VideoStream, source: Source) -> list[Packet[Any]]:
    look = Look(source.size, source.pixel_format, source.matrix, source.full, *(source.tags or (1, 1))[:2])
    time_base = Fraction(1, 1000) if source.times else 1 / source.rate
    packets: list[Packet[Any]] = []
    flashes = [source.time(start) for start in source.flashes()]
    for number in range(source.frames):
        lit = any(0 <= source.time(number) - start < FLASH_SECONDS for start in flashes)
        frame = draw(number, look, flash=lit)
        frame.pts, frame.time_base = round((source.first + source.time(number)) / time_base), time_base
        frame.color_range = 2 if source.full else 1
        if source.tags:
            frame.color_primaries, frame.color_trc, frame.colorspace = source.tags
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def samples(sound: Sound, source: Source, rate: int) -> np.ndarray:
    """What is heard from the first picture in the file on, one channel at `rate` samples a second."""
    heard = np.zeros(round(source.seconds * rate), np.float32)
    if sound.steady:
        return (LOUD * np.sin(2 * np.pi * sound.hertz * np.arange(heard.size) / rate)).astype(np.float32)
    time = np.arange(round(FLASH_SECONDS * rate)) / rate
    beep = LOUD * np.sin(2 * np.pi * sound.hertz * time)
    for start in source.flashes():
        at = round(source.time(start) * rate)
        part = heard[at : at + beep.size]
        part[:] = beep[: part.size]
    return heard


def _beeps(stream: AudioStream, sound: Sound, source: Source) -> list[Packet[Any]]:
    begin, end = round(sound.starts * sound.rate), round((sound.ends or source.seconds) * sound.rate)
    whole = samples(sound, source, sound.rate)
    heard = np.concatenate([whole, np.zeros(max(0, end - whole.size), np.float32)])[begin:end]
    offset = begin + round(source.first * sound.rate)
    packets: list[Packet[Any]] = []
    channels = av.AudioLayout(sound.layout).nb_channels
    converter = av.AudioResampler(stream.codec_context.format, sound.layout, sound.rate)
    for at in range(0, heard.size, _BLOCK):
        block = np.repeat(heard[at : at + _BLOCK], channels)[None]
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout=sound.layout)
        frame.sample_rate, frame.time_base, frame.pts = sound.rate, Fraction(1, sound.rate), offset + at
        for ready in converter.resample(frame):
            packets += stream.encode(ready)
    return packets + stream.encode(None)


def _mended(source: Source, path: Path) -> bytes | None:
    """The file's bytes as they should be in the end, or nothing when they are."""
    if not (source.turned or source.mend):
        return None
    data = bytearray(path.read_bytes())
    if source.turned:
        # The display matrix of ISO/IEC 14496-12 section 6.2.2.
        cosine, sine = _MATRIX_NAMES[source.turned * 90]
        matrix = struct.pack(">9i", cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30)
        at = data.index(b"tkhd") + 4 + 40
        data[at : at + 36] = matrix
    if source.mend == "no cues":
        # Void, of the same size: RFC 8794 section 11.3.2.
        at = data.rindex(b"\x1c\x53\xbb\x6b")
        _void(data, at)
    if source.mend == "no idx1":
        at = data.rindex(b"idx1")
        data[at : at + 4] = b"JUNK"
    return bytes(data)


def _void(data: bytearray, at: int) -> None:
    """Make the element at `at`, whose id has four bytes, a Void element of the same length."""
    width = 9 - data[at + 4].bit_length()
    size = int.from_bytes(bytes([data[at + 4] & (0xFF >> width)]) + data[at + 5 : at + 4 + width])
    whole = 4 + width + size
    data[at : at + whole] = b"\xec" + (whole - 9 | 1 << 56).to_bytes(8) + bytes(whole - 9)
