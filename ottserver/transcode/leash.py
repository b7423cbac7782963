"""How far a worker may go with a run of segments, and whether it may go on at all. The worker's side."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ottserver.transcode.wire import Header, Inbox


class Stopped(Exception):
    """Nobody wants what the run makes any more."""


class Unbound:
    """No leash at all."""

    def check(self) -> None:
        """Go on."""

    def reach(self, index: int) -> None:
        """Go on to segment `index`."""


UNBOUND = Unbound()


class Leash(Unbound):
    """What the pool has said since the run began."""

    def __init__(self, inbox: Inbox, until: int | None, resting: Callable[[], None]) -> None:
        """The run may make segments before `until`; nothing: all. `resting` tells the pool that it waits."""
        self._inbox = inbox
        self._until = until
        self._resting = resting

    def check(self) -> None:
        """Raise `Stopped` when the run is to end. Never waits; cheap enough to be called for every picture."""
        try:
            while (header := self._inbox.poll()) is not None:
                self._obey(header)
        except EOFError:
            raise Stopped from None

    def reach(self, index: int) -> None:
        """Return once segment `index` may be made; raises `Stopped` when it never may."""
        self.check()
        if self._until is None or index < self._until:
            return
        self._resting()
        while self._until is not None and index >= self._until:
            header = self._inbox.read()
            if header is None:
                raise Stopped
            self._obey(header)

    def _obey(self, header: Header) -> None:
        if header.get("stop"):
            raise Stopped
        if "until" in header:
            self._until = header["until"]
