"""Usage: set aside before a model is called, counted after it, shown to whoever pays."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from auth.billing.months import end_month, month_of
from auth.errors.billing import QuotaExceeded
from auth.model.billing import PlanLimits, Quota, Reservation, UsageEntry, UsagePart, UsageQuery, UsageReport
from auth.ports.billing import PlanStore, UsageStore

MAX_PARTS = 1000


class TenantTurns:
    """Lets one call of each tenant go on at a time."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, tenant_id: str) -> asyncio.Lock:
        """Returns the lock of a tenant, which lives as long as somebody has it."""
        return self._locks.setdefault(tenant_id, asyncio.Lock())


@dataclass(frozen=True)
class UsageMeter:
    """Holds what tenants use within their plans."""

    usage: UsageStore
    plans: PlanStore
    clock: Callable[[], datetime]
    turns: TenantTurns = field(default_factory=TenantTurns)

    async def reserve(self, tenant_id: str, usage_id: str, tokens: int, hold: timedelta) -> int:
        """Sets tokens aside and returns what is left after it, -1 without a limit. Raises QuotaExceeded."""
        plan = (await self.plans.find_subscription(tenant_id)).plan
        # The row would make them wait as well, each with a connection that every other tenant then waits for.
        async with self.turns.of(tenant_id):
            now = self.clock()
            limit, month = plan.limits.monthly_tokens, month_of(now)
            balance = await self.usage.reserve(Reservation(tenant_id, usage_id, tokens, now + hold), month, limit, now)
        if balance is None:
            raise QuotaExceeded(plan.plan_id, limit, now, end_month(now))
        return Quota(plan.plan_id, limit, balance, end_month(now)).remaining

    async def commit(self, entries: Sequence[UsageEntry]) -> int:
        """Counts calls that have ended, each once, and returns how many were new."""
        by_tenant: defaultdict[str, list[UsageEntry]] = defaultdict(list)
        for entry in entries:
            by_tenant[entry.tenant_id].append(entry)
        return sum([await self.usage.commit(tenant_id, found) for tenant_id, found in by_tenant.items()])

    async def report(self, query: UsageQuery) -> UsageReport:
        """Returns the usage of a time in parts, its sum, and the tenant's quota of today."""
        (total,) = await self.usage.sum_up(replace(query, group_by=frozenset()), 1)
        parts: Sequence[UsagePart] = await self.usage.sum_up(query, MAX_PARTS) if query.group_by else ()
        return UsageReport(query, tuple(parts), total, await self.find_quota(query.tenant_id))

    async def find_quota(self, tenant_id: str) -> Quota:
        """Returns how a tenant stands against its plan in this month."""
        now = self.clock()
        plan = (await self.plans.find_subscription(tenant_id)).plan
        balance = await self.usage.find_balance(tenant_id, month_of(now), now)
        return Quota(plan.plan_id, plan.limits.monthly_tokens, balance, end_month(now))

    async def find_limits(self, tenant_id: str) -> PlanLimits:
        """Returns what a tenant's plan allows."""
        return (await self.plans.find_subscription(tenant_id)).plan.limits
