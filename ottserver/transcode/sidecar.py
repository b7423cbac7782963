"""Turns one subtitle file into WebVTT: `python -m ottserver.transcode.sidecar PARENT_PID LANGUAGE RATE`. Children only.

Reads the file from standard input and prints one line of JSON, an `Outcome`.
"""

from __future__ import annotations

import io
import os
import re
import sys
from fractions import Fraction

import av

from ottserver.backends.ffmpeg.child import confine, take_stdout
from ottserver.transcode.encodings import decoded
from ottserver.transcode.sidecars import OUTCOME, Outcome
from ottserver.transcode.subtitles import Reader, packets
from ottserver.transcode.webvtt import Cue, document, sanitised, settings_of

_MEMORY_BYTES = 4 << 30
_CPU_SECONDS = 60
_TIMING = re.compile(r"^\s*((?:\d+:)?\d{1,2}:\d{2}\.\d{3})\s+-->\s+((?:\d+:)?\d{1,2}:\d{2}\.\d{3})([^\n]*)$")
_FRAMES = re.compile(r"^\{\d+\}\{\d*\}", re.MULTILINE)
_OWN_RATE = re.compile(r"^\{1\}\{1\}\s*\d+(?:\.\d+)?\s*$", re.MULTILINE)
_IMAGES = (b"\x00\x00\x01\xba", b"PG", b"# VobSub")


class Unreadable(Exception):
    """The file holds no subtitles that can be shown; the message is a sentence about it."""


def convert(data: bytes, language: str, rate: Fraction | None) -> tuple[bytes, str]:
    """The file as WebVTT, and what it was. `rate`: frames a second of its film, where that is known.

    Raises `Unreadable`.
    """
    if data.startswith(_IMAGES):
        message = "It holds pictures of text, which cannot be shown here."
        raise Unreadable(message)
    text = decoded(data, language).replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    start = text.lstrip()
    if start.startswith("WEBVTT"):
        cues, kind = _webvtt(text), "webvtt"
    elif "[script info]" in start[:4000].lower() or re.search(r"^Dialogue:", text, re.MULTILINE):
        cues, kind = _read(text, "ass", {}), "ass"
    elif _FRAMES.match(start):
        cues, kind = _read(text, "microdvd", _timed(start, rate)), "microdvd"
    else:
        cues, kind = _read(text, "srt", {}), "subrip"
    made, count = document(cues)
    if not count:
        message = "It holds no subtitles in a known text format."
        raise Unreadable(message)
    return made, kind


def _timed(start: str, rate: Fraction | None) -> dict[str, str]:
    if _OWN_RATE.match(start):
        return {}
    if rate is None:
        message = "It counts frames and does not say how many make a second; add it once the film is in the library."
        raise Unreadable(message)
    return {"subfps": f"{rate.numerator}/{rate.denominator}"}


def _read(text: str, kind: str, options: dict[str, str]) -> list[Cue]:
    file = io.BytesIO(text.encode())
    try:
        with av.open(file, "r", format=kind, options={"protocol_whitelist": "", **options}) as container:
            reader = Reader(container.streams.subtitles[0], Fraction(0))
            for packet in packets(container, [container.streams[0]]):
                reader.take(packet)
            return reader.cues()
    except (av.error.FFmpegError, IndexError):
        return []


def _webvtt(text: str) -> list[Cue]:
    """Cues of a WebVTT file: FFmpeg gives up on files that have styles of their own."""
    cues = []
    for block in re.split(r"\n[ \t]*\n", text):
        lines = block.strip("\n").split("\n")
        for at, line in enumerate(lines[:2]):
            if (timing := _TIMING.match(line)) is not None:
                said = sanitised("\n".join(lines[at + 1 :]))
                cues.append(Cue(_stamp(timing[1]), _stamp(timing[2]), said, settings_of(timing[3])))
                break
    return cues


def _stamp(text: str) -> int:
    parts = text.replace(".", ":").split(":")
    hours, minutes, seconds, milliseconds = (int(part) for part in ["0", *parts][-4:])
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds


def main() -> None:
    """Convert what comes on standard input and print the outcome."""
    confine(parent=int(sys.argv[1]), nice=5, memory_bytes=_MEMORY_BYTES, cpu_seconds=_CPU_SECONDS)
    out = take_stdout()
    try:
        data, codec = convert(sys.stdin.buffer.read(), sys.argv[2], Fraction(sys.argv[3]) or None)
        outcome = Outcome(vtt=data.decode(), codec=codec)
    except Unreadable as failure:
        outcome = Outcome(failed=str(failure))
    except MemoryError:
        outcome = Outcome(failed="Reading it took more memory than is allowed; it may be damaged.")
    with os.fdopen(out, "wb") as pipe:
        pipe.write(OUTCOME.dump_json(outcome) + b"\n")


if __name__ == "__main__":
    main()
