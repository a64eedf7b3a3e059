"""What tenants may use, and what they do."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

FREE = "free"


@dataclass(frozen=True)
class PlanLimits:
    """What a plan allows; 0 is no limit."""

    monthly_tokens: int = 0
    documents: int = 0
    storage_bytes: int = 0
    requests_per_minute: int = 0
    bots: int = 0


@dataclass(frozen=True)
class Plan:
    """What a tenant pays for, and may use."""

    plan_id: str
    display_name: str
    monthly_price_minor: int
    currency: str
    features: dict[str, object]
    limits: PlanLimits
    stripe_price_id: str = ""


class SubscriptionStatus(StrEnum):
    """How a subscription stands."""

    ACTIVE = "ACTIVE"
    TRIALING = "TRIALING"
    PAST_DUE = "PAST_DUE"
    CANCELED = "CANCELED"


@dataclass(frozen=True)
class Subscription:
    """Which plan a tenant has; the plan "free" where nothing was ever bought."""

    tenant_id: str
    plan: Plan
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE
    stripe_customer_id: str = ""
    period_end_time: datetime | None = None


@dataclass(frozen=True)
class PaymentEvent:
    """What the payment provider tells of a tenant's subscription."""

    event_id: str
    event_time: datetime
    tenant_id: str
    stripe_price_id: str
    status: SubscriptionStatus
    stripe_customer_id: str
    stripe_subscription_id: str
    period_end_time: datetime | None


class UsageKind(StrEnum):
    """What tokens were used for."""

    ANSWER = "ANSWER"
    DOCUMENT = "DOCUMENT"
    QUERY = "QUERY"


@dataclass(frozen=True)
class UsageEntry:
    """One call of a model; `cached_tokens` are among `input_tokens`."""

    usage_id: str
    tenant_id: str
    user_id: str
    api_key_id: str
    kind: UsageKind
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    end_time: datetime

    @property
    def tokens(self) -> int:
        """What it takes from the plan."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Reservation:
    """Tokens to set aside for a call until a time."""

    tenant_id: str
    usage_id: str
    tokens: int
    expire_time: datetime


@dataclass(frozen=True)
class Balance:
    """What a tenant has used in a month, and set aside at the moment."""

    used_tokens: int = 0
    reserved_tokens: int = 0


class Grouping(StrEnum):
    """By what usage is divided."""

    DAY = "DAY"
    USER = "USER"
    MODEL = "MODEL"
    API_KEY = "API_KEY"
    KIND = "KIND"


@dataclass(frozen=True)
class UsageQuery:
    """Which usage of a tenant to sum up: from `start_time` to before `end_time`; empty names mean all."""

    tenant_id: str
    start_time: datetime
    end_time: datetime
    group_by: frozenset[Grouping] = frozenset()
    user_id: str = ""
    model: str = ""


@dataclass(frozen=True)
class UsagePart:
    """A sum of usage; what it is not grouped by is empty."""

    day: str = ""
    user_id: str = ""
    provider: str = ""
    model: str = ""
    api_key_id: str = ""
    kind: UsageKind | None = None
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True)
class Quota:
    """How a tenant stands against its plan in this month."""

    plan_id: str
    limit: int
    balance: Balance
    reset_time: datetime

    @property
    def remaining(self) -> int:
        """Returns the tokens left, or -1 where there is no limit."""
        left = self.limit - self.balance.used_tokens - self.balance.reserved_tokens
        return max(0, left) if self.limit else -1


@dataclass(frozen=True)
class UsageReport:
    """The usage of a time, in parts and summed up, and the quota of today."""

    query: UsageQuery
    parts: tuple[UsagePart, ...]
    total: UsagePart
    quota: Quota
