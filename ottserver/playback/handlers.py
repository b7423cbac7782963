"""Playing over HTTP: begin, heartbeat, end, history."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID  # noqa: TC003 - pydantic reads the annotation when the program runs

from aiohttp import hdrs, web
from pydantic import BaseModel, Field, FiniteFloat

from ottserver.clock import rfc3339
from ottserver.web.routing import Call, NoBody, NoQuery, Page, Reply, RequestModel, Route, Routes

if TYPE_CHECKING:
    from ottserver.playback.models import Original, Play, Watched
    from ottserver.playback.service import PlaybackService


_THUMBNAILS = "index.vtt"


class EndQuery(RequestModel):
    """Where the player stood when it was closed, in seconds: a page that goes has time for one request only."""

    position: Annotated[float, Field(ge=0)] | None = None


class ProfileQuery(RequestModel):
    """Whose viewing it is: a household profile, or the account itself."""

    profile: UUID | None = None

    @property
    def profile_id(self) -> str:
        """The profile, or "" for the account itself."""
        return str(self.profile) if self.profile else ""


class PlayQuery(ProfileQuery):
    """Who watches, and what the player decodes beside H.264 of the Baseline, Main and High profiles.

    `can` has beginnings of RFC 6381 names (hvc1.1, av01.0) or names of families (h264, hevc, vp9, av1), between commas.
    """

    can: Annotated[str, Field(max_length=512, pattern=r"^[A-Za-z0-9., ]*$")] = ""


class HistoryQuery(Page, ProfileQuery):
    """A page of one viewer's history."""


class Heartbeat(RequestModel):
    """Where the player stands, in seconds from the film's first frame."""

    position: Annotated[FiniteFloat, Field(ge=0)]
    state: Literal["playing", "paused", "ended"]


class NextVideo(BaseModel):
    """What follows."""

    video_id: str
    title: str


class SubtitleTrack(BaseModel):
    """A subtitle track as a WebVTT file of its own; both manifests list the same tracks."""

    name: str
    language: str
    label: str
    url: str
    default: bool
    forced: bool
    hearing_impaired: bool


class LowerQuality(BaseModel):
    """A height class, and the bits a second that carry it."""

    height: int
    bandwidth: int


class StartQuality(BaseModel):
    """With what a player does well to begin: the height class whose pictures come at once, and a line that carries it.

    `bandwidth` is in bits a second. A player that knows its line to be slower begins with the first of `lower` that it
    carries: those come as soon, but for the last, which is the least there is.
    """

    height: int
    bandwidth: int
    lower: list[LowerQuality]


class OriginalAnswer(BaseModel):
    """The source's own pictures in manifests of their own, offered where the plan and the player's `can` allow."""

    manifest_url: str
    dash_url: str
    codecs: str
    height: int
    bandwidth: int


class PlayAnswer(BaseModel):
    """A session that has begun, with all that a player needs. Whoever has its addresses can play them."""

    session_id: str
    presentation_id: str
    """Part of the address of everything below the manifests."""
    manifest_url: str
    dash_url: str
    heartbeat_seconds: float
    resume_at: float
    duration_seconds: float
    max_height: int
    start: StartQuality
    subtitles: list[SubtitleTrack] = []
    thumbnails_url: str | None = None
    next: NextVideo | None = None
    license_url: str | None = None
    original: OriginalAnswer | None = None


class HeartbeatAnswer(BaseModel):
    """How long the screen is held without another heartbeat; `saved` is false while positions cannot be written."""

    lease_seconds: float
    saved: bool
    thumbnails: str | None
    """Where the pictures for the seek bar are, relative to the manifests; nothing while there are none."""
    max_height: int | None
    """Greatest height class of the plan by now: above it the session's addresses soon open nothing."""


class WatchedEntry(BaseModel):
    """A video somebody has watched, wholly or in part."""

    video_id: str
    title: str
    position: float
    resume_at: float
    duration_seconds: float
    finished: bool
    watched_at: str


class HistoryAnswer(BaseModel):
    """One page of what was watched, the latest first."""

    results: list[WatchedEntry]
    total: int
    page: int
    has_more: bool


