"""Plans and subscriptions over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from ottserver.clock import rfc3339
from ottserver.web.routing import Access, Call, NoBody, NoQuery, Reply, RequestModel, Route

if TYPE_CHECKING:
    from ottserver.billing.models import Plan, Subscription
    from ottserver.billing.service import BillingService


class Purchase(RequestModel):
    """A plan, and what it is to be paid with."""

    plan_id: Annotated[str, Field(min_length=1, max_length=32)]
    payment_method: Annotated[
        str,
        Field(min_length=1, max_length=200, pattern=r"^(sandbox|(stripe|razorpay):[!-~]+|card_[!-~]+)$", repr=False),
    ]


class PlanAnswer(BaseModel):
    """A plan on offer: `price` in whole units of the currency, `amount_minor` in its minor unit."""

    id: str
    name: str
    price: int
    currency: str
    amount_minor: int
    screens: int
    quality: str
    max_height: int

    @classmethod
    def of(cls, plan: Plan) -> PlanAnswer:
        """The answer that shows this plan."""
        return cls(
            id=plan.id,
            name=plan.name,
            price=plan.price,
            currency=plan.currency,
            amount_minor=plan.amount_minor,
            screens=plan.screens,
            quality=plan.quality,
            max_height=plan.max_height,
        )


class PlansAnswer(BaseModel):
    """Every plan, as the operator has put them in order."""

    plans: list[PlanAnswer]
    billing: bool
    """Whether a plan is needed at all: where billing is off every member has one."""
    for_sale: bool
    """Whether plans can be paid for here; else they are granted."""


class SubscriptionAnswer(BaseModel):
    """How the caller stands with a plan; `end_date` is absent where it does not end by itself."""

    plan_id: str | None
    status: Literal["none", "pending", "active", "past_due", "expired", "cancelled"]
    start_date: str | None
    end_date: str | None
    is_active: bool
    renews: bool

    @classmethod
    def of(cls, subscription: Subscription) -> SubscriptionAnswer:
        """The answer that shows this subscription."""
        return cls(
            plan_id=subscription.plan_id,
            status=subscription.status,
            start_date=rfc3339(subscription.start_date) if subscription.start_date else None,
            end_date=rfc3339(subscription.end_date) if subscription.end_date else None,
            is_active=subscription.is_active,
            renews=subscription.renews,
        )


def routes(service: BillingService) -> list[Route]:
    """The routes of plans and subscriptions."""

    async def plans(_call: Call[NoBody, NoQuery]) -> Reply:
        on_offer = [PlanAnswer.of(plan) for plan in service.plans]
        return Reply(PlansAnswer(plans=on_offer, billing=service.billing, for_sale=False))

    async def subscription(call: Call[NoBody, NoQuery]) -> Reply:
        return Reply(SubscriptionAnswer.of(await service.subscription(call.principal)))

    async def subscribe(call: Call[Purchase, NoQuery]) -> Reply:
        await service.subscribe(call.body.plan_id)

    return [
        Route(
            "GET",
            "/api/v1/subscriptions",
            plans,
            "The plans on offer",
            access=Access.PUBLIC,
            answer=PlansAnswer,
        ),
        Route("GET", "/api/v1/subscription", subscription, "The caller's own plan", answer=SubscriptionAnswer),
        Route(
            "POST",
            "/api/v1/subscribe",
            subscribe,
            "Subscribe to a plan; refused until payments are taken",
            body=Purchase,
            status=202,
            errors=(404, 409, 503),
        ),
    ]
