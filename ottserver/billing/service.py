"""What accounts are entitled to, and how operators and plans change it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, Never

from ottserver.billing.models import Entitlement, Grant, Plan, Subscription
from ottserver.billing.store import GrantStore
from ottserver.clock import rfc3339, utcnow
from ottserver.errors import Busy, Conflict, FieldError, Invalid, NotFound
from ottserver.events import AccountDeleted, SubscriptionChanged
from ottserver.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ottserver.backends.database import Database
    from ottserver.identity import Principal, Role

MANAGERS = Entitlement(plan_id=None, max_height=2160, screens=32, expires_at=None)
"""Owners and admins play everything without a plan."""
MANAGING = frozenset[str](("owner", "admin"))
GRANT_DAYS_LIMIT = 36_500
GRANTED_AHEAD_LIMIT = timedelta(days=GRANT_DAYS_LIMIT)
KNOWN_LIMIT = 10_000
KNOWN_FOR = timedelta(days=1)
DATABASE_WAIT_SECONDS = 2.0
PAYMENTS_CLOSED_SECONDS = 3600.0


class BillingService:
    """Plans and who has one."""

    def __init__(self, database: Database, plans: tuple[Plan, ...], *, house_plan: str | None) -> None:
        """`house_plan` is the id of the plan that every member has where nothing is sold, else nothing."""
        self._database = database
        self.plans = plans
        self._by_id = {plan.id: plan for plan in plans}
        self._house_plan = None if house_plan is None else self._by_id[house_plan]
        self._known: OrderedDict[str, tuple[Entitlement, datetime]] = OrderedDict()

    @property
    def billing(self) -> bool:
        """Whether members need a plan of their own."""
        return self._house_plan is None

    async def entitlement(self, principal: Principal) -> Entitlement | None:
        """What the caller may play, or nothing without a plan.

        While the database does not answer, whoever it has said to be entitled within the last day still is, until the
        plan's end; about anybody else `Busy` is raised.
        """
        if principal.manages:
            return MANAGERS
        if self._house_plan:
            return _entitlement(self._house_plan, None)
        now = utcnow()
        try:
            async with asyncio.timeout(DATABASE_WAIT_SECONDS):
                granted = await self._grants(principal.account_id)
        except (Busy, TimeoutError) as error:
            known, until = self._known.get(principal.account_id, (None, now))
            if known and until > now:
                return known
            message = "Whether you have a plan cannot be looked up at the moment; try again shortly."
            raise Busy(message) from error
        return self._remember(principal.account_id, self._best(granted, now))

    async def entitlements(self, roles: Mapping[str, Role]) -> dict[str, Entitlement]:
        """What each account in its role may play, without those that may not; at most a few hundred at a time."""
        managing = dict.fromkeys((a for a, role in roles.items() if role in MANAGING), MANAGERS)
        members = roles.keys() - managing.keys()
        if self._house_plan:
            return {**managing, **dict.fromkeys(members, _entitlement(self._house_plan, None))}
        now = utcnow()
        async with self._database.reading() as connection:
            granted = await GrantStore(connection).of_accounts(members, now)
        best = {a: self._best([g for g in granted if g.account_id == a], now) for a in {g.account_id for g in granted}}
        return {**managing, **{account_id: found for account_id, found in best.items() if found}}

    async def _grants(self, account_id: str) -> list[Grant]:
        async with self._database.reading() as connection:
            return await GrantStore(connection).of_account(account_id)

    def _best(self, granted: list[Grant], now: datetime) -> Entitlement | None:
        """The greatest of the plans that hold now; each until the end of its grants, which follow one another."""
        active = [g for g in granted if g.starts_at <= now < g.ends_at and g.plan_id in self._by_id]
        best = max((self._by_id[g.plan_id] for g in active), key=_rank, default=None)
        if best is None:
            return None
        return _entitlement(best, max(g.ends_at for g in granted if g.plan_id == best.id))

    def _remember(self, account_id: str, entitlement: Entitlement | None) -> Entitlement | None:
        self._known.pop(account_id, None)
        if entitlement:
            until = utcnow() + KNOWN_FOR
            self._known[account_id] = entitlement, min(until, entitlement.expires_at or until)
            if len(self._known) > KNOWN_LIMIT:
                self._known.popitem(last=False)
        return entitlement

    async def subscription(self, principal: Principal) -> Subscription:
        """How the caller stands with a plan: the one that holds now, else the last one that did, else none."""
        if self._house_plan:
            return Subscription(self._house_plan.id, "active")
        now = utcnow()
        granted = await self._grants(principal.account_id)
        active = self._best(granted, now)
        if active:
            same_plan = [g for g in granted if g.plan_id == active.plan_id and g.ends_at > now]
            return Subscription(active.plan_id, "active", min(g.starts_at for g in same_plan), active.expires_at)
        if granted:
            last = max(granted, key=lambda g: g.ends_at)
            return Subscription(last.plan_id, "expired", last.starts_at, last.ends_at)
        return Subscription(None, "none")

    async def grant(self, account_id: str, plan_id: str, days: int) -> Grant:
        """Give the account a plan for `days` days, from now or from the end of what it has of that plan.

        Raises `NotFound` for an unknown plan, `Invalid` for too many days, `Conflict` after a century of it.
        """
        plan = self._plan(plan_id)
        if not 1 <= days <= GRANT_DAYS_LIMIT:
            message = f"A grant lasts 1 to {GRANT_DAYS_LIMIT} days."
            raise Invalid(message, errors=(FieldError("days", message),))
        now = utcnow()
        async with self._database.writing() as work:
            store = GrantStore(work.connection)
            ends = [g.ends_at for g in await store.of_account(account_id, lock=True) if g.plan_id == plan.id]
            start = max([now, *ends])
            if start - now > GRANTED_AHEAD_LIMIT:
                message = "The account has this plan for a hundred years already."
                raise Conflict(message)
            grant = Grant(new_id(), account_id, plan.id, start, start + timedelta(days=days), now)
            await store.add(grant)
            await work.announce(SubscriptionChanged(account_id, plan.id, "active"))
        return grant

    async def withdraw(self, account_id: str, plan_id: str) -> None:
        """Take a plan that was granted back, from now on. Raises `NotFound` where there is none to take back."""
        plan = self._plan(plan_id)
        async with self._database.writing() as work:
            if not await GrantStore(work.connection).cut(account_id, plan.id, utcnow()):
                message = f"The account does not have the plan {plan.name}."
                raise NotFound(message)
            await work.announce(SubscriptionChanged(account_id, plan.id, "cancelled"))

    async def changed(self, fact: SubscriptionChanged) -> None:
        """Remember no longer what the account was entitled to before. Doing it again does nothing."""
        self._known.pop(fact.account_id, None)

    async def subscribe(self, plan_id: str) -> Never:
        """Refuse to sell, in a sentence that says why.

        Raises `NotFound` for an unknown plan, `Conflict` where every member has one, else `Busy`: nothing can be paid.
        """
        plan = self._plan(plan_id)
        if self._house_plan:
            message = f"Nothing is sold here: every member has the plan {self._house_plan.name}."
            raise Conflict(message)
        message = f"The plan {plan.name} cannot be paid for yet; ask whoever runs this server to grant it."
        raise Busy(message, retry_after=PAYMENTS_CLOSED_SECONDS)

    def _plan(self, plan_id: str) -> Plan:
        plan = self._by_id.get(plan_id)
        if plan is None:
            message = f"There is no such plan; there are {', '.join(self._by_id)}."
            raise NotFound(message, errors=(FieldError("plan_id", message),))
        return plan

    async def erase(self, fact: AccountDeleted) -> None:
        """Forget the deleted account's grants. Doing it again does nothing."""
        async with self._database.writing() as work:
            await GrantStore(work.connection).erase(fact.account_id)
        self._known.pop(fact.account_id, None)

    async def export(self, account_id: str) -> object:
        """All that is held about the account, as JSON values."""
        return {
            "grants": [
                {
                    "grant_id": grant.id,
                    "plan_id": grant.plan_id,
                    "start_date": rfc3339(grant.starts_at),
                    "end_date": rfc3339(grant.ends_at),
                    "created_at": rfc3339(grant.created_at),
                }
                for grant in await self._grants(account_id)
            ]
        }


def _entitlement(plan: Plan, expires_at: datetime | None) -> Entitlement:
    return Entitlement(plan.id, plan.max_height, plan.screens, expires_at)


def _rank(plan: Plan) -> tuple[int, int]:
    return plan.max_height, plan.screens
