"""What a file is, or lacks, told from its bytes alone: for refusals in words. Pure Python, no FFmpeg."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEAD = 4096
_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"BM", "a picture"),
    (b"#EXTM3U", "a playlist, which only names other files"),
    (b"ffconcat", "a playlist, which only names other files"),
    (b"[playlist]", "a playlist, which only names other files"),
    (b"<?xml", "an XML document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"dinf")
_OTHER_MOVIES = (b"rmra",)
_MOST_BOXES = 100_000
_EBML_UNKNOWN_SIZE = (1 << 56) - 1
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_EBML = b"\x1a\x45\xdf\xa3"


def kind_of(path: Path) -> str | None:
    """What else the file is, such as "a ZIP archive", or nothing when its bytes do not say."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a picture"
    try:
        text = head.decode()
    except UnicodeDecodeError as cut:
        # The last character may be cut in two by the end of what was read.
        text = head[: cut.start].decode() if cut.start > len(head) - 4 else ""
    return "a text" if text and all(char.isprintable() or char in "\t\r\n\f" for char in text) else None


def truncation_of(path: Path) -> str | None:
    """How the file is shorter than its own structure says, in words, or nothing when it seems whole."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in _BOXES:
            return _mp4(file, size)
        if head[:4] == _EBML:
            return _matroska(file, size)
        if head[:4] == b"RIFF":
            missing = struct.unpack_from("<I", head, 4)[0] + 8 - size
            return _short(missing) if missing > 1 else None
    return None


def outside_of(path: Path) -> str | None:
    """What in a film of boxes (MP4, QuickTime) lies in other files, in words; nothing when it has all in itself."""
    with path.open("rb") as file:
        if file.read(12)[4:8] not in _BOXES:
            return None
        if _names_others(file, 0, path.stat().st_size, 0):
            return "The file only names other files, in which the film is; upload the film itself."
    return None


def _names_others(file: BinaryIO, start: int, end: int, depth: int) -> bool:
    """Whether media (ISO/IEC 14496-12 section 8.7.2), or whole movies as QuickTime has them, are elsewhere."""
    for kind, body, after in _boxes(file, start, end):
        if kind in _OTHER_MOVIES or (kind == b"dref" and _elsewhere(file, body, after)):
            return True
        if kind in _PARENTS and depth < len(_PARENTS) and _names_others(file, body, after, depth + 1):
            return True
    return False


def _elsewhere(file: BinaryIO, start: int, end: int) -> bool:
    """Whether a data reference neither says that the media is in this file nor leaves out where else it is."""
    for _, body, after in _boxes(file, start + 8, end):
        file.seek(body)
        flags = file.read(4)
        if len(flags) == 4 and not flags[3] & 1 and file.read(min(_HEAD, after - body - 4)).strip(b"\0"):  # noqa: PLR2004 - version and flags
            return True
    return False


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Boxes from `start` to `end`: name, where what is in it begins, and where it ends."""
    for _ in range(_MOST_BOXES):
        file.seek(start)
        header = file.read(16)
        if start + 8 > end or len(header) < 8:  # noqa: PLR2004 - size and name
            return
        length, kind = struct.unpack_from(">I4s", header)
        body = start + 8
        if length == 1 and len(header) == 16:  # noqa: PLR2004 - a box of 64-bit size has a header of 16 bytes
            length, body = struct.unpack_from(">Q", header, 8)[0], start + 16
        elif length == 0:
            length = end - start
        if start + length < body:
            return
        yield kind, body, min(end, start + length)
        start += length


def _short(missing: int) -> str:
    return f"The file is incomplete: its last {missing} bytes are missing. Copy or upload it again."


def _mp4(file: BinaryIO, size: int) -> str | None:
    """Walk the top-level boxes (ISO/IEC 14496-12 section 4.2)."""
    offset, moov = 0, False
    while offset + 8 <= size:
        file.seek(offset)
        header = file.read(16)
        length, kind = struct.unpack_from(">I4s", header)
        if length == 1 and len(header) == 16:  # noqa: PLR2004 - a box of 64-bit size has a header of 16 bytes
            length = struct.unpack_from(">Q", header, 8)[0]
        elif length == 0:
            length = size - offset
        if length < 8:  # noqa: PLR2004 - smaller than its own header: not a box any more
            break
        moov = moov or kind == b"moov"
        if offset + length > size and kind in (b"moov", b"mdat", b"moof"):
            return _short(offset + length - size)
        offset += length
    return None if moov else "The file is incomplete: its index (the moov box) is missing. Copy or upload it again."


def _matroska(file: BinaryIO, size: int) -> str | None:
    """Compare the segment's declared size (RFC 8794 section 6) with the file's."""
    file.seek(4)
    _, length, after = _vint(file, 4)
    file.seek(after + length)
    if file.read(4) != _MATROSKA_SEGMENT:
        return None
    width, length, after = _vint(file, after + length + 4)
    if length == (1 << (7 * width)) - 1:
        # Unknown: written as a stream.
        return None
    missing = after + length - size
    return _short(missing) if missing > 0 else None


def _vint(file: BinaryIO, at: int) -> tuple[int, int, int]:
    """Width in bytes, value, and the offset behind it."""
    file.seek(at, os.SEEK_SET)
    first = file.read(1)
    if not first or first[0] == 0:
        return 8, _EBML_UNKNOWN_SIZE, at + 8
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    value = int.from_bytes(bytes([first[0] & (0xFF >> width)]) + rest)
    return width, value, at + width
