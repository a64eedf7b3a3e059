"""Plans, payments and usage."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import grpc

from auth.billing.payments import Billing
from auth.billing.usage import UsageMeter
from auth.config import Settings
from auth.payments.stripe import StripePayments
from auth.servicers.plan import PlanServicer
from auth.servicers.usage import UsageServicer
from auth.stores.plans import PostgresPlanStore
from auth.stores.usage import PostgresUsageStore
from docuchat.auth.v1.plan_service_pb2_grpc import add_PlanServiceServicer_to_server
from docuchat.auth.v1.usage_service_pb2_grpc import add_UsageServiceServicer_to_server
from servicekit.database import Database


@dataclass(frozen=True)
class BillingFlows:
    """What is done about plans, payments and usage."""

    meter: UsageMeter
    billing: Billing
    clock: Callable[[], datetime]


def build_billing(settings: Settings, database: Database, clock: Callable[[], datetime]) -> BillingFlows:
    """Chooses an adapter for every port."""
    plans = PostgresPlanStore(database, settings.default_plan)
    return BillingFlows(
        UsageMeter(PostgresUsageStore(database), plans, clock),
        Billing(plans, make_payments(settings), settings.stripe_prices),
        clock,
    )


def make_payments(settings: Settings) -> StripePayments | None:
    """Returns what takes the money, where it is configured."""
    key, webhook = settings.stripe_secret_key, settings.stripe_webhook_secret
    if key is None or webhook is None:
        return None
    return StripePayments(key.get_secret_value(), webhook.get_secret_value(), settings.billing_return_url)


def add_billing_servicers(server: grpc.aio.Server, flows: BillingFlows) -> None:
    """Adds the services of plans and usage."""
    add_UsageServiceServicer_to_server(UsageServicer(flows.meter, flows.clock), server)
    add_PlanServiceServicer_to_server(PlanServicer(flows.billing), server)
