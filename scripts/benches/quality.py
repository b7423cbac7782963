"""Bits at equal quality of 2-second segments against one continuous encode, by rung.

Each way of encoding gives a curve over several CRFs: bits a second, and XPSNR (weighted over the planes) against the
scaled source. Between two curves the logarithm of bits is interpolated at equal quality and averaged over the range
that both cover, as Bjontegaard's delta rate does. The continuous encodes have the product's settings too: once with key
frames where segments begin, which is what segments are to be held against, and once with key frames wherever x264 wants
them. `--try` gives x264 other options for the segments, such as `--try bufsize=2 --try rc-lookahead=40`: `bufsize` and
`vbv-init` are in units of the greatest rate and of the buffer, `beyond=20` feeds so many frames after a segment's end.
"""

from __future__ import annotations

import argparse
import io
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame

from ottserver import wiring
from ottserver.ingest.probe import probe
from ottserver.settings import load
from ottserver.transcode.decode import numbered_frames
from ottserver.transcode.encoders import look_ahead
from ottserver.transcode.picture import converter
from ottserver.transcode.plan import grid_of, make_plan
from scripts.benches._films import FILM

if TYPE_CHECKING:
    from fractions import Fraction

    from ottserver.transcode.models import Rung

Curve = list[tuple[float, float]]
"""Bits a second and XPSNR in dB, one pair for each CRF."""
SEGMENT_SECONDS = 2
THREADS = 2
PLANES = {"y": 6, "u": 1, "v": 1}
POINTS = 200


@dataclass(frozen=True)
class Way:
    """How a clip is encoded."""

    name: str
    segments: bool = False
    """With a fresh encoder for each."""
    keys: bool = True
    """Whether key frames are where segments begin, and nowhere else."""
    options: tuple[tuple[str, str], ...] = ()


def scaled(film: Path, rung: Rung, seconds: float) -> tuple[list[VideoFrame], Fraction]:
    """The first pictures of a film in a rung's size, and their rate."""
    plan = make_plan(probe(film), wiring.encoder_settings(load()))
    grid, scaler = grid_of(plan), converter(plan.report.video, rung.width, rung.height, THREADS)
    frames: list[VideoFrame] = []
    for _, frame in numbered_frames(film, plan.report.video, grid, 0, THREADS):
        frames.append(scaler.convert(frame))
        if len(frames) >= seconds * grid.rate:
            break
    return frames, grid.rate


def encode(frames: list[VideoFrame], rate: Fraction, rung: Rung, way: Way, crf: float) -> bytes:
    """The H.264 stream, its segments one after the other."""
    length = round(SEGMENT_SECONDS * rate)
    given = dict(way.options)
    beyond = int(given.get("beyond", "0"))
    stream = bytearray()
    bounds = [*range(0, len(frames), length), len(frames)] if way.segments else [0, len(frames)]
    for first, end in pairwise(bounds):
        encoder = _encoder(frames[0], rate, rung, way, crf)
        packets = []
        for number in range(first, min(end + beyond, len(frames))):
            frame = frames[number]
            frame.pts, frame.time_base = number, 1 / rate
            key = number == end or (way.keys and not way.segments and number % length == 0)
            frame.pict_type = PictureType.I if key else PictureType.NONE
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
        for packet in packets:
            if packet.pts is not None and packet.pts < end:
                stream += bytes(packet)
    return bytes(stream)


def _encoder(frame: VideoFrame, rate: Fraction, rung: Rung, way: Way, crf: float) -> Any:  # noqa: ANN401 - PyAV types no encoder by its name
    given = {name: value for name, value in way.options if name != "beyond"}
    size = round(float(given.pop("bufsize", rung.bufsize / rung.maxrate)) * rung.maxrate)
    options = {"preset": rung.preset, "crf": f"{crf:g}", "maxrate": str(rung.maxrate), "bufsize": str(size), "bf": "3"}
    options |= {"profile": "high", "rc-lookahead": str(look_ahead(rung)), "flags": "+cgop", "threads": str(THREADS)}
    if way.keys:
        options |= {"g": "9999", "keyint_min": "1", "sc_threshold": "0", "forced-idr": "1"}
    if (full := given.pop("vbv-init", None)) is not None:
        options["rc_init_occupancy"] = str(round(float(full) * size))
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, frame.format.name
    context.time_base, context.framerate = 1 / rate, rate
    context.options = options | given
    return context


