"""Plans, subscriptions and usage."""

from sqlalchemy import BigInteger, Column, Date, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from auth.stores.tables import ID, METADATA, TIME

PLANS = Table(
    "plans",
    METADATA,
    Column("plan_id", Text, primary_key=True),
    Column("display_name", Text),
    Column("monthly_price_minor", BigInteger),
    Column("currency", Text),
    Column("features", JSONB),
    Column("monthly_tokens", BigInteger),
    Column("documents", BigInteger),
    Column("storage_bytes", BigInteger),
    Column("requests_per_minute", Integer),
    Column("bots", Integer),
    Column("stripe_price_id", Text),
)
SUBSCRIPTIONS = Table(
    "subscriptions",
    METADATA,
    Column("tenant_id", ID, primary_key=True),
    Column("plan_id", Text),
    Column("status", Text),
    Column("stripe_customer_id", Text),
    Column("stripe_subscription_id", Text),
    Column("period_end_time", TIME),
    # When what stands here happened, by the payment provider's clock.
    Column("event_time", TIME),
)
STRIPE_EVENTS = Table(
    "stripe_events",
    METADATA,
    Column("event_id", Text, primary_key=True),
    Column("receive_time", TIME),
)
USAGE_BALANCES = Table(
    "usage_balances",
    METADATA,
    Column("tenant_id", ID, primary_key=True),
    Column("month", Date, primary_key=True),
    Column("used_tokens", BigInteger),
)
USAGE_RESERVATIONS = Table(
    "usage_reservations",
    METADATA,
    Column("tenant_id", ID, primary_key=True),
    Column("usage_id", ID, primary_key=True),
    Column("tokens", BigInteger),
    Column("expire_time", TIME),
)
USAGE_ENTRIES = Table(
    "usage_entries",
    METADATA,
    Column("tenant_id", ID, primary_key=True),
    Column("usage_id", ID, primary_key=True),
    Column("user_id", ID),
    Column("api_key_id", ID),
    Column("kind", Text),
    Column("provider", Text),
    Column("model", Text),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("end_time", TIME),
)
