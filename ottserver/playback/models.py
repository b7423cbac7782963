"""Playback sessions and what was watched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from ottserver.media import TextTrack

State = Literal["playing", "paused", "ended"]
Reason = Literal["", "elsewhere", "screens", "plan", "signed-out", "disabled", "silent", "removed"]
"""Why a session has ended."""
VideoStatus = Literal["probing", "playable", "complete", "failed"]

NOTICED_SECONDS = 5.0
"""Less than this was a look, not a start: the film begins at its beginning next time."""
TAIL_SHARE = 0.05
TAIL_SECONDS = 30.0
SHORT_TAIL_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Video:
    """What the catalog says of a video that somebody wants to play."""

    id: str
    title: str
    status: VideoStatus
    reason: str = ""
    """Why it failed, as a sentence."""
    presentation_id: str = ""
    """Set once it is playable."""
    next_id: str = ""
    """The video that follows, such as the next episode, or nothing."""
    next_title: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """One player playing one video. Times of the film are seconds from its first frame."""

    id: str
    account_id: str
    profile_id: str
    """Household profile, or "" for the account itself."""
    video_id: str
    presentation_id: str
    title: str
    duration_seconds: float
    device: str
    """What plays, in words a person recognises."""
    screens: int
    """How many sessions the plan allowed at once when this one began."""
    started_at: datetime
    last_seen_at: datetime
    position: float
    state: State
    ended_at: datetime | None = None
    sign_in_id: str = ""
    """The signed-in device that began it; "" where that is not known."""
    max_height: int = 0
    """Greatest height class of the plan now; 0 where that is not known."""
    ended_reason: Reason = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """How far somebody got with a video."""

    video_id: str
    profile_id: str
    title: str
    position: float
    duration_seconds: float
    resume_at: float
    """Where to go on; 0 when there is nothing to go on with."""
    watched_at: datetime

    @property
    def finished(self) -> bool:
        """Whether it was watched to its end, credits aside."""
        return self.position >= tail_start(self.duration_seconds)


@dataclass(frozen=True, slots=True)
class Quality:
    """A height class, and the line that carries it with its sound, in bits a second."""

    height: int
    bandwidth: int


@dataclass(frozen=True, slots=True)
class Start:
    """What a player does well to begin with; from there on its own measurements decide."""

    height: int
    """Height class whose first picture needs no encoding, or the least."""
    bandwidth: int
    """The line to assume, in bits a second: enough for that class with its sound."""
    lower: tuple[Quality, ...] = ()
    """What a slower line begins with, the best first: classes that need no encoding either, and the least."""


@dataclass(frozen=True, slots=True)
class Original:
    """The source's own pictures, which the viewer's plan and player allow."""

    codecs: str
    """RFC 6381."""
    height: int
    """Class of the picture's height."""
    bandwidth: int
    """Peak bits a second, sound included."""


@dataclass(frozen=True, slots=True)
class Play:
    """A session that has begun."""

    session: Session
    ticket: str
    resume_at: float
    max_height: int
    video: Video
    start: Start
    subtitles: tuple[TextTrack, ...] = ()
    """Those that can be shown by now."""
    pictured: str = ""
    """Where pictures for the seek bar are by now, relative to the manifests; nothing while there are none."""
    original: Original | None = None


def tail_start(duration: float) -> float:
    """From where on a film of `duration` seconds counts as watched: its last 5 %, or 30 s where that is more.

    Of a clip shorter than five minutes 30 s would be too much: there it is the last tenth.
    """
    return duration - max(TAIL_SHARE * duration, min(TAIL_SECONDS, SHORT_TAIL_SHARE * duration))


def resume_position(position: float, duration: float) -> float:
    """Where to go on in a film that was left at `position`: there, or 0 when it was hardly begun or as good as over."""
    return position if NOTICED_SECONDS <= position < tail_start(duration) else 0.0


_PLAYERS = (
    ("Edge", r"Edg(e|A|iOS)?/"),
    ("Opera", r"OPR/"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"(Firefox|FxiOS)/"),
    ("Chrome", r"(Chrome|Chromium|CriOS)/"),
    ("Safari", r"Safari/"),
    ("VLC", r"VLC"),
    ("Kodi", r"Kodi"),
    ("mpv", r"mpv"),
    ("ExoPlayer", r"ExoPlayer"),
    ("Apple player", r"AppleCoreMedia"),
    ("FFmpeg", r"Lavf"),
)
_SYSTEMS = (
    ("Apple TV", r"Apple ?TV|tvOS"),
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Fire TV", r"AFT[A-Z]"),
    ("a TV", r"SmartTV|SMART-TV|Tizen|Web0S|webOS|BRAVIA|Roku|GoogleTV|CrKey"),
    ("Android", r"Android"),
    ("ChromeOS", r"CrOS"),
    ("Windows", r"Windows"),
    ("a Mac", r"Macintosh|Mac OS X"),
    ("Linux", r"Linux|X11"),
)


def device_name(user_agent: str) -> str:
    """What a User-Agent header stands for, in a few words: "Firefox on Windows"."""
    player = next((name for name, pattern in _PLAYERS if re.search(pattern, user_agent)), "")
    system = next((name for name, pattern in _SYSTEMS if re.search(pattern, user_agent)), "")
    if player and system:
        return f"{player} on {system}"
    return player or system.removeprefix("a ") or "A player"
