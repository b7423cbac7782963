"""The table of complimentary grants. Nothing else touches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ottserver.backends.database.schema import ID, UtcDateTime, metadata
from ottserver.billing.models import Grant

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

grants = sa.Table(
    "billing_grants",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("account_id", ID, nullable=False, index=True),
    sa.Column("plan_id", sa.String(32), nullable=False),
    sa.Column("starts_at", UtcDateTime, nullable=False),
    sa.Column("ends_at", UtcDateTime, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)
"""Prolonging a plan adds a row that starts where the last one ends; taking one back ends rows now."""


@dataclass(frozen=True, slots=True)
class GrantStore:
    """Grants as one connection sees them."""

    connection: AsyncConnection

    async def add(self, grant: Grant) -> None:
        """Keep a new grant."""
        values = {
            "id": grant.id,
            "account_id": grant.account_id,
            "plan_id": grant.plan_id,
            "starts_at": grant.starts_at,
            "ends_at": grant.ends_at,
            "created_at": grant.created_at,
        }
        await self.connection.execute(grants.insert().values(values))

    async def of_account(self, account_id: str, *, lock: bool = False) -> list[Grant]:
        """All grants of the account, oldest first; with `lock` none is added until the transaction ends."""
        query = sa.select(grants).where(grants.c.account_id == account_id).order_by(grants.c.id)
        if lock:
            query = query.with_for_update()
        rows = await self.connection.execute(query)
        return [Grant(row.id, row.account_id, row.plan_id, row.starts_at, row.ends_at, row.created_at) for row in rows]

    async def of_accounts(self, account_ids: Collection[str], at: datetime) -> list[Grant]:
        """The grants of these accounts that hold at that moment or later; at most a few hundred accounts at a time."""
        query = sa.select(grants).where(grants.c.account_id.in_(account_ids), grants.c.ends_at > at)
        rows = await self.connection.execute(query.order_by(grants.c.id))
        return [Grant(row.id, row.account_id, row.plan_id, row.starts_at, row.ends_at, row.created_at) for row in rows]

    async def cut(self, account_id: str, plan_id: str, at: datetime) -> int:
        """End the account's grants of a plan at that moment; how many there were."""
        mine = sa.and_(grants.c.account_id == account_id, grants.c.plan_id == plan_id, grants.c.ends_at > at)
        late = await self.connection.execute(grants.delete().where(mine, grants.c.starts_at >= at))
        held = await self.connection.execute(grants.update().where(mine).values(ends_at=at))
        return late.rowcount + held.rowcount

    async def erase(self, account_id: str) -> None:
        """Forget all grants of the account."""
        await self.connection.execute(grants.delete().where(grants.c.account_id == account_id))
