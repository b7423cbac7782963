"""Which audio renditions a source is offered in: stereo for every track, and 5.1 beside it where the source has it."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ottserver.languages import language_tag, own_name
from ottserver.transcode.models import Track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ottserver.media import AudioStream
    from ottserver.transcode.models import EncoderSettings

_AAC_RATES = frozenset({48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000})
_SURROUND = 6
_MOST = {2: 400_000, 6: 800_000}
# Bits a second up to which a source's own AAC is worth sending, by channels.
_LATEST_SECONDS = Fraction(15, 1000)
# So long after the picture a copy may begin: players that go by the playlist alone play it so much early.
_PEAK = Fraction(5, 4)
_BITS_PER_SAMPLE = 2.5
# AAC-LC has no use for more in a channel, and 8 kHz cannot carry 128 kbit/s at all.
_PURPOSES = {"": "", "commentary": "Commentary", "description": "Audio description", "clear": "Clear dialogue"}
_TECHNICAL = re.compile(
    r"\b(stereo|mono|surround|sound|track|audio|\d\.\d|\d+\s*(ch|hz|khz|kbps|kbit/s|kb/s)|e?-?ac-?3|dolby|digital|plus"
    r"|truehd|atmos|dts|hd|ma|x|aac|lc|he|mp3|flac|opus|vorbis|l?pcm)\b",
    re.IGNORECASE,
)


def tracks(streams: Sequence[AudioStream], settings: EncoderSettings, *, copy: bool = True) -> tuple[Track, ...]:
    """The tracks to make, the default one first: "a0", "a1" … in stereo, then "a0s" … in 5.1.

    With `copy`, AAC of the source takes the place of what would be encoded, where it is not needlessly large.
    """
    ordered = sorted(streams, key=lambda stream: not stream.default)
    labels = _labels(ordered)
    stereo = [
        _stereo(number, stream, label, settings.audio_bitrate)
        for number, (stream, label) in enumerate(zip(ordered, labels, strict=True))
    ]
    surround = [
        replace(
            track,
            name=f"{track.name}s",
            channels=_SURROUND,
            bitrate=_bitrate(settings.surround_bitrate, track.sample_rate, _SURROUND),
            default=False,
            beside=track.name,
        )
        for track, stream in zip(stereo, ordered, strict=True)
        if has_surround(stream)
    ]
    found = {stream.index: stream for stream in streams}
    made = (*stereo, *surround)
    return tuple(_copied(track, found[track.stream]) for track in made) if copy else made


def _copied(track: Track, stream: AudioStream) -> Track:
    aac = stream.aac
    if aac is None or stream.channels != track.channels or aac.bitrate > _MOST[track.channels]:
        return track
    if aac.phase > _LATEST_SECONDS * track.sample_rate:
        return track
    # Never less than encoded sound has: the places that were looked at may have been the quiet ones.
    bitrate, peak = max(aac.bitrate, track.bitrate), max(aac.peak, round(_PEAK * track.bitrate))
    return replace(track, copied=True, phase=aac.phase, bitrate=bitrate, peak=peak)


def has_surround(stream: AudioStream) -> bool:
    """Whether the track has all that 5.1 has: front pair, centre, LFE and a pair of surrounds."""
    places = set(stream.positions)
    return {"FL", "FR", "FC", "LFE"} <= places and ({"SL", "SR"} <= places or {"BL", "BR"} <= places)


def _labels(streams: Sequence[AudioStream]) -> list[str]:
    """What people choose by, each once: the title, else the language's own name; nothing where neither is known."""
    labels: list[str] = []
    taken: set[str] = set()
    for stream in streams:
        label = base = _label(stream)
        copies = 1
        while label and label.casefold() in taken:
            copies += 1
            label = f"{base} {copies}"
        taken.add(label.casefold())
        labels.append(label)
    return labels


def _label(stream: AudioStream) -> str:
    # "Surround 5.1" or "AC3" says nothing that one could choose a language by.
    if any(c.isalpha() for c in _TECHNICAL.sub("", stream.title)):
        return stream.title
    parts = (own_name(language_tag(stream.language)), _PURPOSES[stream.purpose])
    return " · ".join(part for part in parts if part)


def _stereo(number: int, stream: AudioStream, label: str, bitrate: int) -> Track:
    rate = stream.sample_rate
    if rate not in _AAC_RATES:
        rate = 44100 if rate % 44100 == 0 else 48000
    return Track(
        name=f"a{number}",
        stream=stream.index,
        source_rate=stream.sample_rate,
        sample_rate=rate,
        bitrate=_bitrate(bitrate, rate, 2),
        language=language_tag(stream.language),
        label=label,
        default=number == 0,
        purpose=stream.purpose,
    )


def _bitrate(bitrate: int, rate: int, channels: int) -> int:
    return min(bitrate, round(_BITS_PER_SAMPLE * rate * channels))
