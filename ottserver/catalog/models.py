"""Videos as values: what people know them by, and what is known of their pictures and sound."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ottserver.languages import language_tag, own_name
from ottserver.media import Chapter, Purpose  # noqa: TC001 - summaries are rebuilt from the types of their fields

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from ottserver.media import Extras, Presentation, SourceReport, TextTrack

Kind = Literal["film", "episode"]
Status = Literal["probing", "playable", "complete", "failed"]
_STATES: dict[str, Literal["ready", "image", "unknown"]] = {"text": "ready", "image": "image", "other": "unknown"}
WATCHABLE: tuple[Status, ...] = ("playable", "complete")


@dataclass(frozen=True, slots=True)
class Episode:
    """Where in which series a video is."""

    title: str
    season: int
    episode: int


@dataclass(frozen=True, slots=True)
class Details:
    """What administrators say of a video."""

    title: str
    description: str = ""
    kind: Kind = "film"
    genres: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    directors: tuple[str, ...] = ()
    year: int | None = None
    maturity: str | None = None
    series: Episode | None = None


@dataclass(frozen=True, slots=True)
class RenditionSummary:
    """One video rung or audio track."""

    name: str
    kind: Literal["video", "audio"]
    height: int
    """Pixels; 0 for audio."""
    width: int
    height_class: int
    """The class that plans speak of: 480, 720, 1080 or 2160; 0 for audio."""
    bandwidth: int
    """Peak bits a second."""
    segments: int


@dataclass(frozen=True, slots=True)
class AudioSummary:
    """One audio track that can be chosen."""

    name: str
    language: str
    label: str
    channels: int
    default: bool
    purpose: Purpose = ""


@dataclass(frozen=True, slots=True)
class SubtitleSummary:
    """One subtitle track, of the source or brought as a file of its own."""

    language: str
    label: str
    default: bool
    forced: bool
    hearing_impaired: bool = False
    codec: str = ""
    state: Literal["pending", "ready", "image", "unknown", "failed"] = "pending"
    """`pending`: it is being read; `image` and `unknown`: it cannot be shown here, for what it is made of."""
    name: str = ""
    """Path component of its address below a session's manifests, once it is ready."""
    added: bool = False
    """Whether it was brought as a file of its own."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the probe and the planner found."""

    renditions: tuple[RenditionSummary, ...] = ()
    audio: tuple[AudioSummary, ...] = ()
    subtitles: tuple[SubtitleSummary, ...] = ()
    chapters: tuple[Chapter, ...] = ()


@dataclass(frozen=True, slots=True)
class Video:
    """One video of the catalog."""

    id: str
    details: Details
    upload_id: str | None
    source_id: str | None
    """Nothing while its bytes are on their way."""
    status: Status
    reason: str | None
    presentation_id: str | None
    duration_seconds: float | None
    size_bytes: int | None
    summary: Summary
    poster_key: str | None
    backdrop_key: str | None
    created_at: datetime
    published_at: datetime | None
    pictures: int = 0
    """How many of the film's own there are to choose from."""
    chosen_poster_key: str | None = None
    chosen_backdrop_key: str | None = None

    @property
    def poster(self) -> str | None:
        """Blob key of the picture in lists: the chosen one, else the film's best."""
        return self.chosen_poster_key or self.poster_key

    @property
    def backdrop(self) -> str | None:
        """Blob key of the picture across the page: the chosen one, else the film's best."""
        return self.chosen_backdrop_key or self.backdrop_key

    @property
    def picture_folder(self) -> str:
        """What the film's own pictures were made from: the presentation in their keys."""
        return (self.poster_key or "//").split("/")[1]

    def picture_number(self, key: str | None) -> int | None:
        """Which of the pictures there are to choose from the key stands for; nothing when it is none of them."""
        numbers = range(self.pictures)
        names = {name: number for number in numbers for name in _names(number, self.picture_folder, self.id)}
        return names.get(key or "")

    @property
    def watchable(self) -> bool:
        """Whether it can be played now."""
        return self.status in WATCHABLE


@dataclass(frozen=True, slots=True)
class Category:
    """A genre that some watchable video has."""

    slug: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Encoding:
    """How far a source has come behind its probe, whatever facts have been read of it."""

    presentation: Presentation | None = None
    """Set once it can be played."""
    complete: bool = False
    reason: str | None = None
    """Why it cannot be encoded."""
    poster_key: str | None = None
    backdrop_key: str | None = None
    extras: Extras | None = None
    """What was read or brought beside its segments, where anything was."""


def _names(number: int, folder: str, video_id: str) -> list[str]:
    names = [f"{place}-{number}" for place in ("poster", "backdrop")]
    made = [f"artwork/{folder}/{name}.jpg" for name in names]
    return made + [f"artwork/{video_id}/{name}-{folder}.jpg" for name in names]


def slug(genre: str) -> str:
    """The genre as part of an address: letters, marks and digits of any script, parted by hyphens; may be empty."""
    folded = unicodedata.normalize("NFKC", genre).casefold()
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" else "-" for c in folded)
    return "-".join(part for part in kept.split("-") if part)


def with_report(summary: Summary, report: SourceReport) -> Summary:
    """The summary with what only the probe knows."""
    if summary.subtitles:
        return Summary(summary.renditions, summary.audio, summary.subtitles, report.chapters)
    subtitles = tuple(
        SubtitleSummary(
            language=(tag := language_tag(s.language)),
            label=s.title or own_name(tag),
            default=s.default,
            forced=s.forced,
            hearing_impaired=s.hearing_impaired,
            codec=s.codec,
        )
        for s in report.subtitles
    )
    return Summary(summary.renditions, summary.audio, subtitles, report.chapters)


def with_extras(summary: Summary, extras: Extras) -> Summary:
    """The summary with what was read, or brought, beside the film's segments."""
    own = tuple(one for one in summary.subtitles if not one.added)
    if extras.text is not None:
        own = tuple(_subtitle(track, added=False) for track in extras.text)
    elif "subtitles" in dict(extras.failed):
        own = tuple(replace(one, state="failed") for one in own)
    added = tuple(_subtitle(track, added=True) for track in extras.added)
    return Summary(summary.renditions, summary.audio, (*own, *added), summary.chapters)


def _subtitle(track: TextTrack, *, added: bool) -> SubtitleSummary:
    return SubtitleSummary(
        language=track.language,
        label=track.label,
        default=track.default,
        forced=track.forced,
        hearing_impaired=track.hearing_impaired,
        codec=track.codec,
        state=_STATES[track.kind],
        name=track.name if track.kind == "text" else "",
        added=added,
    )


def with_presentation(summary: Summary, presentation: Presentation) -> Summary:
    """The summary with what the planner laid out; an original beside the ladder is no quality of its own."""
    renditions = tuple(
        RenditionSummary(r.name, r.kind, r.height, r.width, r.height_class, r.bandwidth, r.segments)
        for r in (*presentation.video, *presentation.audio)
    )
    audio = tuple(
        AudioSummary(r.name, r.language, r.label, r.channels, r.default, r.purpose) for r in presentation.audio
    )
    return Summary(renditions, audio, summary.subtitles, summary.chapters)


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """The names in their order, each once, whatever its capitals."""
    return tuple({name.casefold(): name for name in reversed(list(names))}.values())[::-1]
