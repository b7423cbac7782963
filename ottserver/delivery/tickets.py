"""Tickets: what lets one playback session fetch one video, signed so that no look-up is needed to believe it.

A ticket is 75 bytes, written as 100 characters of base64url (RFC 4648 section 5, no padding): key id, session, video,
presentation, expiry, greatest height, and the first 160 bits of an HMAC-SHA256 (RFC 2104) over all of it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import struct
import time
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Refusal(Enum):
    """Why a ticket does not open an address."""

    FORGED = "forged"
    EXPIRED = "expired"
    REVOKED = "revoked"
    OTHER_TITLE = "other title"
    ABOVE_PLAN = "above plan"


_PAYLOAD = struct.Struct(">B16s16s16sIH")
_MAC_BYTES = 20
_TEXT = re.compile(r"[A-Za-z0-9_-]{100}", re.ASCII)
SKEW_SECONDS = 300
"""How far apart the clocks of machines that share a secret may be."""
MEMO_LIMIT = 20_000
REVOCATIONS_LIMIT = 200_000
LIMITS_LIMIT = 50_000


class TicketRefused(Exception):
    """The ticket opens nothing. `reason` is for metrics and the log, never for whoever showed it."""

    def __init__(self, reason: Refusal) -> None:
        """Keep the reason."""
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a genuine ticket says."""

    session_id: str
    """The playback session (UUID) whose end also ends the ticket."""
    video_id: str
    presentation_id: str
    """32 hexadecimal digits."""
    expires_at: int
    """Seconds since 1970 (UTC) from which the ticket opens nothing."""
    max_height: int
    """Greatest height class in pixels that the plan includes."""


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key, and when tickets of it are believed: seconds since 1970."""

    id: int
    believed_from: int
    believed_until: int
    key: bytes


class KeyRing:
    """Signing keys that follow from one secret and the time: whoever shares the secret agrees without talking.

    A key signs for one period and is believed for one more: two are valid at any time. Signing changes over
    `SKEW_SECONDS` after believing does, so a machine whose clock is a little ahead signs nothing that others cannot
    check yet.
    """

    def __init__(self, secret: bytes, *, lifetime_seconds: int) -> None:
        """Derive keys from `secret` for tickets that live up to `lifetime_seconds`."""
        self._secret = secret
        self._period = max(24 * 3600, lifetime_seconds + 2 * SKEW_SECONDS)
        self._keys: dict[int, bytes] = {}

    def signing(self, now: float) -> tuple[int, bytes]:
        """Id (one byte) and key to sign with at `now`, seconds since 1970."""
        number = int(now - SKEW_SECONDS) // self._period
        return number & 0xFF, self._key(number)

    def checking(self, key_id: int, now: float) -> bytes | None:
        """The key of that id when it is one of the two believed at `now`, else nothing."""
        current = int(now) // self._period
        for number in (current, current - 1):
            if number & 0xFF == key_id:
                return self._key(number)
        return None

    def around(self, now: float) -> tuple[Key, ...]:
        """The two keys believed at `now`, and the one that is believed next: for those who check elsewhere."""
        current, period = int(now) // self._period, self._period
        return tuple(
            Key(number & 0xFF, number * period, (number + 2) * period, self._key(number))
            for number in (current - 1, current, current + 1)
        )

    def _key(self, number: int) -> bytes:
        key = self._keys.get(number)
        if key is None:
            self._keys = {n: k for n, k in self._keys.items() if n >= number - 2}
            context = b"ottserver media ticket" + number.to_bytes(8, "big")
            key = self._keys[number] = hmac.digest(self._secret, context, hashlib.sha256)
        return key


class Tickets:
    """Issues, checks and revokes tickets. No call waits for anything."""

    def __init__(self, secret: bytes, *, lifetime_seconds: int, now: Callable[[], float] = time.time) -> None:
        """Sign with keys made from `secret`; a ticket lives `lifetime_seconds`; `now` gives seconds since 1970."""
        self._keys = KeyRing(secret, lifetime_seconds=lifetime_seconds)
        self.lifetime_seconds = lifetime_seconds
        self._now = now
        self._known: dict[str, Ticket] = {}
        self._revoked: dict[str, float] = {}
        self._limits: dict[str, tuple[int, float]] = {}

    def issue(
        self, *, session_id: str, video_id: str, presentation_id: str, max_height: int, until: float | None = None
    ) -> str:
        """A ticket for one session, 100 URL-safe characters. Ids are UUIDs, the presentation's is 32 hex digits.

        `until`, in seconds since 1970, may end it before its time.
        """
        now = self._now()
        ends = int(now) + self.lifetime_seconds
        key_id, key = self._keys.signing(now)
        payload = _PAYLOAD.pack(
            key_id,
            uuid.UUID(session_id).bytes,
            uuid.UUID(video_id).bytes,
            bytes.fromhex(presentation_id),
            ends if until is None else min(ends, int(until)),
            max_height,
        )
        return urlsafe_b64encode(payload + _mac(key, payload)).decode()

    def verify(self, text: str) -> Ticket:
        """What the ticket says. Raises `TicketRefused` when it is not genuine, has expired or was revoked.

        A ticket found genuine is remembered, so the next check of it is a look-up; expiry and revocation are asked
        every time.
        """
        ticket = self._known.get(text)
        if ticket is None:
            ticket = self._open(text)
            if len(self._known) >= MEMO_LIMIT:
                del self._known[next(iter(self._known))]
            self._known[text] = ticket
        if ticket.expires_at <= self._now():
            self._known.pop(text, None)
            raise TicketRefused(Refusal.EXPIRED)
        if ticket.session_id in self._revoked:
            raise TicketRefused(Refusal.REVOKED)
        return self._limited(ticket) if self._limits else ticket

    def seconds_left(self, ticket: Ticket) -> int:
        """How long the ticket goes on opening anything, in whole seconds."""
        return max(0, ticket.expires_at - int(self._now()))

    def remembered(self, text: str) -> Ticket | None:
        """What a ticket that was found genuine before says while it still opens something, else nothing."""
        ticket = self._known.get(text)
        if ticket is None or ticket.expires_at <= self._now() or ticket.session_id in self._revoked:
            return None
        return self._limited(ticket) if self._limits else ticket

    def limit(self, session_id: str, max_height: int, *, after_seconds: float = 0.0) -> None:
        """Let the session's tickets open nothing above `max_height`, from `after_seconds` from now on.

        Kept, like a revocation, until the last of them would have expired, which the end of the session cannot outlive.
        """
        self._limits.pop(session_id, None)
        self._limits[session_id] = max_height, self._now() + after_seconds
        while len(self._limits) > LIMITS_LIMIT or (
            self._limits and self._limits[next(iter(self._limits))][1] + self.lifetime_seconds <= self._now()
        ):
            del self._limits[next(iter(self._limits))]

    def _limited(self, ticket: Ticket) -> Ticket:
        limit = self._limits.get(ticket.session_id)
        if limit is None or limit[0] >= ticket.max_height or limit[1] > self._now():
            return ticket
        return replace(ticket, max_height=limit[0])

    def revoke(self, session_id: str) -> None:
        """Refuse every ticket of the session from now on.

        Kept in memory until the last of them would have expired. Past `REVOCATIONS_LIMIT` the oldest goes, which has
        the least left.
        """
        now = self._now()
        self._revoked.pop(session_id, None)
        self._revoked[session_id] = now + self.lifetime_seconds
        self._limits.pop(session_id, None)
        while self._revoked:
            oldest = next(iter(self._revoked))
            if self._revoked[oldest] > now and len(self._revoked) <= REVOCATIONS_LIMIT:
                break
            del self._revoked[oldest]

    def _open(self, text: str) -> Ticket:
        if not _TEXT.fullmatch(text):
            raise TicketRefused(Refusal.FORGED)
        data = urlsafe_b64decode(text)
        payload, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        key = self._keys.checking(payload[0], self._now())
        if key is None or not hmac.compare_digest(_mac(key, payload), mac):
            raise TicketRefused(Refusal.FORGED)
        _, session, video, presentation, expires_at, max_height = _PAYLOAD.unpack(payload)
        return Ticket(
            str(uuid.UUID(bytes=session)), str(uuid.UUID(bytes=video)), presentation.hex(), expires_at, max_height
        )


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, payload, hashlib.sha256)[:_MAC_BYTES]
