"""Plans and payments: shown to all, bought at the provider, believed when signed."""

import hashlib
import hmac
import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar
from urllib.parse import parse_qs
from uuid import uuid4

import asyncpg
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.timestamp_pb2 import Timestamp

from auth.billing.payments import Billing
from auth.errors.billing import BillingNotConfigured
from auth.payments.stripe import StripePayments
from docuchat.auth.v1 import auth_service_pb2, plan_service_pb2, usage_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from docuchat.auth.v1.plan_service_pb2_grpc import PlanServiceStub
from docuchat.auth.v1.usage_service_pb2_grpc import UsageServiceStub

from .conftest import WEBHOOK_SECRET
from .test_auth_servicers import refused, sign_up

NOW = int(time.time())


def describe(tenant_id, *, status="active", created=NOW, subscription="sub_1", event_id="", price="price_pro", kind=""):
    subscription = {
        "id": subscription,
        "object": "subscription",
        "customer": "cus_1",
        "status": status,
        "metadata": {"docuchat_tenant_id": tenant_id},
        "items": {"data": [{"price": {"id": price}, "current_period_end": NOW + 1000}]},
    }
    kind = kind or ("customer.subscription.deleted" if status == "canceled" else "customer.subscription.updated")
    return {
        "id": event_id or f"evt_{uuid4().hex}",
        "object": "event",
        "type": kind,
        "created": created,
        "data": {"object": subscription},
    }


def sign(payload, *, moment=None, secret=WEBHOOK_SECRET):
    moment = moment or int(time.time())
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


async def send(stack, event, signature=None):
    payload = json.dumps(event).encode()
    request = plan_service_pb2.ReceiveStripeEventRequest(event=HttpBody(data=payload))
    metadata = [("stripe-signature", sign(payload) if signature is None else signature)]
    await PlanServiceStub(stack.channel).ReceiveStripeEvent(request, metadata=metadata)


async def find_plan(stack, tenant_id):
    found = await stack.flows.billing.billing.find_subscription(tenant_id)
    return found.plan.plan_id, found.status.value


@pytest.fixture
async def made(stack):
    return await sign_up(stack)


async def test_anyone_may_read_the_price_list_and_everybody_begins_with_the_free_plan(stack, made):
    listed = (await PlanServiceStub(stack.channel).ListPlans(plan_service_pb2.ListPlansRequest())).plans
    assert [(plan.plan_id, plan.stripe_price_id) for plan in listed] == [
        ("enterprise", ""),
        ("free", ""),
        ("pro", "price_pro"),
    ]
    async with stack.channel_with(made.tokens.access_token) as channel:
        answer = await PlanServiceStub(channel).GetSubscription(plan_service_pb2.GetSubscriptionRequest())
    assert (answer.subscription.plan.plan_id, answer.subscription.tenant_id) == ("free", made.tenant.tenant_id)
    assert answer.subscription.plan.limits.monthly_tokens > 1_000_000


async def test_a_plan_that_was_paid_holds_until_it_is_canceled(stack, made):
    tenant_id = made.tenant.tenant_id
    await send(stack, describe(tenant_id))
    assert await find_plan(stack, tenant_id) == ("pro", "ACTIVE")
    await send(stack, describe(tenant_id, status="past_due", created=NOW + 1))
    assert await find_plan(stack, tenant_id) == ("pro", "PAST_DUE")
    await send(stack, describe(tenant_id, status="canceled", created=NOW + 2))
    assert await find_plan(stack, tenant_id) == ("free", "CANCELED")


@pytest.mark.parametrize(
    ("later", "plan"),
    [
        ({"status": "canceled", "created": NOW - 60}, "pro"),  # older than what is known
        ({"status": "canceled", "subscription": "sub_0", "created": NOW + 60}, "pro"),  # the end of what was replaced
        ({"price": "price_of_somebody_else", "created": NOW + 60}, "pro"),
        ({"kind": "invoice.created", "created": NOW + 60}, "pro"),
        ({"status": "incomplete", "created": NOW + 60}, "free"),  # not paid
    ],
)
async def test_disorder_changes_nothing_that_is_newer(stack, made, later, plan):
    await send(stack, describe(made.tenant.tenant_id))
    await send(stack, describe(made.tenant.tenant_id, **later))
    assert (await find_plan(stack, made.tenant.tenant_id))[0] == plan


async def test_an_event_that_comes_again_changes_nothing(stack, made):
    first = describe(made.tenant.tenant_id)
    await send(stack, first)
    await send(stack, describe(made.tenant.tenant_id, status="past_due"))
    await send(stack, first)
    assert await find_plan(stack, made.tenant.tenant_id) == ("pro", "PAST_DUE")


async def test_an_event_about_a_tenant_that_is_gone_is_taken(stack):
    await send(stack, describe(str(uuid4())))


@pytest.mark.parametrize(
    "make_signature",
    [
        lambda payload: "",
        lambda payload: "nonsense",
        lambda payload: sign(payload, secret="whsec_of_somebody_else"),
        lambda payload: sign(payload, moment=NOW - 3600),
        lambda payload: sign(payload + b" "),
    ],
    ids=["none", "malformed", "foreign", "old", "of another body"],
)
async def test_what_is_not_signed_is_refused(stack, made, make_signature):
    event = describe(made.tenant.tenant_id)
    error = await refused(send(stack, event, make_signature(json.dumps(event).encode())))
    assert (error.code, error.reason) == ("UNAUTHENTICATED", "INVALID_SIGNATURE")
    assert (await find_plan(stack, made.tenant.tenant_id))[0] == "free"


