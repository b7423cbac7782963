"""Password hashes, off the event loop: bcrypt over HMAC-SHA-256, passlib's `bcrypt_sha256`, for any length."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from passlib.context import CryptContext

from ottserver.errors import Busy
from ottserver.machine import step_back

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 2
WAITING_LIMIT = 50
RETRY_SECONDS = 5.0

T = TypeVar("T")


class PasswordHasher:
    """Hashes and checks passwords in two threads; more than 50 waiting are refused rather than kept waiting."""

    def __init__(self, rounds: int) -> None:
        """`rounds` is the binary logarithm of a new hash's work; older hashes keep theirs until the next sign-in."""
        self._context = CryptContext(["bcrypt_sha256"], bcrypt_sha256__rounds=rounds)
        # Any well-formed hash costs what a real one costs, and no password is known to fit this one.
        self._nobody = f"$bcrypt-sha256$v=2,t=2b,r={rounds}${'.' * 22}${'.' * 31}"
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="password", initializer=step_back)
        self._jobs = 0

    async def hash(self, password: str) -> str:
        """A salted hash of the password. Raises `Busy`."""
        return await self._run(lambda: str(self._context.hash(password)))

    async def verify(self, password: str, known: str | None) -> tuple[bool, str | None]:
        """Whether the password fits the hash `known`, and a hash to keep instead where that one is weaker than today's.

        Without a hash the answer is no, after as long as with one: time does not tell which accounts exist.
        Raises `Busy`.
        """

        def check() -> tuple[bool, str | None]:
            fits, stronger = self._context.verify_and_update(password, known or self._nobody)
            return (bool(fits) and known is not None, stronger)

        return await self._run(check)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._jobs >= THREADS + WAITING_LIMIT:
            message = "Too many people are signing in at this moment; try again shortly."
            raise Busy(message, retry_after=RETRY_SECONDS)
        self._jobs += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._jobs -= 1

    async def close(self) -> None:
        """Finish the hashes in hand, drop those that wait, and end the threads."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
