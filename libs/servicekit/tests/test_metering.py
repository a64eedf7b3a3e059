"""auth's meter over gRPC, and what goes on without it."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from docuchat.auth.v1 import usage_service_pb2 as pb
from docuchat.auth.v1.usage_service_pb2_grpc import UsageServiceServicer, add_UsageServiceServicer_to_server
from servicekit.errors import AppError, Code, DependencyUnavailable, QuotaViolation
from servicekit.metering import meter as metering
from servicekit.metering.allowance import TokenAllowance
from servicekit.metering.meter import GrpcUsageMeter
from servicekit.metering.model import TenantLimits, UsageEntry

TENANT, OTHER = str(uuid4()), str(uuid4())


class FakeAuth(UsageServiceServicer):
    """Answers, or fails with `error`."""

    def __init__(self):
        self.error = None
        self.asked = []

    async def _answer(self, request, response):
        self.asked.append(request)
        if self.error:
            raise self.error
        return response

    async def ReserveUsage(self, request, context):
        return await self._answer(request, pb.ReserveUsageResponse(remaining_tokens=1))

    async def CommitUsage(self, request, context):
        return await self._answer(request, pb.CommitUsageResponse())

    async def GetLimits(self, request, context):
        return await self._answer(request, pb.GetLimitsResponse(documents=7))


@pytest.fixture
def auth():
    return FakeAuth()


@pytest.fixture
async def meter(rpc, tokens, auth):
    def add(server):
        add_UsageServiceServicer_to_server(auth, server)

    async with rpc(name="auth", add_servicers=add, token=tokens.issue_service("chat")) as channel:
        yield GrpcUsageMeter(channel)


async def test_a_refusal_comes_through_with_what_it_says(meter, auth):
    reached = QuotaViolation("monthly_tokens", "The plan allows 10.")
    auth.error = AppError(Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", "Wait.", quota_violations=[reached])
    with pytest.raises(AppError) as raised:
        await meter.reserve(TENANT, str(uuid4()), 10, 60)
    assert (raised.value.reason, raised.value.quota_violations) == ("QUOTA_EXCEEDED", (reached,))


async def test_while_auth_is_away_a_tenant_has_trust_and_no_more(meter, auth, monkeypatch):
    monkeypatch.setattr(metering, "TOKENS_ON_TRUST", 100)
    auth.error = AppError(Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "away")
    auth.error.retried = True
    await meter.reserve(TENANT, str(uuid4()), 60, 60)
    with pytest.raises(DependencyUnavailable):
        await meter.reserve(TENANT, str(uuid4()), 60, 60)
    await meter.reserve(OTHER, str(uuid4()), 60, 60)
    auth.error = None
    await meter.reserve(TENANT, str(uuid4()), 60, 60)
    auth.error = AppError(Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "away")
    await meter.reserve(TENANT, str(uuid4()), 60, 60)


async def test_limits_are_asked_once_in_half_a_minute_and_kept_while_auth_is_away(meter, auth):
    now = 0.0
    meter._clock = lambda: now
    assert [await meter.find_limits(TENANT) for _ in range(3)] == [TenantLimits(documents=7)] * 3
    assert len(auth.asked) == 1
    auth.error = AppError(Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "away")
    now = 31.0
    assert await meter.find_limits(TENANT) == TenantLimits(documents=7)
    assert await meter.find_limits(OTHER) == TenantLimits()


async def test_an_entry_arrives_whole(meter, auth):
    entry = UsageEntry(str(uuid4()), TENANT, OTHER, "ANSWER", "openai", "m", 3, 2, datetime.now(UTC), cached_tokens=1)
    await meter.commit([entry])
    (sent,) = auth.asked[0].entries
    assert (sent.usage_id, sent.kind, sent.input_tokens, sent.cached_tokens) == (entry.usage_id, pb.ANSWER, 3, 1)
    assert sent.end_time.ToDatetime(UTC) == entry.end_time


class Ledger:
    """A Meter with a plan of `tokens`."""

    def __init__(self, tokens=10**9):
        self.left = tokens
        self.reserved = {}
        self.counted = []
        self.failures = []

    async def reserve(self, tenant_id, usage_id, tokens, hold_seconds):
        if tokens > self.left - sum(self.reserved.values()):
            raise AppError(Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", "No more.")
        self.reserved[usage_id] = tokens

    async def commit(self, entries):
        if self.failures:
            raise self.failures.pop()
        for entry in entries:
            self.reserved.pop(entry.usage_id, None)
            self.left -= entry.input_tokens
        self.counted += entries


async def test_many_small_calls_are_one_reservation_and_one_report_for_each_user():
    ledger = Ledger()
    allowance = TokenAllowance(ledger, "a-model")
    for _ in range(50):
        await allowance.spend(TENANT, "ann", 7)
        await allowance.spend(TENANT, "bob", 3)
    assert len(ledger.reserved) == 1
    await allowance.flush()
    assert {entry.user_id: entry.input_tokens for entry in ledger.counted} == {"ann": 350, "bob": 150}
    assert ledger.reserved == {}
    await allowance.flush()
    assert len(ledger.counted) == 2, "nothing is reported twice"


async def test_small_calls_at_once_never_pass_the_plan_together():
    ledger = Ledger(tokens=1000)
    allowance = TokenAllowance(ledger, "a-model")
    made = await asyncio.gather(*(allowance.spend(TENANT, "ann", 30) for _ in range(50)), return_exceptions=True)
    assert sum(each is None for each in made) == 33
    await allowance.flush()
    assert (ledger.left, ledger.reserved) == (10, {})


async def test_what_could_not_be_reported_waits():
    ledger = Ledger()
    allowance = TokenAllowance(ledger, "a-model")
    await allowance.spend(TENANT, "ann", 30)
    ledger.failures = [AppError(Code.UNAVAILABLE, "X", "away")]
    with pytest.raises(AppError):
        await allowance.flush()
    await allowance.flush()
    assert [entry.input_tokens for entry in ledger.counted] == [30]
