"""Heartbeats are saved together: one transaction, and one wait for the disk, for all that came during the last.

Each is answered after it has been committed, so that a crash loses none that a player was told of; what takes longer
with many players is the transaction, not the line of those who wait for one (group commit).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ottserver.playback.models import NOTICED_SECONDS
from ottserver.playback.store import HistoryStore, SessionStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from ottserver.backends.database import Database
    from ottserver.playback.models import Session

GATHER_SECONDS = 0.005
"""Between two transactions, for as long as heartbeats keep coming."""
MOST = 500
"""Sessions in one transaction."""


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat is answered."""

    lease_seconds: float
    saved: bool
    """Whether the position is kept; when not, the next heartbeat brings a newer one."""
    pictured: str = ""
    """Where pictures for the seek bar are by now, relative to the manifests; nothing while there are none."""
    max_height: int | None = None
    """Greatest height class of the plan now, where that is known."""


class Beats:
    """What has come and is not saved yet; bounded by the requests that wait for it."""

    def __init__(self, database: Database, saved: Callable[[Session], None]) -> None:
        """Save in `database`; `saved` is told of each that is, before anybody else can write."""
        self._database = database
        self._saved = saved
        self._pending: dict[str, Session] = {}
        self._waiting: dict[str, list[asyncio.Future[Session | None]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def save(self, session: Session) -> Session | None:
        """Keep how far a session has got; its row then, which may have ended meanwhile, or nothing where it is gone.

        Raises `Busy` while the database is away.
        """
        saved = asyncio.get_running_loop().create_future()
        self._pending[session.id] = session
        self._waiting.setdefault(session.id, []).append(saved)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._save_all())
        row: Session | None = await saved
        return row

    async def close(self) -> None:
        """Wait until everything is saved."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _save_all(self) -> None:
        while self._pending:
            ids = list(self._pending)[:MOST]
            batch = [self._pending.pop(session_id) for session_id in ids]
            waiting = {session_id: self._waiting.pop(session_id) for session_id in ids}
            try:
                rows = await self._write(batch)
            except Exception as error:  # noqa: BLE001 - it is for those who wait to say
                for futures in waiting.values():
                    for future in futures:
                        if not future.done():
                            future.set_exception(error)
            else:
                for session_id, futures in waiting.items():
                    for future in futures:
                        if not future.done():
                            future.set_result(rows.get(session_id))
            await asyncio.sleep(GATHER_SECONDS)

    async def _write(self, batch: list[Session]) -> dict[str, Session]:
        async with self._database.writing() as work:
            rows = await SessionStore(work.connection).beat_all(batch)
            watched = [
                session
                for session in batch
                if (session.position >= NOTICED_SECONDS or session.state == "ended")
                and (row := rows.get(session.id)) is not None
                and row.ended_at is None
            ]
            await HistoryStore(work.connection).keep_all(watched)
        for session in batch:
            if (row := rows.get(session.id)) is not None and row.ended_at is None:
                self._saved(session)
        return rows