def routes(service: PlaybackService, *, public_url: str, heartbeat_seconds: float) -> Routes:
    """The routes of playback.

    Addresses of media are paths from the server's root, or absolute where `public_url` says what users type: so a
    player that was handed the address alone, such as a TV, reaches it too.
    """

    async def play(call: Call[NoBody, PlayQuery]) -> Reply:
        if call.request.method != hdrs.METH_GET:
            raise web.HTTPMethodNotAllowed(call.request.method, [hdrs.METH_GET])  # HEAD must not take a screen
        begun = await service.play(
            call.principal,
            call.path["video_id"],
            profile_id=call.query.profile_id,
            user_agent=call.request.headers.get(hdrs.USER_AGENT, ""),
            can=call.query.can,
        )
        return Reply(_begun(begun, public_url, heartbeat_seconds))

    async def heartbeat(call: Call[Heartbeat, NoQuery]) -> Reply:
        beat = await service.heartbeat(call.principal, call.path["session_id"], call.body.position, call.body.state)
        return Reply(
            HeartbeatAnswer(
                lease_seconds=beat.lease_seconds,
                saved=beat.saved,
                thumbnails=f"{beat.pictured}/{_THUMBNAILS}" if beat.pictured else None,
                max_height=beat.max_height,
            )
        )

    async def end(call: Call[NoBody, EndQuery]) -> Reply:
        await service.end(call.principal, call.path["session_id"], call.query.position)
        return Reply(status=204)

    async def history(call: Call[NoBody, HistoryQuery]) -> Reply:
        page, limit = call.query.page, call.query.limit
        found, total = await service.history(call.principal, call.query.profile_id, page=page, limit=limit)
        return Reply(
            HistoryAnswer(
                results=[_entry(watched) for watched in found], total=total, page=page, has_more=page * limit < total
            )
        )

    async def forget(call: Call[NoBody, ProfileQuery]) -> Reply:
        await service.forget(call.principal, call.query.profile_id, call.path["video_id"])
        return Reply(status=204)

    return [
        Route(
            "GET",
            "/api/v1/play/{video_id}",
            play,
            "Begin to play: takes one of the plan's screens",
            query=PlayQuery,
            answer=PlayAnswer,
            errors=(402, 404, 409, 503),
            limit="play",
        ),
        Route(
            "POST",
            "/api/v1/playback/{session_id}/heartbeat",
            heartbeat,
            "Keep the screen and remember the position",
            body=Heartbeat,
            answer=HeartbeatAnswer,
            errors=(404, 410, 503),
        ),
        Route(
            "DELETE",
            "/api/v1/playback/{session_id}",
            end,
            "End a session, from whichever device",
            query=EndQuery,
            status=204,
            errors=(404, 503),
        ),
        Route(
            "GET",
            "/api/v1/history",
            history,
            "What was watched",
            query=HistoryQuery,
            answer=HistoryAnswer,
            errors=(503,),
        ),
        Route(
            "DELETE",
            "/api/v1/history/{video_id}",
            forget,
            "Forget that a video was watched",
            query=ProfileQuery,
            status=204,
            errors=(404, 503),
        ),
    ]


def _begun(play: Play, public_url: str, heartbeat_seconds: float) -> PlayAnswer:
    base = f"{public_url}/media/{play.ticket}/{play.video.id}"
    following = NextVideo(video_id=play.video.next_id, title=play.video.next_title) if play.video.next_id else None
    return PlayAnswer(
        session_id=play.session.id,
        presentation_id=play.session.presentation_id,
        manifest_url=f"{base}/master.m3u8",
        dash_url=f"{base}/manifest.mpd",
        heartbeat_seconds=heartbeat_seconds,
        resume_at=play.resume_at,
        duration_seconds=play.session.duration_seconds,
        max_height=play.max_height,
        start=StartQuality.model_validate(asdict(play.start)),
        subtitles=[
            SubtitleTrack(
                name=track.name,
                language=track.language,
                label=track.label,
                url=f"{base}/{play.session.presentation_id}/{track.name}/subtitles.vtt",
                default=track.default,
                forced=track.forced,
                hearing_impaired=track.hearing_impaired,
            )
            for track in play.subtitles
        ],
        thumbnails_url=f"{base}/{play.pictured}/{_THUMBNAILS}" if play.pictured else None,
        next=following,
        original=None if play.original is None else _original(play.original, base),
    )


def _original(original: Original, base: str) -> OriginalAnswer:
    return OriginalAnswer(
        manifest_url=f"{base}/original.m3u8",
        dash_url=f"{base}/original.mpd",
        codecs=original.codecs,
        height=original.height,
        bandwidth=original.bandwidth,
    )


def _entry(watched: Watched) -> WatchedEntry:
    return WatchedEntry(
        video_id=watched.video_id,
        title=watched.title,
        position=watched.position,
        resume_at=watched.resume_at,
        duration_seconds=watched.duration_seconds,
        finished=watched.finished,
        watched_at=rfc3339(watched.watched_at),
    )
