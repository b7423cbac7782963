"""Plans, grants and entitlements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

Status = Literal["none", "pending", "active", "past_due", "expired", "cancelled"]

_UNDIVIDED = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
        *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
"""Currencies whose minor unit is not a hundredth (ISO 4217, table A.1)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Something that can be subscribed to."""

    id: str
    name: str
    price: int
    """Whole units of `currency`, for a month."""
    currency: str
    """ISO 4217 code."""
    quality: str
    """What `max_height` is called in the shop: 720p, 1080p, 4K."""
    max_height: int
    """Greatest height class, in pixels, that may be played."""
    screens: int
    """How many may play at once."""

    @property
    def amount_minor(self) -> int:
        """The price in the currency's minor unit, as payments count it."""
        if self.currency in _UNDIVIDED:
            return self.price
        return self.price * (1000 if self.currency in _THOUSANDTHS else 100)


@dataclass(frozen=True, slots=True)
class Grant:
    """A plan given to an account for nothing, from `starts_at` until just before `ends_at`."""

    id: str
    account_id: str
    plan_id: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What an account may play."""

    plan_id: str | None
    """Nothing for owners and admins, who need no plan."""
    max_height: int
    screens: int
    expires_at: datetime | None
    """When it ends by itself; nothing when it does not."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """How an account stands with its plan."""

    plan_id: str | None
    status: Status
    start_date: datetime | None = None
    end_date: datetime | None = None
    renews: bool = False

    @property
    def is_active(self) -> bool:
        """Whether the plan may be used now."""
        return self.status == "active"
