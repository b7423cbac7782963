"""What the pool and its workers say to each other: frames of a JSON header and bytes, over pipes.

A frame is two unsigned 32-bit lengths in network order, the header, the payload. The pool sends a job's header, with
its number as `job`, which every answer repeats: what belongs to another job is never taken for one's own. The worker
answers with any number of `item` frames, each with its bytes, and one that says `done` or `failed`. While a run
of segments is made, the pool may say `until` (an index up to which it may go) or `stop`; the worker says `resting` when
it has come so far and waits.
"""

from __future__ import annotations

import json
import os
import select
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

Header = dict[str, Any]

_LENGTHS = struct.Struct(">II")
_MAX_HEADER = 16 << 20
_MAX_PAYLOAD = 256 << 20
_CHUNK = 1 << 16


class BrokenFrame(Exception):
    """The other side ended in the middle of a frame, or sent what is none."""


def pack(header: Header, payload: bytes = b"") -> bytes:
    """The frame's bytes."""
    head = json.dumps(header, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(head), len(payload)) + head + payload


class Inbox:
    """Frames that arrive on a descriptor, with and without waiting. For the worker's side, which has no event loop."""

    def __init__(self, descriptor: int) -> None:
        """Read from `descriptor`."""
        self._descriptor = descriptor
        self._buffer = bytearray()
        self._ended = False

    def read(self) -> Header | None:
        """The next frame's header, or nothing at the stream's end. Blocks. Raises `BrokenFrame`."""
        while (header := self._take()) is None:
            self._fill()
            if self._ended:
                if self._buffer:
                    message = "the stream ended inside a frame"
                    raise BrokenFrame(message)
                return None
        return header

    def poll(self) -> Header | None:
        """The next frame's header if one has arrived. Never waits. Raises `EOFError` when the stream has ended."""
        header = self._take()
        while header is None and not self._ended and select.select([self._descriptor], [], [], 0)[0]:
            self._fill()
            header = self._take()
        if header is None and self._ended:
            raise EOFError
        return header

    def _fill(self) -> None:
        data = os.read(self._descriptor, _CHUNK)
        self._buffer += data
        self._ended = not data

    def _take(self) -> Header | None:
        if len(self._buffer) < _LENGTHS.size:
            return None
        head, payload = _lengths(bytes(self._buffer[: _LENGTHS.size]))
        end = _LENGTHS.size + head + payload
        if len(self._buffer) < end:
            return None
        header: Header = json.loads(self._buffer[_LENGTHS.size : _LENGTHS.size + head])
        del self._buffer[:end]
        return header


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
