"""A presentation whose segments lie in a blob store, as transcode leaves them, for tests of delivery."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ottserver.backends.blobs import BlobMissing
from ottserver.errors import NotAuthenticated, NotFound
from ottserver.media import Extras, Presentation, Rendition, Storyboard, TextTrack, extra_key, init_key, segment_key

if TYPE_CHECKING:
    from ottserver.backends.blobs import Blobs
    from ottserver.identity import Principal
    from ottserver.media import Purpose

VIDEO_ID = "01975f5a-0000-7000-8000-000000000001"
OTHER_VIDEO_ID = "01975f5a-0000-7000-8000-000000000002"
SESSION_ID = "01975f5a-0000-7000-8000-00000000000a"
BOARD = Storyboard(2.0, 3, 3, 1, 256, 144, 40_000)
"""Three tiles on one sheet."""


def rung(height: int, *, name: str = "", boundaries: tuple[int, ...] = (0, 48048, 96096, 132132)) -> Rendition:
    """A 23.976 fps rung; two segments of 2.002 s and one of 1.5015 s unless told."""
    return Rendition(
        name=name or f"v{height}",
        kind="video",
        codecs="avc1.64001f",
        bandwidth=height * 4000,
        average_bandwidth=height * 2500,
        timescale=24000,
        boundaries=boundaries,
        width=height * 16 // 9,
        height=height,
        height_class=height,
        frame_rate="24000/1001",
    )


def track(
    name: str,
    language: str,
    label: str = "",
    *,
    default: bool = False,
    codecs: str = "mp4a.40.2",
    purpose: Purpose = "",
    beside: str = "",
) -> Rendition:
    """A 48 kHz track, stereo or in 5.1 `beside` another; its segments alternate between 94 and 93 AAC frames."""
    return Rendition(
        name=name,
        kind="audio",
        codecs=codecs,
        bandwidth=400_000 if beside else 140_000,
        average_bandwidth=384_000 if beside else 128_000,
        timescale=48000,
        boundaries=(0, 96256, 191488, 264192),
        sample_rate=48000,
        channels=6 if beside else 2,
        language=language,
        label=label,
        default=default,
        purpose=purpose,
        beside=beside,
    )


def presentation(*renditions: Rendition) -> Presentation:
    """A film of three segments; the usual ladder and two languages unless told."""
    return Presentation(
        id=uuid.UUID(int=len(renditions) + 77).hex,
        source_id="01975f5a-0000-7000-8000-0000000000ff",
        duration_seconds=132132 / 24000,
        renditions=renditions
        or (
            rung(480),
            rung(720),
            rung(1080),
            track("a0", "en", "English", default=True),
            track("a1", "fr", "Français"),
        ),
    )


@dataclass
class StoredSegments:
    """Gives what the blob store has while its gate is open, and knows what it was asked for and what was withdrawn."""

    blobs: Blobs
    asked: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    missing_is_made: bytes = b""
    """What is made where a segment is missing; with nothing it is an error."""

    def __post_init__(self) -> None:
        self.gate.set()

    async def init(self, presentation_id: str, rendition: str) -> bytes:
        return await self._get(init_key(presentation_id, rendition))

    async def segment(self, presentation_id: str, rendition: str, index: int, *, viewer: str = "") -> bytes:  # noqa: ARG002 - the protocol's signature
        try:
            return await self._get(segment_key(presentation_id, rendition, index))
        except NotFound:
            if not self.missing_is_made:
                raise
            return self.missing_is_made

    async def made(self, presentation_id: str, rendition: str, index: int) -> bytes:
        try:
            return await self._get(segment_key(presentation_id, rendition, index))
        except NotFound:
            return b""

    async def extra(self, presentation_id: str, name: str) -> bytes:
        return await self._get(extra_key(presentation_id, name))

    async def subtitle(self, presentation_id: str, track: str) -> bytes:
        return await self._get(extra_key(presentation_id, f"{track}.vtt"))

    async def _get(self, key: str) -> bytes:
        self.asked.append(key)
        try:
            await self.gate.wait()
            return await self.blobs.get(key)
        except asyncio.CancelledError:
            self.withdrawn.append(key)
            raise
        except BlobMissing as error:
            raise NotFound("There is no such segment.") from error


@dataclass
class Library:
    """Presentations by id; `reachable` is whether the database behind it answers."""

    films: dict[str, Presentation]
    reachable: bool = True
    beside: Extras = field(default_factory=Extras)

    async def presentation(self, presentation_id: str) -> Presentation | None:
        if not self.reachable:
            raise ConnectionError("the database is down")
        return self.films.get(presentation_id)

    async def extras(self, presentation_id: str) -> Extras:  # noqa: ARG002 - the protocol's signature
        if not self.reachable:
            raise ConnectionError("the database is down")
        return self.beside


class Nobody:
    """Media routes never ask who is calling; whoever does is refused."""

    async def authenticate(self, token: str) -> Principal:
        raise NotAuthenticated(token)


def subtitles(
    name: str, language: str, *flags: str, label: str = "", kind: Literal["text", "image"] = "text"
) -> TextTrack:
    """A subtitle track; flags are "default", "forced" and "hearing_impaired"."""
    return TextTrack(
        name,
        language,
        label,
        kind,
        "subrip",
        default="default" in flags,
        forced="forced" in flags,
        hearing_impaired="hearing_impaired" in flags,
    )


def content(rendition: str, part: str) -> bytes:
    """Bytes that tell where they belong, 1000 of them."""
    return f"{rendition}/{part}|".encode().ljust(1000, b".")


async def store(blobs: Blobs, film: Presentation) -> None:
    """Put every segment of the film into the store."""
    for rendition in film.renditions:
        await blobs.put(init_key(film.id, rendition.name), content(rendition.name, "init"))
        for index in range(rendition.segments):
            await blobs.put(segment_key(film.id, rendition.name, index), content(rendition.name, str(index)))
