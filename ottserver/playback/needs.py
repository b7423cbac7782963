"""What playback needs of other rooms; the composition root gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from ottserver.identity import Principal
    from ottserver.media import Extras, Presentation
    from ottserver.playback.models import Video


class Entitlement(Protocol):
    """What an account may play."""

    @property
    def max_height(self) -> int:
        """Greatest height class, in pixels."""
        ...

    @property
    def screens(self) -> int:
        """How many sessions at once."""
        ...

    @property
    def expires_at(self) -> datetime | None:
        """When it ends by itself; nothing when it does not."""
        ...


class Entitlements(Protocol):
    """What playback needs of billing."""

    async def entitlement(self, principal: Principal) -> Entitlement | None:
        """What the caller may play, or nothing without a plan. Raises `Busy` when that cannot be known now."""
        ...


class Standings(Protocol):
    """What playback needs of accounts and billing while players play."""

    async def entitlements(self, account_ids: Collection[str]) -> Mapping[str, Entitlement]:
        """What each account may play now, without those that may not; at most a few hundred at a time."""
        ...


class Catalog(Protocol):
    """What playback needs of the catalog."""

    async def video(self, video_id: str) -> Video:
        """The video, playable or not yet. Raises `NotFound`."""
        ...


class Presentations(Protocol):
    """What playback needs of transcode."""

    async def presentation(self, presentation_id: str) -> Presentation | None:
        """The presentation with that id, or nothing."""
        ...

    async def extras(self, presentation_id: str) -> Extras:
        """What there is beside its segments by now."""
        ...

    async def prompt(self, presentation_id: str, seconds: float) -> frozenset[str]:
        """Names of the video rungs that play at that second of the film without any encoding."""
        ...


class Tickets(Protocol):
    """What playback needs of delivery."""

    @property
    def lifetime_seconds(self) -> int:
        """For how long a ticket opens anything, and so a revocation has to be kept."""
        ...

    def issue(
        self, *, session_id: str, video_id: str, presentation_id: str, max_height: int, until: float | None = None
    ) -> str:
        """A signed ticket for the session; `until`, in seconds since 1970, may end it before its time."""
        ...

    def limit(self, session_id: str, max_height: int, *, after_seconds: float = 0.0) -> None:
        """Let the session's tickets open nothing above `max_height`, from `after_seconds` from now on."""
        ...

    def revoke(self, session_id: str) -> None:
        """Let the session's tickets open nothing any more."""
        ...
