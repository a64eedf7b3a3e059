"""Payments: a plan is bought at the provider, and what it tells of it is believed when it is signed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from auth.errors.accounts import TenantNotFound
from auth.errors.billing import BillingNotConfigured, NoCustomer, PlanNotFound
from auth.model.billing import Plan, Subscription
from auth.ports.billing import Payments, PlanStore
from servicekit.telemetry import count_event, get_logger


@dataclass(frozen=True)
class Billing:
    """Sells plans; without `payments` it only tells of them. `prices` are the plans' ids at the provider."""

    plans: PlanStore
    payments: Payments | None = None
    prices: Mapping[str, str] = field(default_factory=dict)

    async def list_plans(self) -> Sequence[Plan]:
        """Returns the price list, cheapest first."""
        plans = await self.plans.list_plans()
        return [replace(plan, stripe_price_id=self.prices.get(plan.plan_id, plan.stripe_price_id)) for plan in plans]

    async def find_subscription(self, tenant_id: str) -> Subscription:
        """Returns what a tenant has."""
        return await self.plans.find_subscription(tenant_id)

    async def begin_checkout(self, tenant_id: str, plan_id: str) -> str:
        """Returns where to pay for a plan. Raises BillingNotConfigured or PlanNotFound."""
        payments = self._require_payments()
        plan = next((each for each in await self.list_plans() if each.plan_id == plan_id), None)
        if plan is None or not plan.stripe_price_id:
            raise PlanNotFound(plan_id)
        subscription = await self.plans.find_subscription(tenant_id)
        return await payments.create_checkout(tenant_id, plan, subscription.stripe_customer_id)

    async def open_portal(self, tenant_id: str) -> str:
        """Returns the customer's own page. Raises BillingNotConfigured or NoCustomer."""
        payments = self._require_payments()
        subscription = await self.plans.find_subscription(tenant_id)
        if not subscription.stripe_customer_id:
            raise NoCustomer
        return await payments.create_portal(subscription.stripe_customer_id)

    async def take_event(self, payload: bytes, signature: str) -> None:
        """Believes a signed event, once and in the order of its making.

        Raises BillingNotConfigured or InvalidSignature. An event about a tenant that is gone,
        or a price that is not on the list, is taken and counted: sent again it would help nobody.
        """
        event = self._require_payments().read_event(payload, signature)
        if event is None:
            return
        plan_id = await self._find_plan_id(event.stripe_price_id)
        try:
            is_stored = bool(plan_id) and await self.plans.apply(event, plan_id)
        except TenantNotFound:
            is_stored = False
        count_event("billing.event", stored=str(is_stored))
        get_logger("billing").info("event", event_id=event.event_id, status=event.status.value, stored=is_stored)

    async def _find_plan_id(self, price_id: str) -> str:
        listed = {plan.stripe_price_id: plan.plan_id for plan in await self.list_plans() if plan.stripe_price_id}
        return listed.get(price_id, "")

    def _require_payments(self) -> Payments:
        if self.payments is None:
            raise BillingNotConfigured
        return self.payments
