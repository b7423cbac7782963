"""The JSON shapes of the catalog, and how they are made of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

from ottserver.catalog.models import Episode, Kind, Status, SubtitleSummary
from ottserver.clock import rfc3339
from ottserver.media import Chapter, Purpose

if TYPE_CHECKING:
    from ottserver.catalog.browsing import Item, Row
    from ottserver.catalog.models import Category, Video
    from ottserver.media import Outlook

T = TypeVar("T")
DAMAGED_LIMIT = 20


class Listed(BaseModel, Generic[T]):
    """One page of a list."""

    results: list[T]
    total: int
    page: int
    has_more: bool


class ProgressAnswer(BaseModel):
    """How far somebody has watched, in seconds."""

    position: float
    duration: float


class Card(BaseModel):
    """A video in a list or a row."""

    video_id: str
    title: str
    kind: Kind
    year: int | None
    genres: list[str]
    duration_seconds: float | None
    thumbnail_url: str | None
    backdrop_url: str | None
    progress: ProgressAnswer | None = None


class RenditionFacts(BaseModel):
    """A quality that a video is there in."""

    name: str
    height: int
    width: int
    height_class: int
    bandwidth: int


class AudioFacts(BaseModel):
    """An audio track that can be chosen."""

    name: str
    language: str
    label: str
    channels: int
    default: bool
    purpose: Purpose
    """What it is for beside the film's own sound."""


class SeriesPlace(BaseModel):
    """Where in a series a video is; a series has no title id of its own yet."""

    title_id: str | None = None
    title: str
    season: int
    episode: int


class Described(BaseModel):
    """What everybody is told of a video."""

    video_id: str
    title: str
    description: str
    kind: Kind
    genres: list[str]
    actors: list[str]
    directors: list[str]
    year: int | None
    maturity: str | None
    status: Status
    duration_seconds: float | None
    thumbnail_url: str | None
    backdrop_url: str | None


class Metadata(Described):
    """All that a viewer can know of a video."""

    renditions: list[RenditionFacts]
    audio: list[AudioFacts]
    subtitles: list[SubtitleSummary]
    chapters: list[Chapter]
    series: SeriesPlace | None


class TitleAnswer(Metadata):
    """A title; a film's id is that of its video."""

    title_id: str


class RowAnswer(BaseModel):
    """A row of the home page, and why it is there."""

    id: str
    title: str
    reason: str
    items: list[Card]


class HomeAnswer(BaseModel):
    """The home page."""

    rows: list[RowAnswer]


class CategoryAnswer(BaseModel):
    """A genre and how many videos it has."""

    slug: str
    name: str
    count: int


class DamagedSegment(BaseModel):
    """A segment that could not be made, and why."""

    index: int
    reason: str


class RenditionProgress(BaseModel):
    """How many of a rendition's segments are stored."""

    name: str
    kind: str
    height: int
    """Its class; 0 for sound."""
    width: int
    lines: int
    """Pixels from the top to the bottom; 0 for sound."""
    ready: int
    total: int
    seconds_left: float | None
    """Until its last segment is made, as far as it can be told."""
    damaged: list[DamagedSegment]


class PictureFacts(BaseModel):
    """One of the film's pictures that can be its poster or its backdrop."""

    number: int
    poster_url: str
    backdrop_url: str


class AdminVideo(Described):
    """A video as administrators see it; `poster` and `backdrop` say which of its `pictures` are shown."""

    pictures: list[PictureFacts]
    poster: int | None
    backdrop: int | None
    chosen: list[str]
    """Those of "poster" and "backdrop" that somebody chose."""

    series: Episode | None
    reason: str | None
    renditions: list[RenditionProgress]
    made: float
    """Share of the encoding that is done, 0 to 1, by its cost; what is copied from the source is none of it."""
    seconds_left: float | None
    """Until all segments are made, as far as it can be told."""
    waits_for: str | None
    """Why nothing is being made of it at the moment."""
    size_bytes: int | None
    upload_id: str | None
    created_at: str
    published_at: str | None


class Added(BaseModel):
    """A video that has just been added."""

    video_id: str
    status: Status


def listed(results: list[T], total: int, page: int, limit: int) -> Listed[T]:
    """The list shape of the contract."""
    return Listed(results=results, total=total, page=page, has_more=page * limit < total)


