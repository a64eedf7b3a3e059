"""What the flows of plans and usage need from outside."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from auth.model.billing import Balance, PaymentEvent, Plan, Reservation, Subscription, UsageEntry, UsagePart, UsageQuery


class PlanStore(Protocol):
    """The price list, and what tenants have of it."""

    async def list_plans(self) -> Sequence[Plan]:
        """Returns every plan, cheapest first."""
        ...

    async def find_subscription(self, tenant_id: str) -> Subscription:
        """Returns a tenant's subscription; to the default plan where there is none, or it has ended."""
        ...

    async def apply(self, event: PaymentEvent, plan_id: str) -> bool:
        """Stores what an event says of a tenant, unless it was taken before or something newer is known.

        Returns whether it was stored. Raises TenantNotFound for a tenant that does not exist (any more).
        """
        ...


class Payments(Protocol):
    """Whoever takes the money."""

    async def create_checkout(self, tenant_id: str, plan: Plan, customer_id: str) -> str:
        """Returns the address of a page where a plan is bought; a customer is made where none is named."""
        ...

    async def create_portal(self, customer_id: str) -> str:
        """Returns the address of a customer's own page."""
        ...

    def read_event(self, payload: bytes, signature: str) -> PaymentEvent | None:
        """Returns a signed event; None for one that is of no interest. Raises InvalidSignature."""
        ...


class UsageStore(Protocol):
    """What models read and wrote, by tenant."""

    async def reserve(self, reservation: Reservation, month: date, limit: int, now: datetime) -> Balance | None:
        """Sets tokens aside if a month's limit has room for them (0 is no limit); None where it has not.

        One step that concurrent calls of a tenant wait for. What is not settled
        by its time does not count any more. Reserving a usage_id again sets that
        many aside instead; fewer always fit. Returns the balance after it.
        """
        ...

    async def commit(self, tenant_id: str, entries: Sequence[UsageEntry]) -> int:
        """Counts a tenant's entries, each usage_id once, and frees what was set aside for them.

        Returns how many were new.
        """
        ...

    async def find_balance(self, tenant_id: str, month: date, now: datetime) -> Balance:
        """Returns what a tenant used in a month and has set aside now."""
        ...

    async def sum_up(self, query: UsageQuery, limit: int) -> Sequence[UsagePart]:
        """Returns the parts of a query, latest day first, then most tokens; the sum alone if it is not divided."""
        ...
