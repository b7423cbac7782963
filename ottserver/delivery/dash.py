"""The DASH manifest of a presentation (ISO/IEC 23009-1, isoff-live profile, static): the playlists' boundaries."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby, pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # builds only; nothing is parsed here

from ottserver.delivery import text, tiles
from ottserver.delivery.ladder import rungs
from ottserver.delivery.paths import INIT, SEGMENT_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ottserver.media import Presentation, Rendition, Storyboard, TextTrack

_SCHEMA = "urn:mpeg:dash:schema:mpd:2011"
_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
_ROLE = "urn:mpeg:dash:role:2011"
_AUDIO_PURPOSE = "urn:tva:metadata:cs:AudioPurposeCS:2007"
_ROLES = {"commentary": "commentary", "description": "description", "clear": "enhanced-audio-intelligibility"}
_PURPOSES = {"description": "1", "clear": "2"}
# For the visually impaired and for the hard of hearing.
_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"


def mpd(
    presentation: Presentation,
    max_height: int,
    subtitles: Sequence[TextTrack] = (),
    board: Storyboard | None = None,
) -> bytes:
    """The MPD as UTF-8 XML, cut to a plan's greatest height class; its addresses are relative to its own."""
    video = rungs(presentation, max_height)
    renditions = (*video, *presentation.audio)
    root = ET.Element(
        "MPD",
        {
            "xmlns": _SCHEMA,
            "profiles": _PROFILE,
            "type": "static",
            "mediaPresentationDuration": _duration(_length(presentation)),
            "minBufferTime": _duration(max((_longest(rendition) for rendition in renditions), default=Fraction(0))),
        },
    )
    period = ET.SubElement(root, "Period", {"id": "0", "start": "PT0S"})
    if video:
        _video_set(period, presentation, video)
    for number, track in enumerate(presentation.audio, start=1):
        _audio_set(period, presentation, track, number)
    text.dash_sets(period, presentation.id, subtitles, len(presentation.audio) + 1, _plain)
    if board is not None:
        tiles.dash_set(period, presentation.id, board, len(presentation.audio) + len(subtitles) + 1)
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def _video_set(period: ET.Element, presentation: Presentation, video: tuple[Rendition, ...]) -> None:
    adaptation = ET.SubElement(
        period,
        "AdaptationSet",
        {
            "id": "0",
            "contentType": "video",
            "mimeType": "video/mp4",
            "segmentAlignment": "true",
            "startWithSAP": "1",
            "maxWidth": str(max(rung.width for rung in video)),
            "maxHeight": str(max(rung.height for rung in video)),
        },
    )
    ET.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE, "value": "main"})
    shared = len({(rung.timescale, rung.boundaries) for rung in video}) == 1
    if shared:
        _template(adaptation, presentation, video[0])
    for rung in video:
        representation = ET.SubElement(
            adaptation,
            "Representation",
            {
                "id": rung.name,
                "codecs": rung.codecs,
                "bandwidth": str(rung.bandwidth),
                "width": str(rung.width),
                "height": str(rung.height),
                "frameRate": rung.frame_rate.removesuffix("/1"),
            },
        )
        if not shared:
            _template(representation, presentation, rung)


def _audio_set(period: ET.Element, presentation: Presentation, track: Rendition, number: int) -> None:
    main = next((other for other in presentation.audio if other.default), presentation.audio[0])
    adaptation = ET.SubElement(
        period,
        "AdaptationSet",
        {
            "id": str(number),
            "contentType": "audio",
            "mimeType": "audio/mp4",
            "segmentAlignment": "true",
            "startWithSAP": "1",
            **({} if track.language == "und" else {"lang": _plain(track.language)}),
            # Of what a player is not told to choose, the default track in stereo, then any stereo, then 5.1.
            "selectionPriority": "1" if track.beside else "3" if track is main else "2",
        },
    )
    if label := _plain(f"{track.label} 5.1" if track.label and track.beside else track.label):
        ET.SubElement(adaptation, "Label").text = label
    if track.purpose in _PURPOSES:
        scheme = {"schemeIdUri": _AUDIO_PURPOSE, "value": _PURPOSES[track.purpose]}
        ET.SubElement(adaptation, "Accessibility", scheme)
    role = "main" if main.name in (track.name, track.beside) else _ROLES.get(track.purpose, "alternate")
    ET.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE, "value": role})
    _template(adaptation, presentation, track)
    representation = ET.SubElement(
        adaptation,
        "Representation",
        {
            "id": track.name,
            "codecs": track.codecs,
            "bandwidth": str(track.bandwidth),
            "audioSamplingRate": str(track.sample_rate),
        },
    )
    ET.SubElement(representation, "AudioChannelConfiguration", {"schemeIdUri": _CHANNELS, "value": str(track.channels)})


def _template(parent: ET.Element, presentation: Presentation, rendition: Rendition) -> None:
    template = ET.SubElement(
        parent,
        "SegmentTemplate",
        {
            "timescale": str(rendition.timescale),
            "presentationTimeOffset": "0",
            "startNumber": "0",
            "initialization": f"{presentation.id}/$RepresentationID$/{INIT}",
            "media": f"{presentation.id}/$RepresentationID$/$Number${SEGMENT_SUFFIX}",
        },
    )
    timeline = ET.SubElement(template, "SegmentTimeline")
    start = rendition.boundaries[0]
    lengths = (end - begin for begin, end in pairwise(rendition.boundaries))
    for duration, run in groupby(lengths):
        count = sum(1 for _ in run)
        attributes = {"d": str(duration)}
        if start == rendition.boundaries[0]:
            attributes = {"t": str(start), **attributes}
        if count > 1:
            attributes["r"] = str(count - 1)
        ET.SubElement(timeline, "S", attributes)
        start += duration * count


def _length(presentation: Presentation) -> Fraction:
    """Exact seconds of the presentation: its pictures', else its longest track's."""
    ends = [Fraction(r.boundaries[-1], r.timescale) for r in presentation.video or presentation.audio]
    return max(ends, default=Fraction(0))


def _longest(rendition: Rendition) -> Fraction:
    steps = (end - start for start, end in pairwise(rendition.boundaries))
    return Fraction(max(steps, default=0), rendition.timescale)


def _duration(seconds: Fraction) -> str:
    """An xs:duration to the microsecond, such as PT30.03S."""
    whole, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"PT{whole}.{micro:06d}".rstrip("0").rstrip(".") + "S"


def _plain(text: str) -> str:
    """The text without the control characters that XML 1.0 cannot hold."""
    return "".join(c for c in text if c.isprintable()).strip()
