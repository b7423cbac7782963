"""Subtitles in both manifests: one WebVTT file for a whole track (RFC 8216 section 3.5, ISO/IEC 23009-1)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # builds only; nothing is parsed here

from ottserver.delivery.paths import MEDIA_PLAYLIST, SUBTITLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ottserver.media import TextTrack

GROUP = "text"
_ROLE = "urn:mpeg:dash:role:2011"
_DESCRIBED = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"
_BANDWIDTH = 256
# Bits a second: nobody speaks faster.


def names(tracks: Sequence[TextTrack], clean: Callable[[str], str] = str) -> list[str]:
    """What people choose the tracks by, each name once."""
    found: list[str] = []
    for track in tracks:
        label = clean(track.label) or ("Subtitles" if track.language == "und" else track.language)
        words = label.casefold()
        label += " (forced)" if track.forced and "forced" not in words else ""
        label += " (SDH)" if track.hearing_impaired and "sdh" not in words else ""
        copies, name = 1, label
        while name in found:
            copies += 1
            name = f"{label} {copies}"
        found.append(name)
    return found


def hls_media(presentation_id: str, tracks: Sequence[TextTrack], clean: Callable[[str], str]) -> list[str]:
    """The EXT-X-MEDIA tags of the subtitle group; `clean` makes text fit for a quoted string."""
    default = next((track for track in tracks if track.default and not track.forced), None)
    lines = []
    for track, name in zip(tracks, names(tracks, clean), strict=True):
        attributes = [
            "TYPE=SUBTITLES",
            f'GROUP-ID="{GROUP}"',
            f'NAME="{name}"',
            *([] if track.language == "und" else [f'LANGUAGE="{clean(track.language)}"']),
            f"DEFAULT={'YES' if track is default else 'NO'}",
            "AUTOSELECT=YES",
            f"FORCED={'YES' if track.forced else 'NO'}",
            *([f'CHARACTERISTICS="{_DESCRIBED}"'] if track.hearing_impaired else []),
            f'URI="{presentation_id}/{track.name}/{MEDIA_PLAYLIST}"',
        ]
        lines.append("#EXT-X-MEDIA:" + ",".join(attributes))
    return lines


def hls_playlist(seconds: float) -> str:
    """The media playlist of a track: its one file spans the film's `seconds`."""
    return "\n".join(
        (
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{max(1, math.ceil(seconds))}",
            "#EXT-X-MEDIA-SEQUENCE:0",
            "#EXT-X-PLAYLIST-TYPE:VOD",
            f"#EXTINF:{seconds:.6f},",
            SUBTITLES,
            "#EXT-X-ENDLIST\n",
        )
    )


def dash_sets(
    period: ET.Element, presentation_id: str, tracks: Sequence[TextTrack], first: int, clean: Callable[[str], str]
) -> None:
    """An adaptation set for each track, numbered from `first`; `clean` makes text fit for XML."""
    for number, (track, name) in enumerate(zip(tracks, names(tracks, clean), strict=True), start=first):
        adaptation = ET.SubElement(
            period,
            "AdaptationSet",
            {
                "id": str(number),
                "contentType": "text",
                "mimeType": "text/vtt",
                **({} if track.language == "und" else {"lang": clean(track.language)}),
            },
        )
        ET.SubElement(adaptation, "Label").text = name
        role = "forced-subtitle" if track.forced else "caption" if track.hearing_impaired else "subtitle"
        ET.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE, "value": role})
        if track.default and not track.forced:
            ET.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE, "value": "main"})
        representation = ET.SubElement(adaptation, "Representation", {"id": track.name, "bandwidth": str(_BANDWIDTH)})
        ET.SubElement(representation, "BaseURL").text = f"{presentation_id}/{track.name}/{SUBTITLES}"
