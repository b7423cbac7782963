"""Tries one video encoder: `python -m ottserver.transcode.selftest PARENT_PID ENCODER PRESET`. Children only.

Encodes a few moving pictures as segments, with the code that encodes films, and holds against them all that playing
segments of different makers relies on. Prints one line of JSON, an `Outcome`.
"""

from __future__ import annotations

import io
import os
import sys
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import av.logging
from av.video.frame import VideoFrame

from ottserver.backends.ffmpeg.bitstream import begins_anew, length_size
from ottserver.backends.ffmpeg.child import confine, take_stdout
from ottserver.transcode.boxes import fragment, whole
from ottserver.transcode.codecs import level_of
from ottserver.transcode.encoders import SOFTWARE
from ottserver.transcode.grid import Grid
from ottserver.transcode.models import Rung
from ottserver.transcode.picture import PIXEL_FORMAT
from ottserver.transcode.selftests import OUTCOME, SECONDS, Outcome
from ottserver.transcode.video import RungEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.packet import Packet
    from av.video.stream import VideoStream

_MEMORY_BYTES = 8 << 30
_SIDES = (640, 360)
_GRID = Grid(Fraction(25), 49, (2.0,), cuts=(24, 48))
# Two segments and one of a single frame, which leaves an encoder nothing to reorder.
_STEP, _RANGE, _DARKEST = 40, 220, 16
_CLOSE = 10
# Levels of brightness by which decoded pictures may differ on average; a picture in another's place differs by more.
_EVERY = 97
_SMALLER = 0.7


class Unfit(Exception):
    """The encoder cannot be used; the message says why."""


def examine(encoder: str, preset: str) -> None:
    """Encode and look. Raises `Unfit`."""
    if encoder not in av.codecs_available:
        message = "this build of FFmpeg does not have it"
        raise Unfit(message)
    rung = Rung("test", *_SIDES, _SIDES[1], 1_500_000, 1_500_000, 23, preset)
    inits, sets = set(), set()
    for first, end in pairwise(_GRID.starts):
        init, media, extradata = _segment(encoder, rung, first, end)
        inits.add(init)
        sets.add(extradata)
        _look(init, media, first, end)
    # What is made again because it grew too large has to fit the same init segment.
    *_, extradata = _segment(encoder, rung, 0, _GRID.starts[1], _SMALLER, level_of(extradata))
    sets.add(extradata)
    if len(inits) > 1 or len(sets) > 1:
        message = "its segments need different init segments"
        raise Unfit(message)


def _segment(
    encoder: str, rung: Rung, first: int, end: int, cap: float = 1.0, level: int | None = None
) -> tuple[bytes, bytes, bytes]:
    made = RungEncoder(rung, _GRID, first, threads=1, cap=cap, encoder=encoder, level=level)
    for number in range(first, end):
        made.add(number, _picture(number))
    return made.finish()


def _look(init: bytes, media: bytes, first: int, end: int) -> None:
    seen, ticks = fragment(media), _GRID.frame_ticks
    if not whole(media) or seen.samples != end - first:
        message = f"{end - first} pictures became {seen.samples}"
        raise Unfit(message)
    if seen.start != first * ticks or seen.duration != (end - first) * ticks:
        message = f"a segment begins at tick {seen.start} for {seen.duration}, not at {first * ticks}"
        raise Unfit(message)
    with av.open(io.BytesIO(init + media), "r", format="mp4", options={"err_detect": "explode"}) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        _places(packets, first, stream)
        pictures = [picture for packet in (*packets, None) for picture in stream.codec_context.decode(packet)]
    if len(pictures) != end - first:
        message = f"{end - first} pictures decode to {len(pictures)}"
        raise Unfit(message)
    for number, picture in enumerate(pictures, start=first):
        if (away := _distance(picture, _picture(number))) > _CLOSE:
            message = f"picture {number} comes back changed, by {away:.0f} levels of 255"
            raise Unfit(message)


def _places(packets: list[Packet[VideoStream]], first: int, stream: VideoStream) -> None:
    extradata = bytes(stream.codec_context.extradata or b"")
    if not begins_anew("h264", bytes(packets[0]), length_size("h264", extradata)):
        message = "a segment does not begin with an IDR picture"
        raise Unfit(message)
    shown = sorted(-1 if packet.pts is None else packet.pts for packet in packets)
    if shown != [(first + number) * _GRID.frame_ticks for number in range(len(packets))]:
        message = "pictures are not shown one after the other"
        raise Unfit(message)


def _picture(number: int) -> VideoFrame:
    """A slope of brightness that has moved on with every number."""
    frame = VideoFrame(*_SIDES, PIXEL_FORMAT)
    luma, *colours = frame.planes
    row = bytes(_DARKEST + (x // 2 + _STEP * number) % _RANGE for x in range(luma.line_size))
    luma.update(row * (luma.buffer_size // luma.line_size))
    for plane in colours:
        plane.update(b"\x80" * plane.buffer_size)
    return frame


def _distance(one: VideoFrame, other: VideoFrame) -> float:
    pairs = list(zip(_samples(one), _samples(other), strict=True))
    return sum(abs(a - b) for a, b in pairs) / len(pairs)


def _samples(frame: VideoFrame) -> Iterator[int]:
    luma, width = frame.planes[0], frame.width
    data = bytes(luma)
    return (data[at // width * luma.line_size + at % width] for at in range(0, width * frame.height, _EVERY))


def _outcome(encoder: str, preset: str) -> Outcome:
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=False) as logs:
            return _examined(encoder, preset, logs)
    finally:
        # While messages come to Python, closing a decoder with threads of which one has something to say never ends:
        # PyAV holds the interpreter's lock as it waits for them, and they wait for that.
        av.logging.set_level(before)


def _examined(encoder: str, preset: str, logs: list[tuple[int, str, str]]) -> Outcome:
    try:
        examine(encoder, preset)
    except Unfit as unfit:
        return Outcome(f"{unfit}")
    except Exception as failure:  # noqa: BLE001 - whatever a driver does is the reason
        # The first message is the cause, such as a library that is not there; the rest follow from it.
        said = next((line.strip() for _, _, line in logs if line.strip()), "")
        return Outcome(said or f"{type(failure).__name__}: {failure}")
    return Outcome()


def main() -> None:
    """Try the encoder that is named."""
    parent, encoder, preset = int(sys.argv[1]), *sys.argv[2:4]
    # As long as it may take, in processor time of two threads.
    bound = round(2 * SECONDS)
    confine(parent=parent, nice=0, memory_bytes=_MEMORY_BYTES, cpu_seconds=bound, devices=encoder != SOFTWARE)
    with os.fdopen(take_stdout(), "wb") as out:
        out.write(OUTCOME.dump_json(_outcome(encoder, preset)))


if __name__ == "__main__":
    main()
