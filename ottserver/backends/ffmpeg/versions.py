"""A child that says which FFmpeg PyAV has brought: `python -m ottserver.backends.ffmpeg.versions PARENT_PID`."""

from __future__ import annotations

import json
import sys

import av
from av.codec import Codec

from ottserver.backends.ffmpeg.child import confine

NEEDED = ("libx264", "aac", "h264", "hevc", "mjpeg")
"""Encoders and decoders without which films cannot be made ready."""
_MEMORY_BYTES = 2 << 30
_CPU_SECONDS = 20


def _has(name: str) -> bool:
    for mode in ("w", "r"):
        try:
            Codec(name, mode)
        except ValueError:
            continue
        return True
    return False


def main() -> None:
    """Print one JSON object: PyAV's version, those of FFmpeg's libraries, and which needed codecs are missing."""
    confine(parent=int(sys.argv[1]), nice=0, memory_bytes=_MEMORY_BYTES, cpu_seconds=_CPU_SECONDS)
    libraries = {name: ".".join(map(str, version)) for name, version in av.library_versions.items()}
    missing = [name for name in NEEDED if not _has(name)]
    json.dump({"pyav": av.__version__, "libraries": libraries, "missing": missing}, sys.stdout)


if __name__ == "__main__":
    main()
