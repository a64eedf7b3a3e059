"""PlanService at the RPC edge."""

from typing import Any

from grpc.aio import ServicerContext

from auth.billing.payments import Billing
from auth.convert import billing as convert
from docuchat.auth.v1 import plan_service_pb2
from docuchat.auth.v1.plan_service_pb2_grpc import PlanServiceServicer
from servicekit.identity import current_principal

Context = ServicerContext[Any, Any]
SIGNATURE = "stripe-signature"


class PlanServicer(PlanServiceServicer):
    """Tells of plans, and sells them."""

    def __init__(self, billing: Billing) -> None:
        self._billing = billing

    async def ListPlans(
        self, request: plan_service_pb2.ListPlansRequest, context: Context
    ) -> plan_service_pb2.ListPlansResponse:
        """Returns the price list."""
        return convert.to_plans_proto(await self._billing.list_plans())

    async def GetSubscription(
        self, request: plan_service_pb2.GetSubscriptionRequest, context: Context
    ) -> plan_service_pb2.GetSubscriptionResponse:
        """Returns what the caller's tenant has."""
        found = await self._billing.find_subscription(current_principal().tenant_id)
        return plan_service_pb2.GetSubscriptionResponse(subscription=convert.to_subscription_proto(found))

    async def CreateCheckoutSession(
        self, request: plan_service_pb2.CreateCheckoutSessionRequest, context: Context
    ) -> plan_service_pb2.CreateCheckoutSessionResponse:
        """Begins to buy a plan."""
        url = await self._billing.begin_checkout(current_principal().tenant_id, request.plan_id)
        return plan_service_pb2.CreateCheckoutSessionResponse(url=url)

    async def CreatePortalSession(
        self, request: plan_service_pb2.CreatePortalSessionRequest, context: Context
    ) -> plan_service_pb2.CreatePortalSessionResponse:
        """Opens the customer's page."""
        url = await self._billing.open_portal(current_principal().tenant_id)
        return plan_service_pb2.CreatePortalSessionResponse(url=url)

    async def ReceiveStripeEvent(
        self, request: plan_service_pb2.ReceiveStripeEventRequest, context: Context
    ) -> plan_service_pb2.ReceiveStripeEventResponse:
        """Takes what Stripe tells."""
        metadata = dict(context.invocation_metadata() or ())
        await self._billing.take_event(request.event.data, str(metadata.get(SIGNATURE, "")))
        return plan_service_pb2.ReceiveStripeEventResponse()
