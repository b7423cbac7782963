"""Rate limits by moving windows, per address, and the header fields that tell clients of them.

Fields after draft-ietf-httpapi-ratelimit-headers: RateLimit-Policy says quota and window, RateLimit what is left.
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from ottserver.errors import TooMany

POLICIES: dict[str, RateLimitItem] = {
    "sign-in": RateLimitItemPerMinute(60),
    "sign-up": RateLimitItemPerHour(300),
}
"""Sign-in is bounded by what a household behind one address does, not by what bcrypt could bear."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit after a request."""

    granted: bool
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

    def check(self) -> None:
        """Raise `TooMany` when the window was full."""
        if not self.granted:
            message = f"Too many tries; wait {self.reset_seconds} seconds."
            raise TooMany(message, retry_after=self.reset_seconds)


class RateLimits:
    """Counts requests by policy and address."""

    def __init__(self, *, on: bool) -> None:
        """Switched off, every request is let through and nothing is said."""
        self._on = on
        self._limiter = MovingWindowRateLimiter(MemoryStorage()) if on else None

    async def take(self, address: str | None, policy: str) -> Allowance | None:
        """Count one request from an IP address; nothing when limits are off."""
        if self._limiter is None:
            return None
        item = POLICIES[policy]
        key = (policy, household(address))
        granted = await self._limiter.hit(item, *key)
        window = await self._limiter.get_window_stats(item, *key)
        wait = max(1, round(window.reset_time - time.time()))
        return Allowance(granted, policy, item.amount, item.get_expiry(), window.remaining, wait)


def household(address: str | None) -> str:
    """Whom an address stands for: an IPv6 network of 64 bits is one customer, who may use every address in it."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
