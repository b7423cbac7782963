"""Rate limits by moving windows, per address and per account, and the header fields that tell clients of them.

An address may stand for a household or a whole school, so it gets its quota for each of the people that may be behind
it; an account is one caller, wherever it calls from. Fields after draft-ietf-httpapi-ratelimit-headers:
RateLimit-Policy says quota and window, RateLimit what is left.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.strategies import MovingWindowRateLimiter

from ottserver.errors import TooMany
from ottserver.web.clients import household
from ottserver.web.counters import BoundedStorage, open_storage

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

EVERY = "api"
"""The policy of calls that have none of their own."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Quotas: of an address for each person behind it, and of an account."""

    person: RateLimitItem | None = None
    account: tuple[RateLimitItem, ...] = ()


POLICIES: dict[str, Policy] = {
    EVERY: Policy(RateLimitItemPerMinute(240), (RateLimitItemPerMinute(1200),)),
    "play": Policy(RateLimitItemPerMinute(6), (RateLimitItemPerMinute(60),)),
    "search": Policy(RateLimitItemPerMinute(30), (RateLimitItemPerMinute(240),)),
    "sign-in": Policy(RateLimitItemPerMinute(2)),
    "sign-up": Policy(RateLimitItemPerHour(6)),
    "password": Policy(RateLimitItemPerMinute(2), (RateLimitItemPerMinute(10, 15),)),
    "guesses": Policy(account=(RateLimitItemPerDay(100), RateLimitItemPerMinute(10, 15))),
}
"""`guesses` are tries of an account's password, which NIST SP 800-63B (section 5.2.2) wants bounded to 100 in a row."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit after a request."""

    granted: bool
    policy: str
    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: int

    def check(self) -> None:
        """Raise `TooMany` when the window was full."""
        if not self.granted:
            message = f"Too many tries; wait {self.reset_seconds} seconds."
            raise TooMany(message, retry_after=self.reset_seconds)


def fields(allowances: Sequence[Allowance]) -> dict[str, str]:
    """The two header fields, each a list with what every limit of the request says."""
    return {
        "RateLimit-Policy": ", ".join(f'"{a.policy}";q={a.limit};w={a.window_seconds}' for a in allowances),
        "RateLimit": ", ".join(f'"{a.policy}";r={a.remaining};t={a.reset_seconds}' for a in allowances),
    }


class RateLimits:
    """Counts requests by policy and by whoever makes them."""

    def __init__(self, *, on: bool, people: int = 1, storage_url: str = "memory://") -> None:
        """Switched off, every request is let through and nothing is said. `people` may be behind one address."""
        self._people = people
        self._limiter = MovingWindowRateLimiter(open_storage(storage_url)) if on else None
        self._meanwhile = MovingWindowRateLimiter(BoundedStorage())
        """Counts while a shared storage is away."""

    async def of_address(self, address: str, policy: str) -> list[Allowance]:
        """Count one request from an IP address; nothing when limits are off."""
        person = POLICIES[policy].person
        if self._limiter is None or person is None:
            return []
        item = type(person)(person.amount * self._people, person.multiples)
        return [await self._take(item, policy, "address", household(address))]

    async def of_account(self, whom: str, policy: str) -> list[Allowance]:
        """Count one request by an account, or by whatever else `whom` names; nothing when limits are off."""
        if self._limiter is None:
            return []
        taken = []
        for item in POLICIES[policy].account:
            taken.append(await self._take(item, f"{policy}-account", "account", whom))
            if not taken[-1].granted:
                break
        return taken

    async def admit(self, policy: str, whom: str) -> None:
        """Count one request by `whom`. Raises `TooMany` when it is one too many."""
        for allowance in await self.of_account(whom, policy):
            allowance.check()

    async def forgive(self, policy: str, whom: str) -> None:
        """Forget what `whom` has done."""
        if self._limiter is None:
            return
        for item in POLICIES[policy].account:
            await self._meanwhile.clear(item, f"{policy}-account", "account", whom)
            try:
                await self._limiter.clear(item, f"{policy}-account", "account", whom)
            except Exception:
                log.exception("the storage of rate limits is away")

    async def _take(self, item: RateLimitItem, policy: str, *key: str) -> Allowance:
        try:
            return await _count(self._limiter or self._meanwhile, item, policy, *key)
        except Exception:  # whatever a driver raises: whoever signs in must not depend on a counter
            log.exception("the storage of rate limits is away; this process counts alone")
            return await _count(self._meanwhile, item, policy, *key)


async def _count(limiter: MovingWindowRateLimiter, item: RateLimitItem, policy: str, *key: str) -> Allowance:
    granted = await limiter.hit(item, policy, *key)
    window = await limiter.get_window_stats(item, policy, *key)
    wait = max(1, round(window.reset_time - time.time()))
    return Allowance(granted, policy, item.amount, item.get_expiry(), window.remaining, wait)
