"""Rate limits by moving windows, per address, and the header fields that tell clients of them.

Fields after draft-ietf-httpapi-ratelimit-headers: RateLimit-Policy says quota and window, RateLimit what is left.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from ottserver.errors import TooMany

if TYPE_CHECKING:
    from aiohttp import web

POLICIES: dict[str, RateLimitItem] = {
    "sign-in": RateLimitItemPerMinute(60),
    "sign-up": RateLimitItemPerHour(300),
}
"""Sign-in is bounded by what a household behind one address does, not by what bcrypt could bear."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit after a request."""

    policy: str
    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        """The two header fields."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.limit};w={self.window_seconds}',
            "RateLimit": f'"{self.policy}";r={self.remaining};t={self.reset_seconds}',
        }


class RateLimits:
    """Counts requests by policy and address."""

    def __init__(self, *, on: bool) -> None:
        """Switched off, every request is let through and nothing is said."""
        self._on = on
        self._limiter = MovingWindowRateLimiter(MemoryStorage()) if on else None

    async def take(self, request: web.Request, policy: str) -> Allowance | None:
        """Count one request. Raises `TooMany` when the window is full."""
        if self._limiter is None:
            return None
        item = POLICIES[policy]
        key = (policy, request.remote or "unknown")
        allowed = await self._limiter.hit(item, *key)
        window = await self._limiter.get_window_stats(item, *key)
        wait = max(1, round(window.reset_time - time.time()))
        allowance = Allowance(policy, item.amount, item.get_expiry(), window.remaining, wait)
        if not allowed:
            message = f"Too many tries; wait {wait} seconds."
            raise TooMany(message, retry_after=wait)
        return allowance
