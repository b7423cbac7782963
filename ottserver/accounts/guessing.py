"""Tries of a password, counted for each account: a guesser is stopped wherever it asks from, and the owner goes on.

Who has signed in before, from a browser (its cookie says so) or from a household (remembered for a month), is counted
apart from strangers: strangers who use up an account's tries shut each other out, not the owner (OWASP, "Slow down
online guessing attacks with device cookies"). Whether the account exists is never asked: answers tell nothing of it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ottserver.accounts.models import email_key
from ottserver.accounts.tokens import derive_key
from ottserver.errors import Busy

if TYPE_CHECKING:
    from ottserver.backends.cache import Cache

POLICY = "guesses"
DEVICE_BYTES = 12
DEVICE_DAYS = 365
HOUSEHOLD_SECONDS = 30 * 86_400.0


class Windows(Protocol):
    """What counts, wherever that is."""

    async def admit(self, policy: str, whom: str) -> None:
        """Count one try. Raises `TooMany` when it is one too many."""
        ...

    async def forgive(self, policy: str, whom: str) -> None:
        """Forget the tries."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a try comes from."""

    household: str = ""
    """The network that stands for one customer."""
    device: str = ""
    """What an earlier sign-in with this browser left there."""


class Guesses:
    """Counts tries, and knows where an account has been signed in to before."""

    def __init__(self, windows: Windows, cache: Cache, secret: bytes) -> None:
        """`secret` signs what browsers keep, and hides addresses from the cache."""
        self._windows = windows
        self._cache = cache
        self._key = derive_key(secret, "ottserver password guesses")

    async def admit(self, email: str, origin: Origin) -> str:
        """Count one try; what to hand to `right` when the password was. Raises `TooMany`."""
        account = self._account(email)
        whom = await self._whom(account, origin)
        await self._windows.admit(POLICY, whom)
        return whom

    async def right(self, email: str, origin: Origin, whom: str) -> None:
        """The password was right: the tries before it were its owner's, and the household is known from now on."""
        await self._windows.forgive(POLICY, whom)
        if origin.household:
            with suppress(Busy):  # without the cache the household stays a stranger: signing in goes on
                await self._cache.put(_known(self._account(email), origin.household), b"1", HOUSEHOLD_SECONDS)

    def device(self, email: str) -> str:
        """What the browser is to keep after a sign-in."""
        mark = secrets.token_hex(DEVICE_BYTES)
        return f"{mark}.{self._signature(self._account(email), mark)}"

    async def _whom(self, account: str, origin: Origin) -> str:
        mark, _, signature = origin.device.partition(".")
        if signature and hmac.compare_digest(signature.encode(), self._signature(account, mark).encode()):
            return f"device {account} {mark}"
        if origin.household:
            with suppress(Busy):
                if await self._cache.get(_known(account, origin.household)) is not None:
                    return f"household {account} {origin.household}"
        return f"strangers {account}"

    def _account(self, email: str) -> str:
        return hmac.digest(self._key, b"account " + email_key(email).encode(), hashlib.sha256)[:16].hex()

    def _signature(self, account: str, mark: str) -> str:
        return hmac.digest(self._key, f"device {account} {mark}".encode(), hashlib.sha256)[:20].hex()


def _known(account: str, household: str) -> str:
    return f"signed-in {account} {household}"
