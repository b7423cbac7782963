"""Audio, subtitles and chapters of an opened container. Children only."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from av.stream import Disposition

from ottserver.backends.ffmpeg.layouts import positions
from ottserver.ingest.cadence import rational
from ottserver.media import AudioStream, Chapter, SubtitleStream

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

    from ottserver.media import Purpose

_MOST = 64
_MOST_CHAPTERS = 1000
_TITLE_LENGTH = 200
_MAX_RATE = 768_000
_FORCED = re.compile(r"\bforced\b", re.IGNORECASE)
_SOUNDS = re.compile(r"\b(?:sdh|cc|hearing.impaired|hard.of.hearing)\b", re.IGNORECASE)
# What makers of files write into titles where they do not set the container's flag.
_COMMENTARY = re.compile(r"\bcommentary\b", re.IGNORECASE)
_DESCRIPTION = re.compile(r"\b(audio description|descriptive|described video)\b", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")


def audio_streams(container: InputContainer) -> tuple[AudioStream, ...]:
    """The tracks that can be decoded, in the container's order; one of them is the default."""
    playable = [
        stream
        for stream in container.streams.audio
        if stream.codec_context is not None and 0 < stream.sample_rate <= _MAX_RATE
    ]
    places = {stream.index: positions(stream.codec_context) for stream in playable}
    playable = [stream for stream in playable if places[stream.index]][:_MOST]
    chosen = next((stream for stream in playable if stream.disposition & Disposition.default), None)
    chosen = chosen or next(iter(playable), None)
    return tuple(
        AudioStream(
            index=stream.index,
            codec=stream.codec_context.codec.canonical_name,
            sample_rate=stream.sample_rate,
            channels=len(places[stream.index]),
            layout="+".join(places[stream.index]),
            language=_language(stream),
            title=_title(stream),
            default=stream is chosen,
            time_base=rational(stream.time_base or Fraction(1, stream.sample_rate)),
            start=stream.start_time or 0,
            positions=places[stream.index],
            purpose=_purpose(stream),
        )
        for stream in playable
    )


def subtitle_streams(container: InputContainer) -> tuple[SubtitleStream, ...]:
    """The subtitle tracks, text and image, in the container's order."""
    return tuple(
        SubtitleStream(
            index=stream.index,
            codec=stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown",
            language=_language(stream),
            title=_title(stream),
            default=bool(stream.disposition & Disposition.default),
            forced=bool(stream.disposition & Disposition.forced) or bool(_FORCED.search(_title(stream))),
            hearing_impaired=bool(stream.disposition & Disposition.hearing_impaired)
            or bool(_SOUNDS.search(_title(stream))),
        )
        for stream in container.streams.subtitles[:_MOST]
    )


def chapters(container: InputContainer, origin: Fraction, duration: Fraction) -> tuple[Chapter, ...]:
    """Chapters that begin within the film, in seconds from its first frame at `origin` seconds."""
    found = []
    for chapter in container.chapters()[:_MOST_CHAPTERS]:
        time_base = chapter["time_base"] or Fraction(1, 1000)
        start = max(chapter["start"] * time_base - origin, Fraction(0))
        end = min(chapter["end"] * time_base - origin, duration)
        if start < end:
            title = chapter["metadata"].get("title", "").strip()[:_TITLE_LENGTH]
            found.append(Chapter(round(float(start), 3), round(float(end), 3), title))
    return tuple(sorted(found, key=lambda chapter: chapter.start_seconds))


def _language(stream: Stream) -> str:
    language = stream.metadata.get("language", "")
    return language if _LANGUAGE.fullmatch(language) else "und"


def _purpose(stream: Stream) -> Purpose:
    """What its flags say, else its title: many files flag nothing."""
    if stream.disposition & Disposition.comment or _COMMENTARY.search(_title(stream)):
        return "commentary"
    if stream.disposition & (Disposition.visual_impaired | Disposition.descriptions):
        return "description"
    if stream.disposition & Disposition.hearing_impaired:
        return "clear"
    return "description" if _DESCRIPTION.search(_title(stream)) else ""


def _title(stream: Stream) -> str:
    return stream.metadata.get("title", "").strip()[:_TITLE_LENGTH]
