"""Reads answers as strictly as HTTP/1.1 is written (RFC 9112), and judges what they hold."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.fuzzing.grammar import Asked, Viewer

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2}) [\x20-\x7e]*")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\x20-\x7e\x80-\xff\t]*)")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_ASKED = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
_MEDIA = (b"ftyp", b"styp", b"moof", b"sidx")
GOOD = {100, 200, 201, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 411, 412, 413, 415, 416, 417, 422, 426, 431}


class Wrong(AssertionError):
    """The server did what it must never do."""


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    fields: dict[str, str]
    body: bytes
    old: bool = False
    """Whether it is one of HTTP/1.0, as to a request that cannot be read."""

    @property
    def closes(self) -> bool:
        """Whether nothing follows it."""
        return self.fields.get("connection", "close" if self.old else "").lower() == "close"


class Line:
    """A connection, read strictly."""

    def __init__(self, host: str, port: int) -> None:
        """Connect."""
        self.socket = socket.create_connection((host, port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()

    def answer(self, method: str) -> Answer | None:
        """The next answer to a request with that method; nothing where the connection has ended before it."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if not self._more():
                if self._buffer:
                    message = f"broken off in a head: {bytes(self._buffer)!r}"
                    raise Wrong(message)
                return None
        first, *lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        status = _STATUS.fullmatch(first)
        if status is None:
            message = f"no status line: {first!r}"
            raise Wrong(message)
        fields: dict[str, str] = {}
        for line in lines:
            match = _FIELD.fullmatch(line)
            if match is None:
                message = f"no header field: {line!r}"
                raise Wrong(message)
            name = match[1].decode().lower()
            if name in fields and name != "set-cookie":
                message = f"{name} comes twice"
                raise Wrong(message)
            fields[name] = match[2].decode("latin-1")
        code = int(status[2])
        old = status[1] == b"0"
        # Where not even the method could be read, the answer has a body, and is the last.
        body = self._body("" if old and code == HTTPStatus.BAD_REQUEST else method, code, fields)
        return Answer(code, fields, body, old=old)

    def _body(self, method: str, code: int, fields: dict[str, str]) -> bytes:
        if "transfer-encoding" in fields and "content-length" in fields:
            message = "two framings"
            raise Wrong(message)
        if method == "HEAD" or code in (100, 204, 304):
            return b""
        if "transfer-encoding" in fields:
            return self._chunks()
        length = fields.get("content-length", "")
        if not length.isdecimal():
            message = f"no length of a {code}: {fields}"
            raise Wrong(message)
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        body = b""
        while True:
            while (end := self._buffer.find(b"\r\n")) < 0:
                self._must_have_more()
            size = int(self._exactly(end + 2), 16)
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                message = "a chunk has another length than it says"
                raise Wrong(message)
            if not size:
                return body

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._must_have_more()
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    def _must_have_more(self) -> None:
        if not self._more():
            message = "broken off in a body"
            raise Wrong(message)

    def _more(self) -> bool:
        try:
            received = self.socket.recv(262_144)
        except ConnectionError:
            return False
        except TimeoutError as error:
            message = "no answer in time"
            raise Wrong(message) from error
        self._buffer += received
        return bool(received)

    def nothing_left(self) -> None:
        """Fail where something came that answers nothing."""
        if self._buffer:
            message = f"bytes that answer nothing: {bytes(self._buffer[:200])!r}"
            raise Wrong(message)


def judge(answer: Answer, method: str, opened: list[Viewer]) -> None:
    """Fail where the answer must not be: `opened` are those whose tickets were sent along."""
    if answer.status not in GOOD:
        message = f"status {answer.status}: {answer.body[:500]!r}"
        raise Wrong(message)
    if answer.status == 100:  # noqa: PLR2004 - continue
        return
    for name in ("date", "server", "x-request-id", "x-content-type-options"):
        if name not in answer.fields:
            message = f"no {name} with a {answer.status}: {answer.fields}"
            raise Wrong(message)
    if answer.status >= 400 and method != "HEAD":  # noqa: PLR2004 - client errors
        problem = json.loads(answer.body)
        if answer.fields["content-type"] != "application/problem+json" or problem["status"] != answer.status:
            message = f"no problem document: {answer.body[:500]!r}"
            raise Wrong(message)
    elif answer.status in (200, 206) and method != "HEAD":
        _judge_bytes(answer, opened)


def judge_part(answer: Answer, asked: Asked, opened: list[Viewer]) -> None:
    """Fail where another part of the bytes came than was asked for, or of a plain request's file none or too much."""
    if answer.status == 206:  # noqa: PLR2004 - partial content
        size = int(answer.fields["content-range"].rpartition("/")[2])
        wanted = _part(asked.ranges[0], size) if len(asked.ranges) == 1 else None
        if wanted is None or answer.fields["content-range"] != f"bytes {wanted.start}-{wanted.stop - 1}/{size}":
            message = f"{answer.fields['content-range']} for {asked.ranges}"
            raise Wrong(message)
    if not asked.plain:
        return
    whole = opened[0].files[asked.plain]
    wanted = _part(asked.ranges[0], len(whole)) if asked.ranges else None
    status, body = (206, whole[wanted.start : wanted.stop]) if wanted else (200, whole)
    if wanted is not None and not wanted:
        status, body = 416, answer.body
    if (answer.status, answer.body) != (status, body):
        message = f"{answer.status} and {len(answer.body)} bytes for {asked.ranges} of {len(whole)} bytes"
        raise Wrong(message)


def _part(field: str, size: int) -> range | None:
    """Where the bytes are that a Range asks for, none of them where there are none; nothing where it is no range."""
    match = _ASKED.fullmatch(field.strip(" \t"))
    first, last = match.groups() if match else ("", "")
    if not first and not last:
        return None
    if not first:
        return range(max(size - int(last), 0), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


def _judge_bytes(answer: Answer, opened: list[Viewer]) -> None:
    allowed = {etag: data for viewer in opened for etag, data in viewer.etags.items()}
    whole = allowed.get(answer.fields.get("etag", ""))
    kind = answer.fields.get("content-type", "")
    if whole is None:
        if kind.startswith(("video/", "audio/")) or answer.body[4:8] in _MEDIA or answer.status == 206:  # noqa: PLR2004
            message = f"media beyond the ticket: {answer.status} {answer.fields}"
            raise Wrong(message)
        if kind.endswith(("mpegurl", "dash+xml")) and not any(_fits(answer.body, viewer) for viewer in opened):
            message = f"a manifest beyond the ticket: {answer.body!r}"
            raise Wrong(message)
        return
    expected = whole
    if answer.status == 206:  # noqa: PLR2004 - partial content
        match = _RANGE.fullmatch(answer.fields.get("content-range", ""))
        if match is None or int(match[3]) != len(whole) or not int(match[1]) <= int(match[2]) < len(whole):
            message = f"Content-Range: {answer.fields}"
            raise Wrong(message)
        expected = whole[int(match[1]) : int(match[2]) + 1]
    if answer.body != expected:
        message = f"{len(answer.body)} bytes that are not the segment's: {answer.fields}"
        raise Wrong(message)


def _fits(manifest: bytes, viewer: Viewer) -> bool:
    """Whether a manifest lists nothing of a better plan."""
    text = manifest.decode()
    renditions = {path.split("/")[-2] for path in viewer.beyond}
    return not any(f"{name}/" in text or f'"{name}"' in text for name in renditions)
