"""How far a run of segments may go: the server's side of a worker's leash."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ottserver.transcode.wire import Header


class Hold:
    """Whoever had a job begun tells its worker through this how far to go, before and while it is done."""

    def __init__(self, until: int | None = None) -> None:
        """Let the job make segments before index `until`; nothing: all that it names."""
        self.until = until
        self.stopped = False
        self.resting = False
        """Whether the worker has come so far and waits."""
        self._say: Callable[[Header], None] | None = None

    def attach(self, say: Callable[[Header], None] | None) -> None:
        """The worker at work can be told something with `say`; nothing: it no longer is."""
        self._say = say
        self.resting = False

    def extend(self, until: int) -> None:
        """Let the run go on up to `until`, where that is further than now."""
        if self.until is not None and until > self.until:
            self.until = until
            self._tell({"until": until})

    def stop(self) -> None:
        """End the job between two pictures. Again is no error."""
        if not self.stopped:
            self.stopped = True
            self._tell({"stop": True})

    def _tell(self, header: Header) -> None:
        self.resting = False
        if self._say is not None:
            self._say(header)
