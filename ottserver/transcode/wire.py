"""What the pool and its workers say to each other: frames of a JSON header and bytes, over pipes.

A frame is two unsigned 32-bit lengths in network order, the header, the payload. The pool sends a job's header; the
worker answers with any number of `item` frames, each with its bytes, and one that says `done` or `failed`.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import asyncio

Header = dict[str, Any]

_LENGTHS = struct.Struct(">II")
_MAX_HEADER = 16 << 20
_MAX_PAYLOAD = 256 << 20


class BrokenFrame(Exception):
    """The other side ended in the middle of a frame, or sent what is none."""


def pack(header: Header, payload: bytes = b"") -> bytes:
    """The frame's bytes."""
    head = json.dumps(header, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(head), len(payload)) + head + payload


def read(stream: BinaryIO) -> tuple[Header, bytes] | None:
    """The next frame, or nothing at the stream's end. Blocks. Raises `BrokenFrame`."""
    lengths = stream.read(_LENGTHS.size)
    if not lengths:
        return None
    head_length, payload_length = _lengths(lengths)
    head, payload = stream.read(head_length), stream.read(payload_length)
    if len(head) < head_length or len(payload) < payload_length:
        message = "the stream ended inside a frame"
        raise BrokenFrame(message)
    return json.loads(head), payload


async def receive(stream: asyncio.StreamReader) -> tuple[Header, bytes]:
    """The next frame. Raises `BrokenFrame`, or `asyncio.IncompleteReadError` when the other side has ended."""
    head_length, payload_length = _lengths(await stream.readexactly(_LENGTHS.size))
    head = await stream.readexactly(head_length)
    return json.loads(head), await stream.readexactly(payload_length)


def _lengths(data: bytes) -> tuple[int, int]:
    if len(data) < _LENGTHS.size:
        message = "the stream ended inside a frame"
        raise BrokenFrame(message)
    head, payload = _LENGTHS.unpack(data)
    if head > _MAX_HEADER or payload > _MAX_PAYLOAD:
        message = f"a frame of {head} + {payload} bytes is longer than any real one"
        raise BrokenFrame(message)
    return head, payload
