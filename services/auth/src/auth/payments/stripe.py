"""Payments by Stripe. Its subscriptions carry our tenant's id, so that every event about one names it."""

import asyncio
from datetime import UTC, datetime

import stripe

from auth.errors.billing import InvalidSignature
from auth.model.billing import PaymentEvent, Plan, SubscriptionStatus
from servicekit.errors import DependencyUnavailable

TENANT = "docuchat_tenant_id"
TIMEOUT_SECONDS = 10
TOLERANCE_SECONDS = 300
MAX_RETRIES = 2
EVENTS = {"customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted"}
# https://docs.stripe.com/api/subscriptions/object: what has not been paid yet, or not any more, is no plan.
STATUSES = {
    "active": SubscriptionStatus.ACTIVE,
    "trialing": SubscriptionStatus.TRIALING,
    "past_due": SubscriptionStatus.PAST_DUE,
}


class StripePayments:
    """Payments; sessions come back to `return_url`. `base_address` is Stripe's own unless a test says otherwise."""

    def __init__(self, secret_key: str, webhook_secret: str, return_url: str, base_address: str = "") -> None:
        self._webhook_secret = webhook_secret
        self._return_url = return_url
        self._client = stripe.StripeClient(
            secret_key,
            max_network_retries=MAX_RETRIES,
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
            base_addresses={"api": base_address} if base_address else {},
        )

    async def create_checkout(self, tenant_id: str, plan: Plan, customer_id: str) -> str:
        """Returns the address of a page where a plan is bought. Raises DependencyUnavailable."""
        params: stripe.params.checkout.SessionCreateParams = {
            "mode": "subscription",
            "line_items": [{"price": plan.stripe_price_id, "quantity": 1}],
            "client_reference_id": tenant_id,
            "subscription_data": {"metadata": {TENANT: tenant_id}},
            "success_url": self._return_url,
            "cancel_url": self._return_url,
        }
        if customer_id:
            params["customer"] = customer_id
        try:
            session = await asyncio.to_thread(self._client.v1.checkout.sessions.create, params)
        except stripe.StripeError as error:
            raise DependencyUnavailable("stripe") from error
        return session.url or ""

    async def create_portal(self, customer_id: str) -> str:
        """Returns the address of a customer's own page. Raises DependencyUnavailable."""
        try:
            session = await asyncio.to_thread(
                self._client.v1.billing_portal.sessions.create,
                {"customer": customer_id, "return_url": self._return_url},
            )
        except stripe.StripeError as error:
            raise DependencyUnavailable("stripe") from error
        return session.url

    def read_event(self, payload: bytes, signature: str) -> PaymentEvent | None:
        """Returns a signed event about a subscription of ours; None for any other. Raises InvalidSignature."""
        try:
            event = stripe.Webhook.construct_event(payload, signature, self._webhook_secret, TOLERANCE_SECONDS)
        except (ValueError, stripe.SignatureVerificationError) as error:
            raise InvalidSignature from error
        subscription = event.data.object.to_dict()
        tenant_id = subscription.get("metadata", {}).get(TENANT, "")
        if event.type not in EVENTS or not tenant_id:
            return None
        item = subscription["items"]["data"][0]
        period_end = item.get("current_period_end") or subscription.get("current_period_end")
        return PaymentEvent(
            event_id=event.id,
            event_time=datetime.fromtimestamp(event.created, UTC),
            tenant_id=tenant_id,
            stripe_price_id=item["price"]["id"],
            status=STATUSES.get(subscription["status"], SubscriptionStatus.CANCELED),
            stripe_customer_id=subscription["customer"],
            stripe_subscription_id=subscription["id"],
            period_end_time=datetime.fromtimestamp(period_end, UTC) if period_end else None,
        )
