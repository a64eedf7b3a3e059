"""Plans, what tenants have of them, and what they use.

docuchat.price_list       every plan, to read
docuchat.tenant_id        the subscription, the balance, reservations and usage of one tenant
docuchat.stripe_customer  the subscription of one customer
docuchat.stripe_event     one event that was taken before, and those that are too old to come again
"""

from alembic import op

from servicekit.migrations import enable_row_security

revision = "0007"
down_revision = "0006"

TABLES = """
CREATE TABLE auth.plans (
    plan_id text PRIMARY KEY,
    display_name text NOT NULL,
    monthly_price_minor bigint NOT NULL CHECK (monthly_price_minor >= 0),
    currency text NOT NULL,
    features jsonb NOT NULL,
    monthly_tokens bigint NOT NULL CHECK (monthly_tokens >= 0),
    documents bigint NOT NULL CHECK (documents >= 0),
    storage_bytes bigint NOT NULL CHECK (storage_bytes >= 0),
    requests_per_minute integer NOT NULL CHECK (requests_per_minute >= 0),
    bots integer NOT NULL CHECK (bots >= 0),
    stripe_price_id text NOT NULL DEFAULT ''
);
CREATE TABLE auth.subscriptions (
    tenant_id uuid PRIMARY KEY REFERENCES auth.tenants ON DELETE CASCADE,
    plan_id text NOT NULL REFERENCES auth.plans,
    status text NOT NULL CHECK (status IN ('ACTIVE', 'TRIALING', 'PAST_DUE', 'CANCELED')),
    stripe_customer_id text NOT NULL DEFAULT '',
    stripe_subscription_id text NOT NULL DEFAULT '',
    period_end_time timestamptz,
    event_time timestamptz NOT NULL
);
CREATE UNIQUE INDEX subscriptions_by_customer ON auth.subscriptions (stripe_customer_id) WHERE stripe_customer_id <> '';
CREATE TABLE auth.stripe_events (
    event_id text PRIMARY KEY,
    receive_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stripe_events_by_time ON auth.stripe_events (receive_time);
CREATE TABLE auth.usage_balances (
    tenant_id uuid NOT NULL REFERENCES auth.tenants ON DELETE CASCADE,
    month date NOT NULL,
    used_tokens bigint NOT NULL,
    PRIMARY KEY (tenant_id, month)
);
CREATE TABLE auth.usage_reservations (
    tenant_id uuid NOT NULL REFERENCES auth.tenants ON DELETE CASCADE,
    usage_id uuid NOT NULL,
    tokens bigint NOT NULL CHECK (tokens >= 0),
    expire_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, usage_id)
);
CREATE TABLE auth.usage_entries (
    tenant_id uuid NOT NULL REFERENCES auth.tenants ON DELETE CASCADE,
    usage_id uuid NOT NULL,
    user_id uuid NOT NULL,
    api_key_id uuid,
    kind text NOT NULL CHECK (kind IN ('ANSWER', 'DOCUMENT', 'QUERY')),
    provider text NOT NULL,
    model text NOT NULL,
    input_tokens bigint NOT NULL CHECK (input_tokens >= 0),
    output_tokens bigint NOT NULL CHECK (output_tokens >= 0),
    cached_tokens bigint NOT NULL CHECK (cached_tokens >= 0),
    end_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, usage_id)
);
CREATE INDEX usage_entries_by_time ON auth.usage_entries (tenant_id, end_time);
INSERT INTO auth.plans VALUES
    ('free', 'Free', 0, 'EUR', '{"support": "community"}', 20000000, 10000, 10737418240, 6000, 10, ''),
    ('pro', 'Pro', 4900, 'EUR', '{"support": "mail"}', 200000000, 100000, 107374182400, 30000, 100, ''),
    ('enterprise', 'Enterprise', 0, 'EUR', '{"support": "personal"}', 0, 0, 0, 0, 0, '')
"""


def declared(name: str) -> str:
    return f"nullif(current_setting('docuchat.{name}', true), '')"


TENANT = f"tenant_id = {declared('tenant_id')}::uuid"
POLICIES = {
    "plans": f"{declared('price_list')} = 'open'",
    "subscriptions": f"{TENANT} OR stripe_customer_id = {declared('stripe_customer')}",
    "stripe_events": f"""event_id = {declared("stripe_event")}
        OR ({declared("stripe_event")} IS NOT NULL AND receive_time < now() - interval '30 days')""",
    "usage_balances": TENANT,
    "usage_reservations": TENANT,
    "usage_entries": TENANT,
}


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table, policy in POLICIES.items():
        enable_row_security(op, "auth", table, policy)


def downgrade() -> None:
    raise NotImplementedError("a backup is the way back")
