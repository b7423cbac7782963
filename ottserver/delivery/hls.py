"""HLS playlists (RFC 8216) of a presentation: complete at once, because the grid fixes every segment."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from ottserver.delivery import text, tiles
from ottserver.delivery.ladder import rungs
from ottserver.delivery.paths import INIT, MEDIA_PLAYLIST, SEGMENT_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ottserver.media import Presentation, Rendition, Storyboard, TextTrack

_MICROSECONDS = 1_000_000
_CHARACTERISTICS = {
    "description": "public.accessibility.describes-video",
    "clear": "public.accessibility.enhances-speech-intelligibility",
}
_VARIANT = "#EXT-X-STREAM-INF:"


def master_playlist(
    presentation: Presentation,
    max_height: int,
    subtitles: Sequence[TextTrack] = (),
    board: Storyboard | None = None,
) -> str:
    """The master playlist, cut to a plan's greatest height class; its addresses are relative to its own.

    Audio is in groups, each variant once per group: by codec, since CODECS must name what the group brings (section
    4.3.4.2), and where there is 5.1 a group with it after the one in stereo, which players take unless told otherwise.
    """
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    groups = _groups(presentation)
    for number, tracks in enumerate(groups):
        lines += _audio_group(presentation, f"audio{number}", tracks)
    for rung in rungs(presentation, max_height):
        if not groups:
            lines += _variant(presentation, rung, "", [])
        for number, tracks in enumerate(groups):
            lines += _variant(presentation, rung, f"audio{number}", tracks)
    if subtitles:
        media = text.hls_media(presentation.id, subtitles, _quotable)
        variants = (f'{line},SUBTITLES="{text.GROUP}"' if line.startswith(_VARIANT) else line for line in lines[3:])
        lines = [*lines[:3], *media, *variants]
    if board is not None:
        lines.append(tiles.hls_stream(presentation.id, board))
    return "\n".join(lines) + "\n"


def _groups(presentation: Presentation) -> list[list[Rendition]]:
    """All groups have the same members, whose attributes differ in URI and CHANNELS at most (section 4.3.4.1.1)."""
    stereo: dict[str, list[Rendition]] = {}
    for track in presentation.audio:
        if not track.beside:
            stereo.setdefault(track.codecs, []).append(track)
    surround = {track.beside: track for track in presentation.audio if track.beside}
    groups = []
    for tracks in stereo.values():
        groups.append(tracks)
        if any(track.name in surround for track in tracks):
            groups.append([replace(surround.get(track.name, track), default=track.default) for track in tracks])
    return groups


def _audio_group(presentation: Presentation, group: str, tracks: list[Rendition]) -> list[str]:
    default = next((track for track in tracks if track.default), tracks[0])
    names: set[str] = set()
    lines = []
    for track in tracks:
        name = base = _quotable(track.label) or ("Audio" if track.language == "und" else _quotable(track.language))
        copies = 1
        while name in names:  # section 4.3.4.1.1: no two members of a group share a name
            copies += 1
            name = f"{base} {copies}"
        names.add(name)
        attributes = [
            "TYPE=AUDIO",
            f'GROUP-ID="{group}"',
            f'NAME="{name}"',
            *([] if track.language == "und" else [f'LANGUAGE="{_quotable(track.language)}"']),
            f"DEFAULT={'YES' if track is default else 'NO'}",
            f"AUTOSELECT={'NO' if track.purpose == 'commentary' and track is not default else 'YES'}",
            *([f'CHARACTERISTICS="{_CHARACTERISTICS[track.purpose]}"'] if track.purpose in _CHARACTERISTICS else []),
            f'CHANNELS="{track.channels}"',
            f'URI="{presentation.id}/{track.name}/{MEDIA_PLAYLIST}"',
        ]
        lines.append("#EXT-X-MEDIA:" + ",".join(attributes))
    return lines


def _variant(presentation: Presentation, rung: Rendition, group: str, tracks: list[Rendition]) -> list[str]:
    peak = rung.bandwidth + max((track.bandwidth for track in tracks), default=0)
    average = rung.average_bandwidth + max((track.average_bandwidth for track in tracks), default=0)
    codecs = ",".join([rung.codecs, *(track.codecs for track in tracks[:1])])
    attributes = [
        f"BANDWIDTH={peak}",
        f"AVERAGE-BANDWIDTH={average}",
        f'CODECS="{codecs}"',
        f"RESOLUTION={rung.width}x{rung.height}",
        f"FRAME-RATE={float(Fraction(rung.frame_rate)):.3f}",
        *([f'AUDIO="{group}"'] if group else []),
    ]
    return [_VARIANT + ",".join(attributes), f"{presentation.id}/{rung.name}/{MEDIA_PLAYLIST}"]


def media_playlist(rendition: Rendition) -> str:
    """The media playlist of one rendition.

    Every boundary is rounded to a microsecond and durations are their differences, so that rounding never adds up
    over a film.
    """
    marks = [round(Fraction(ticks * _MICROSECONDS, rendition.timescale)) for ticks in rendition.boundaries]
    durations = [end - start for start, end in pairwise(marks)]
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, math.ceil(max(durations, default=0) / _MICROSECONDS))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{INIT}"',
    ]
    for index, duration in enumerate(durations):
        lines += [f"#EXTINF:{Decimal(duration).scaleb(-6):.6f},", f"{index}{SEGMENT_SUFFIX}"]
    lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def _quotable(text: str) -> str:
    """The text as a quoted-string may hold it (section 4.2): no quotes, line breaks or other control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text.replace('"', "'")).split())
