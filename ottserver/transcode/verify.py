"""Decodes finished segments, to see that a player can. Children only."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def verified(job: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], bytes]]:
    """For each of the job's `segments` (index, path, samples): an item about `index` and what is `wrong`, or nothing.

    `init` is the path of their init segment.
    """
    init = Path(job["init"]).read_bytes()
    for index, path, samples in job["segments"]:
        yield {"index": index, "wrong": _wrong(init + Path(path).read_bytes(), samples)}, b""


def _wrong(data: bytes, samples: int) -> str:
    try:
        with av.open(io.BytesIO(data), "r", format="mp4", options={"err_detect": "explode"}) as container:
            stream = container.streams[0]
            decoded = sum(len(packet.decode()) for packet in container.demux(stream))
    except (av.error.FFmpegError, IndexError) as error:
        return f"it cannot be decoded: {error}"
    return "" if decoded == samples else f"it decodes to {decoded} frames instead of {samples}"
