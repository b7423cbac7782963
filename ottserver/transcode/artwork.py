"""Pictures of a film for its title page: a poster and a backdrop from a frame that shows something. Children only."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

from ottserver.transcode.decode import numbered_frames
from ottserver.transcode.ladder import display_size
from ottserver.transcode.picture import Converter
from ottserver.transcode.plan import grid_of

if TYPE_CHECKING:
    from pathlib import Path

    from av.video.frame import VideoFrame

    from ottserver.transcode.models import EncodingPlan

POSTER_WIDTH, BACKDROP_WIDTH = 640, 1280
_PLACES = (0.10, 0.15, 0.20, 0.25, 0.30, 0.05, 0.40)
_LIT, _WIDE = 40, 12
# Least mean and least spread of luma (0 to 255) that a viewer takes for a picture.
_QUALITY = 4
# FFmpeg's JPEG quantiser scale: 2 is best.


def pictures(path: Path, plan: EncodingPlan, *, threads: int) -> dict[str, bytes]:
    """JPEGs named "poster" and "backdrop", of the film's shape and never larger; none when nothing can be decoded."""
    frame = _best(path, plan, threads)
    if frame is None:
        return {}
    video = plan.report.video
    width, height = display_size(video)
    made: dict[str, bytes] = {}
    for name, wanted in (("poster", POSTER_WIDTH), ("backdrop", BACKDROP_WIDTH)):
        scale = min(wanted / width, Fraction(1))
        size = [max(16, 2 * round(side * scale / 2)) for side in (width, height)]
        made[name] = _jpeg(Converter(video, size[0], size[1], threads).convert(frame))
    return made


def _best(path: Path, plan: EncodingPlan, threads: int) -> VideoFrame | None:
    """The sharpest of a few frames that are neither dark nor empty; when all are, the sharpest of them."""
    video = plan.report.video
    found: list[tuple[bool, float, VideoFrame]] = []
    for place in _PLACES:
        number = int(video.frames * place)
        frames = numbered_frames(path, video, grid_of(plan), number, threads)
        frame = next((frame for at, frame in frames if at >= number), None)
        if frame is None:
            continue
        luma = frame.reformat(width=320, height=180, format="gray8").to_ndarray().astype(np.float32)
        sharp = float(np.abs(np.diff(luma, axis=1)).mean() + np.abs(np.diff(luma, axis=0)).mean())
        found.append((bool(luma.mean() >= _LIT and luma.std() >= _WIDE), sharp, frame))
    return max(found, key=lambda one: one[:2])[2] if found else None


def _jpeg(frame: VideoFrame) -> bytes:
    """The picture as a JPEG in full range, as the format wants."""
    picture = frame.reformat(
        format="yuvj420p",
        src_colorspace="ITU709",
        dst_colorspace="ITU601",
        src_color_range="MPEG",
        dst_color_range="JPEG",
    )
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as out:
        stream = out.add_stream("mjpeg", rate=1, options={"qmin": str(_QUALITY), "qmax": str(_QUALITY)})
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuvj420p"
        picture.pts = 0
        out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return file.getvalue()
