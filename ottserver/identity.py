"""Who is calling: what every room may know of the signed-in account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["owner", "admin", "member"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The account behind a valid access token."""

    account_id: str
    role: Role
    session_id: str
    """The refresh-token family that this access token belongs to: one signed-in device."""

    @property
    def manages(self) -> bool:
        """Owners and admins manage the catalog and need no plan."""
        return self.role in ("owner", "admin")
