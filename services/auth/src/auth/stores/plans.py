"""The price list and subscriptions in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.errors.accounts import TenantNotFound
from auth.errors.billing import PlanNotFound
from auth.model.billing import FREE, PaymentEvent, Plan, PlanLimits, Subscription, SubscriptionStatus
from auth.stores.tables.accounts import TENANTS
from auth.stores.tables.billing import PLANS, STRIPE_EVENTS, SUBSCRIPTIONS
from servicekit.database import Database

PRICE_LIST = {"price_list": "open"}
ENDED = SubscriptionStatus.CANCELED.value
# A tenant's own plan while it lasts, else the one that everybody has: one statement, since every reservation asks it.
FIND = (
    select(
        PLANS,
        SUBSCRIPTIONS.c.status,
        SUBSCRIPTIONS.c.stripe_customer_id,
        SUBSCRIPTIONS.c.period_end_time,
        SUBSCRIPTIONS.c.plan_id.label("bought"),
    )
    .select_from(
        PLANS.outerjoin(
            SUBSCRIPTIONS,
            SUBSCRIPTIONS.c.tenant_id == bindparam("tenant"),
        )
    )
    .where(
        (PLANS.c.plan_id == bindparam("default"))
        | ((PLANS.c.plan_id == SUBSCRIPTIONS.c.plan_id) & (SUBSCRIPTIONS.c.status != ENDED))
    )
    .order_by((PLANS.c.plan_id == SUBSCRIPTIONS.c.plan_id).desc().nulls_last(), PLANS.c.plan_id)
    .limit(1)
)


class PostgresPlanStore:
    """A PlanStore."""

    def __init__(self, database: Database, default_plan: str = FREE) -> None:
        self._database = database
        self._default_plan = default_plan

    async def list_plans(self) -> Sequence[Plan]:
        """Returns every plan, cheapest first."""
        query = select(PLANS).order_by(PLANS.c.monthly_price_minor, PLANS.c.plan_id).limit(100)
        async with self._database.transaction(**PRICE_LIST) as connection:
            return [read_plan(row) for row in await connection.execute(query)]

    async def find_subscription(self, tenant_id: str) -> Subscription:
        """Returns a tenant's subscription; to the default plan where there is none, or it has ended."""
        async with self._database.transaction(tenant_id=tenant_id, **PRICE_LIST) as connection:
            row = (await connection.execute(FIND, {"tenant": tenant_id, "default": self._default_plan})).one()
        status = SubscriptionStatus(row.status) if row.status else SubscriptionStatus.ACTIVE
        return Subscription(tenant_id, read_plan(row), status, row.stripe_customer_id or "", row.period_end_time)

    async def assign(self, tenant_id: str, plan_id: str, now: datetime) -> Subscription:
        """Gives a tenant a plan, until something newer is known of it. Raises TenantNotFound, PlanNotFound."""
        values = {"plan_id": plan_id, "status": SubscriptionStatus.ACTIVE.value, "event_time": now}
        statement = insert(SUBSCRIPTIONS).values(tenant_id=tenant_id, **values)
        async with self._database.transaction(tenant_id=tenant_id, **PRICE_LIST) as connection:
            if not await is_tenant(connection, tenant_id):
                raise TenantNotFound
            query = select(PLANS.c.plan_id).where(PLANS.c.plan_id == plan_id)
            if (await connection.execute(query)).one_or_none() is None:
                raise PlanNotFound(plan_id)
            await connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values))
        return await self.find_subscription(tenant_id)

    async def apply(self, event: PaymentEvent, plan_id: str) -> bool:
        """Stores what an event says of a tenant, unless it was taken before or something newer is known."""
        settings = {"tenant_id": event.tenant_id, "stripe_event": event.event_id}
        async with self._database.transaction(**settings) as connection:
            if not await is_tenant(connection, event.tenant_id):
                raise TenantNotFound
            if not await note_event(connection, event.event_id):
                return False
            return await store_subscription(connection, event, plan_id)


async def is_tenant(connection: AsyncConnection, tenant_id: str) -> bool:
    """Tells whether a tenant exists, and keeps it until the transaction ends."""
    query = select(TENANTS.c.tenant_id).where(TENANTS.c.tenant_id == tenant_id).with_for_update(key_share=True)
    return (await connection.execute(query)).one_or_none() is not None


async def note_event(connection: AsyncConnection, event_id: str) -> bool:
    """Remembers an event, and tells whether it is a new one; forgets those that are too old to come again."""
    events = STRIPE_EVENTS.c
    # Stripe repeats for three days at most; the policy opens nothing younger than thirty.
    await connection.execute(delete(STRIPE_EVENTS).where(events.event_id != event_id))
    statement = insert(STRIPE_EVENTS).values(event_id=event_id, receive_time=func.now()).on_conflict_do_nothing()
    return (await connection.execute(statement)).rowcount == 1


async def store_subscription(connection: AsyncConnection, event: PaymentEvent, plan_id: str) -> bool:
    """Stores a subscription unless something newer is known; tells whether it did."""
    values = {
        "plan_id": plan_id,
        "status": event.status.value,
        "stripe_customer_id": event.stripe_customer_id,
        "stripe_subscription_id": event.stripe_subscription_id,
        "period_end_time": event.period_end_time,
        "event_time": event.event_time,
    }
    is_newer = SUBSCRIPTIONS.c.event_time <= event.event_time
    if event.status is SubscriptionStatus.CANCELED:
        # The end of what was replaced says nothing of what replaced it.
        is_newer &= SUBSCRIPTIONS.c.stripe_subscription_id.in_(["", event.stripe_subscription_id])
    statement = insert(SUBSCRIPTIONS).values(tenant_id=event.tenant_id, **values)
    statement = statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values, where=is_newer)
    return (await connection.execute(statement)).rowcount == 1


def read_plan(row: Row[Any]) -> Plan:
    """Returns a row's plan."""
    limits = PlanLimits(row.monthly_tokens, row.documents, row.storage_bytes, row.requests_per_minute, row.bots)
    return Plan(
        row.plan_id,
        row.display_name,
        row.monthly_price_minor,
        row.currency,
        row.features,
        limits,
        row.stripe_price_id,
    )