async def test_without_a_key_nothing_is_sold(stack, made):
    billing = Billing(stack.flows.billing.billing.plans)
    for call in (billing.begin_checkout("t", "pro"), billing.open_portal("t"), billing.take_event(b"{}", "")):
        with pytest.raises(BillingNotConfigured):
            await call


@pytest.mark.parametrize("plan_id", ["enterprise", "no-such-plan"])
async def test_a_plan_that_cannot_be_bought_is_not_found(stack, made, plan_id):
    async with stack.channel_with(made.tokens.access_token) as channel:
        request = plan_service_pb2.CreateCheckoutSessionRequest(plan_id=plan_id)
        assert (await refused(PlanServiceStub(channel).CreateCheckoutSession(request))).reason == "PLAN_NOT_FOUND"


async def test_who_never_bought_anything_has_no_page(stack, made):
    async with stack.channel_with(made.tokens.access_token) as channel:
        request = plan_service_pb2.CreatePortalSessionRequest()
        assert (await refused(PlanServiceStub(channel).CreatePortalSession(request))).reason == "NO_CUSTOMER"


class Stripe(BaseHTTPRequestHandler):
    """Answers like Stripe's API and remembers what it was asked."""

    asked: ClassVar[list] = []

    def do_POST(self):
        body = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        self.asked.append((self.path, body))
        answer = json.dumps({"id": "cs_1", "object": "checkout.session", "url": f"https://pay.example{self.path}"})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def provider():
    Stripe.asked = []
    server = HTTPServer(("127.0.0.1", 0), Stripe)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_checkout_and_portal_are_pages_of_the_provider(stack, made, provider):
    payments = StripePayments("sk_test", WEBHOOK_SECRET, "https://chat.example/", provider)
    billing = replace(stack.flows.billing.billing, payments=payments)
    tenant_id = made.tenant.tenant_id
    assert await billing.begin_checkout(tenant_id, "pro") == "https://pay.example/v1/checkout/sessions"
    await send(stack, describe(tenant_id))
    assert await billing.open_portal(tenant_id) == "https://pay.example/v1/billing_portal/sessions"
    checkout, portal = (body for _, body in Stripe.asked)
    assert checkout["line_items[0][price]"] == ["price_pro"]
    assert checkout["subscription_data[metadata][docuchat_tenant_id]"] == [tenant_id]
    assert portal["customer"] == ["cus_1"]


async def test_members_see_their_own_usage_and_administrators_all_of_it(stack, made):
    user_id, tenant_id = made.user.user_id, made.tenant.tenant_id
    issued = auth_service_pb2.IssueServiceTokenRequest(service_name="chat", service_secret="the secret of chat")
    token = (await AuthServiceStub(stack.channel).IssueServiceToken(issued)).access_token
    end_time = Timestamp()
    end_time.FromDatetime(datetime.now(UTC) - timedelta(seconds=5))
    entries = [
        usage_service_pb2.UsageEntry(
            usage_id=str(uuid4()), tenant_id=tenant_id, user_id=each, kind="ANSWER", provider="openai",
            model="m", input_tokens=100, output_tokens=10, end_time=end_time,
        )
        for each in (user_id, str(uuid4()))
    ]  # fmt: skip
    async with stack.channel_with(token) as channel:
        answer = await UsageServiceStub(channel).CommitUsage(usage_service_pb2.CommitUsageRequest(entries=entries))
        assert answer.counted == 2
    window = usage_service_pb2.GetUsageRequest(window="LAST_24_HOURS", group_by=["USER"])
    seen = {}
    for role in ("OWNER", "MEMBER"):
        await set_role(stack, user_id, role)
        tokens = await stack.users.log_in("ann@example.com", "violet tractor hums at dawn")
        async with stack.channel_with(tokens.access_token) as channel:
            seen[role] = await UsageServiceStub(channel).GetUsage(window)
    assert [seen[role].total.calls for role in ("OWNER", "MEMBER")] == [2, 1]
    assert [part.user_id for part in seen["MEMBER"].parts] == [user_id]
    assert seen["OWNER"].quota.used_tokens == 220


async def set_role(stack, user_id, role):
    connection = await asyncpg.connect(stack.database.admin_dsn)
    await connection.execute("UPDATE auth.memberships SET role = $1 WHERE user_id = $2", role, user_id)
    await connection.close()


async def test_only_services_reserve_and_commit(stack, made):
    request = usage_service_pb2.ReserveUsageRequest(
        tenant_id=made.tenant.tenant_id, usage_id=str(uuid4()), tokens=1, hold_seconds=60
    )
    async with stack.channel_with(made.tokens.access_token) as channel:
        assert (await refused(UsageServiceStub(channel).ReserveUsage(request))).reason == "ACCESS_DENIED"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"start_time": NOW, "end_time": NOW - 10}, "end_time"),
        ({"start_time": NOW - 500 * 86400}, "start_time"),
        ({"start_time": NOW - 10, "window": "LAST_7_DAYS"}, "window"),
    ],
)
async def test_a_time_that_cannot_be_is_refused(stack, made, fields, field):
    times = {name: Timestamp(seconds=value) for name, value in fields.items() if name != "window"}
    request = usage_service_pb2.GetUsageRequest(**times, window=fields.get("window"))
    async with stack.channel_with(made.tokens.access_token) as channel:
        error = await refused(UsageServiceStub(channel).GetUsage(request))
    assert error.reason == "INVALID_FIELD"
    assert error.message.startswith(field)