def xpsnr(frames: list[VideoFrame], stream: bytes, rate: Fraction) -> float:
    """Weighted XPSNR in dB of a stream against the pictures that it was made from, over all of them."""
    graph = Graph()
    graph.threads = THREADS
    first = frames[0]
    made, source = (
        graph.add_buffer(width=first.width, height=first.height, format=first.format, time_base=1 / rate, name=name)
        for name in ("made", "source")
    )
    measure, sink = graph.add("xpsnr"), graph.add("buffersink")
    made.link_to(measure, 0, 0)
    source.link_to(measure, 0, 1)
    measure.link_to(sink)
    graph.configure()
    errors = dict.fromkeys(PLANES, 0.0)
    count = 0
    with av.open(io.BytesIO(stream), "r", format="h264") as container:
        container.streams.video[0].codec_context.thread_count = THREADS
        for number, frame in enumerate(container.decode(video=0)):
            for buffer, picture in ((made, frame), (source, frames[number])):
                picture.pts, picture.time_base = number, 1 / rate
                buffer.push(picture)
            count += _pull(sink, errors)
    for buffer in (made, source):
        buffer.push(None)
    count += _pull(sink, errors)
    if count != len(frames):
        message = f"{count} pictures were compared, not {len(frames)}"
        raise ValueError(message)
    decibels = {plane: -10 * math.log10(error / count) for plane, error in errors.items()}
    return sum(PLANES[plane] * decibels[plane] for plane in PLANES) / sum(PLANES.values())


def _pull(sink: Any, errors: dict[str, float]) -> int:  # noqa: ANN401 - a filter's context
    count = 0
    while True:
        try:
            metadata = sink.pull().metadata
        except (av.error.BlockingIOError, av.error.EOFError):
            return count
        count += 1
        for plane in errors:
            errors[plane] += 10 ** (-float(metadata[f"lavfi.xpsnr.xpsnr.{plane}"]) / 10)


def more_bits(curve: Curve, base: Curve) -> float:
    """How much more bits the curve takes than the base at equal quality: 0.05 is 5 %."""
    least = max(min(quality for _, quality in each) for each in (curve, base))
    most = min(max(quality for _, quality in each) for each in (curve, base))
    steps = [least + (most - least) * step / POINTS for step in range(POINTS + 1)]
    return math.exp(sum(_bits_at(curve, step) - _bits_at(base, step) for step in steps) / len(steps)) - 1


def _bits_at(curve: Curve, quality: float) -> float:
    points = sorted((dB, math.log(bits)) for bits, dB in curve)
    for (low, below), (high, above) in pairwise(points):
        if quality <= high:
            return below + (above - below) * (quality - low) / (high - low)
    return points[-1][1]


def main() -> None:
    """Print the curves and how they compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", nargs="*", type=Path, default=[FILM], help="clips (the demo film)")
    parser.add_argument("--seconds", type=float, default=30, help="how much of each (30)")
    parser.add_argument("--crf", default="19,21,23,25,27", help="points of a curve (19,21,23,25,27)")
    parser.add_argument("--rungs", default="", help="names, such as v480,v720 (all)")
    parser.add_argument("--try", dest="options", action="append", default=[], help="NAME=VALUE for other segments")
    given = parser.parse_args()
    ways = [Way("continuous, free key frames", keys=False), Way("continuous, key frames every 2 s")]
    ways.append(Way("segments of 2 s", segments=True))
    if given.options:
        options = tuple(tuple(option.split("=", 1)) for option in given.options)
        ways.append(Way(f"segments, {' '.join(given.options)}", segments=True, options=options))
    print("| clip | rung | way | kbit/s and dB by CRF | bits against 2-s keys | against free keys |")
    print("| --- | --- | --- | --- | ---: | ---: |")
    for film in given.films:
        for rung in make_plan(probe(film), wiring.encoder_settings(load())).rungs:
            if given.rungs and rung.name not in given.rungs.split(","):
                continue
            frames, rate = scaled(film, rung, given.seconds)
            curves: dict[str, Curve] = {}
            for way in ways:
                curve = curves[way.name] = []
                for crf in map(float, given.crf.split(",")):
                    stream = encode(frames, rate, rung, way, crf)
                    curve.append((len(stream) * 8 * float(rate) / len(frames), xpsnr(frames, stream, rate)))
            free, keyed = curves[ways[0].name], curves[ways[1].name]
            for name, curve in curves.items():
                points = ", ".join(f"{bits / 1000:.0f} {dB:.2f}" for bits, dB in curve)
                against = f"{more_bits(curve, keyed):+.1%} | {more_bits(curve, free):+.1%}"
                print(f"| {film.parent.name}/{film.name} | {rung.name} | {name} | {points} | {against} |", flush=True)


if __name__ == "__main__":
    main()