def _url(key: str | None) -> str | None:
    return None if key is None else f"/api/v1/{key}"


def card(item: Item) -> Card:
    """A video in a row, with how far it has been watched."""
    video = item.video
    progress = None
    if item.position_seconds is not None and item.duration_seconds is not None:
        progress = ProgressAnswer(position=item.position_seconds, duration=item.duration_seconds)
    return Card(
        video_id=video.id,
        title=video.details.title,
        kind=video.details.kind,
        year=video.details.year,
        genres=list(video.details.genres),
        duration_seconds=video.duration_seconds,
        thumbnail_url=_url(video.poster),
        backdrop_url=_url(video.backdrop),
        progress=progress,
    )


def row_answer(row: Row) -> RowAnswer:
    """A row of the home page."""
    return RowAnswer(id=row.id, title=row.title, reason=row.reason, items=[card(item) for item in row.items])


def category_answer(category: Category) -> CategoryAnswer:
    """A genre."""
    return CategoryAnswer(slug=category.slug, name=category.name, count=category.count)


def _described(video: Video) -> Described:
    details = video.details
    return Described(
        video_id=video.id,
        title=details.title,
        description=details.description,
        kind=details.kind,
        genres=list(details.genres),
        actors=list(details.actors),
        directors=list(details.directors),
        year=details.year,
        maturity=details.maturity,
        status=video.status,
        duration_seconds=video.duration_seconds,
        thumbnail_url=_url(video.poster),
        backdrop_url=_url(video.backdrop),
    )


def metadata(video: Video) -> Metadata:
    """All that a viewer can know of the video."""
    summary, series = video.summary, video.details.series
    return Metadata(
        **dict(_described(video)),
        renditions=[
            RenditionFacts(
                name=r.name, height=r.height, width=r.width, height_class=r.height_class, bandwidth=r.bandwidth
            )
            for r in summary.renditions
            if r.kind == "video"
        ],
        audio=[
            AudioFacts(
                name=a.name,
                language=a.language,
                label=a.label,
                channels=a.channels,
                default=a.default,
                purpose=a.purpose,
            )
            for a in summary.audio
        ],
        subtitles=list(summary.subtitles),
        chapters=list(summary.chapters),
        series=None
        if series is None
        else SeriesPlace(title=series.title, season=series.season, episode=series.episode),
    )


def title_answer(video: Video) -> TitleAnswer:
    """The title that the video is."""
    return TitleAnswer(title_id=video.id, **dict(metadata(video)))


def admin_video(video: Video, ready: dict[str, tuple[int, int]], outlook: Outlook) -> AdminVideo:
    """The video as administrators see it; `ready` has segments stored and segments in all, by rendition name."""
    renditions = []
    for rendition in video.summary.renditions:
        done = rendition.segments if video.status == "complete" else ready.get(rendition.name, (0, 0))[0]
        renditions.append(
            RenditionProgress(
                name=rendition.name,
                kind=rendition.kind,
                height=rendition.height_class,
                width=rendition.width,
                lines=rendition.height,
                ready=done,
                total=rendition.segments,
                seconds_left=outlook.renditions.get(rendition.name),
                damaged=[
                    DamagedSegment(index=index, reason=reason)
                    for name, index, reason in outlook.damaged
                    if name == rendition.name
                ][:DAMAGED_LIMIT],
            )
        )
    return AdminVideo(
        **dict(_described(video)),
        pictures=[
            PictureFacts(
                number=number,
                poster_url=f"/api/v1/artwork/{video.picture_folder}/poster-{number}.jpg",
                backdrop_url=f"/api/v1/artwork/{video.picture_folder}/backdrop-{number}.jpg",
            )
            for number in range(video.pictures)
        ],
        poster=video.picture_number(video.poster),
        backdrop=video.picture_number(video.backdrop),
        chosen=[
            place
            for place, key in (("poster", video.chosen_poster_key), ("backdrop", video.chosen_backdrop_key))
            if key is not None
        ],
        series=video.details.series,
        reason=video.reason,
        renditions=renditions,
        made=1.0 if video.status == "complete" else outlook.made,
        seconds_left=outlook.seconds_left,
        waits_for=outlook.waits_for or None,
        size_bytes=video.size_bytes,
        upload_id=video.upload_id,
        created_at=rfc3339(video.created_at),
        published_at=None if video.published_at is None else rfc3339(video.published_at),
    )
