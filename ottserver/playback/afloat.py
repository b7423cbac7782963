"""What this process remembers of films and sessions, for the time in which the database is away.

Nothing here is the truth while the database answers; what could not be written is written when it does again. A crash
during an outage loses what waits: players go on under their tickets, and the household's history has a gap.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ottserver.playback.models import NOTICED_SECONDS, resume_position
from ottserver.playback.store import HistoryStore, SessionStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ottserver.backends.database import Database, UnitOfWork
    from ottserver.media import Extras, Presentation
    from ottserver.playback.metrics import PlaybackMetrics
    from ottserver.playback.models import Session, Video

K = TypeVar("K")
V = TypeVar("V")

FILMS_LIMIT = 500
SESSIONS_LIMIT = 20_000
WAITING_LIMIT = 10_000
BATCH = 100


@dataclass(frozen=True, slots=True)
class Film:
    """All that has to be known of a film to play it."""

    video: Video
    presentation: Presentation
    extras: Extras


class Afloat:
    """Remembers, within bounds: what was used longest ago goes first."""

    def __init__(self, metrics: PlaybackMetrics) -> None:
        """Begin with nothing."""
        self._films: OrderedDict[str, Film] = OrderedDict()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._places: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._waiting: dict[str, Session] = {}
        self._metrics = metrics

    def keep_film(self, film: Film) -> None:
        """Remember a film that can be played."""
        _put(self._films, film.video.id, film, FILMS_LIMIT)

    def film(self, video_id: str) -> Film | None:
        """The film as it was, or nothing."""
        return self._films.get(video_id)

    def forget_film(self, video_id: str) -> None:
        """Remember the film no more: it cannot be played."""
        self._films.pop(video_id, None)

    def keep(self, session: Session) -> None:
        """Remember a session and where it stands."""
        _put(self._sessions, session.id, session, SESSIONS_LIMIT)
        if session.position >= NOTICED_SECONDS:
            _put(self._places, _viewer(session), session.position, SESSIONS_LIMIT)

    def session(self, session_id: str) -> Session | None:
        """The session as it was, or nothing."""
        return self._waiting.get(session_id) or self._sessions.get(session_id)

    def among(self, ids: Iterable[str]) -> list[Session]:
        """Those of the sessions that are remembered and have not ended."""
        found = (self.session(session_id) for session_id in ids)
        return [session for session in found if session is not None and session.ended_at is None]

    def forget(self, session_id: str) -> None:
        """Remember a session no more: it has ended."""
        self._sessions.pop(session_id, None)
        self._waiting.pop(session_id, None)
        self._metrics.waiting.set(len(self._waiting))

    def place(self, session: Session) -> float:
        """Where the session's viewer left off, as far as this process has seen."""
        return resume_position(self._places.get(_viewer(session), 0.0), session.duration_seconds)

    def defer(self, session: Session) -> bool:
        """Write the session when the database is back; false when too many wait already."""
        if session.id not in self._waiting and len(self._waiting) >= WAITING_LIMIT:
            return False
        self._waiting[session.id] = session
        self._metrics.waiting.set(len(self._waiting))
        self.keep(session)
        return True

    def is_waiting(self, session_id: str) -> bool:
        """Whether the session is to be written."""
        return session_id in self._waiting

    def granted(self) -> None:
        """A session began from what is remembered."""
        self._metrics.granted_from_memory.inc()

    def saved(self, session: Session) -> None:
        """The session has been written: what waits of it is older, unless it came later or ends it."""
        waiting = self._waiting.get(session.id)
        if waiting is not None and waiting.ended_at is None and waiting.last_seen_at <= session.last_seen_at:
            del self._waiting[session.id]
            self._metrics.waiting.set(len(self._waiting))

    async def settle(self, work: UnitOfWork, session_id: str) -> None:
        """Write what waits of one session, within the transaction."""
        if session := self._waiting.get(session_id):
            await _settle(work, session)

    async def write(self, database: Database) -> None:
        """Write what waits. Raises `Busy` while that is not possible; nothing is lost."""
        while self._waiting:
            async with database.writing() as work:
                batch = list(self._waiting.values())[:BATCH]  # by now some may be older than what has been written
                for session in batch:
                    await _settle(work, session)
            for session in batch:
                if self._waiting.get(session.id) is session:
                    del self._waiting[session.id]
            self._metrics.waiting.set(len(self._waiting))


async def _settle(work: UnitOfWork, session: Session) -> None:
    await SessionStore(work.connection).settle(session)
    if session.position >= NOTICED_SECONDS:
        await HistoryStore(work.connection).keep(session)


def _viewer(session: Session) -> tuple[str, str, str]:
    return session.account_id, session.profile_id, session.video_id


def _put(kept: OrderedDict[K, V], key: K, value: V, limit: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > limit:
        kept.popitem(last=False)
