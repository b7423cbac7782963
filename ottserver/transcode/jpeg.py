"""Pictures as JPEG files. Children only."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import VideoFrame

from ottserver.transcode.picture import PIXEL_FORMAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
    """Luma, and blue and red at half the width and height: BT.709, limited range."""


def planes(frame: VideoFrame) -> Planes:
    """The planes of a converted picture, shapes (height, width) and twice (height / 2, width / 2)."""
    width, height = frame.width, frame.height
    flat: NDArray[np.uint8] = frame.to_ndarray().reshape(-1).astype(np.uint8, copy=False)
    chroma = width * height // 4
    return (
        flat[: width * height].reshape(height, width),
        flat[width * height :][:chroma].reshape(height // 2, width // 2),
        flat[width * height + chroma :].reshape(height // 2, width // 2),
    )


def jpeg(picture: Planes, *, quantiser: int, longest: int | None = None) -> bytes:
    """The picture as a JPEG in full range, as the format wants; `quantiser` is FFmpeg's scale, 2 is best.

    No side is longer than `longest` pixels.
    """
    height, width = picture[0].shape
    flat = np.concatenate([plane.reshape(-1) for plane in picture]).reshape(height * 3 // 2, width)
    shrunk = min(1.0, longest / max(width, height)) if longest else 1.0
    width, height = (max(2, 2 * round(side * shrunk / 2)) for side in (width, height))
    frame = VideoFrame.from_ndarray(flat, format=PIXEL_FORMAT).reformat(
        width=width,
        height=height,
        format="yuvj420p",
        src_colorspace="ITU709",
        dst_colorspace="ITU601",
        src_color_range="MPEG",
        dst_color_range="JPEG",
    )
    file = io.BytesIO()
    options = {"qmin": str(quantiser), "qmax": str(quantiser)}
    with av.open(file, "w", format="image2pipe") as out:
        stream = out.add_stream("mjpeg", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        frame.pts = 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()
