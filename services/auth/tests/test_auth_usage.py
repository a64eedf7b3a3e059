"""Usage: reserved within the plan, counted once, shown to whoever may see it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from auth.billing.months import begin_month, end_month, month_of
from auth.billing.usage import UsageMeter
from auth.errors.billing import QuotaExceeded
from auth.model.billing import Grouping, UsageEntry, UsageKind, UsageQuery
from auth.stores.plans import PostgresPlanStore
from auth.stores.usage import PostgresUsageStore

NOW = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
HOLD = timedelta(minutes=10)
ANN, BOB = str(uuid4()), str(uuid4())


class Clock:
    now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def database(service_database):
    return await service_database("auth")


@pytest.fixture
async def tenant_id(database):
    return await make_tenant(database, "acme")


@pytest.fixture
def meter(database, clock):
    return UsageMeter(PostgresUsageStore(database.database), PostgresPlanStore(database.database), clock)


async def make_tenant(database, slug):
    tenant_id = str(uuid4())
    connection = await asyncpg.connect(database.admin_dsn)
    columns = "INSERT INTO auth.tenants (tenant_id, slug, display_name, create_time) VALUES ($1, $2, $2, $3)"
    await connection.execute(columns, tenant_id, slug, NOW)
    await connection.close()
    return tenant_id


async def limit_tokens(database, tokens):
    connection = await asyncpg.connect(database.admin_dsn)
    await connection.execute("UPDATE auth.plans SET monthly_tokens = $1 WHERE plan_id = 'free'", tokens)
    await connection.close()


def entry(tenant_id, tokens=10, *, usage_id=None, user_id=ANN, model="m", end_time=NOW, kind=UsageKind.ANSWER):
    return UsageEntry(
        usage_id or str(uuid4()), tenant_id, user_id, "", kind, "openai", model, tokens - 1, 1, 0, end_time
    )


@pytest.mark.parametrize(
    ("moment", "month", "end"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01", "2026-02-01"),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "2026-12-01", "2027-01-01"),
        (datetime.fromisoformat("2026-11-01T01:00:00+02:00"), "2026-10-01", "2026-11-01"),
    ],
)
def test_a_month_is_one_of_utc(moment, month, end):
    assert month_of(moment).isoformat() == month
    assert begin_month(moment).isoformat() == f"{month}T00:00:00+00:00"
    assert end_month(moment).isoformat() == f"{end}T00:00:00+00:00"


async def test_reservations_at_once_never_pass_the_limit_together(database, meter, tenant_id):
    await limit_tokens(database, 1000)
    made = await asyncio.gather(
        *(meter.reserve(tenant_id, str(uuid4()), 100, HOLD) for _ in range(25)), return_exceptions=True
    )
    assert sum(isinstance(each, int) for each in made) == 10
    refused = [each for each in made if isinstance(each, QuotaExceeded)]
    assert len(refused) == 15
    assert refused[0].retry_after_seconds == 1800
    assert refused[0].quota_violations[0].subject == "monthly_tokens"


async def test_what_is_not_settled_in_time_goes_back(database, meter, tenant_id, clock):
    await limit_tokens(database, 100)
    await meter.reserve(tenant_id, str(uuid4()), 100, HOLD)
    with pytest.raises(QuotaExceeded):
        await meter.reserve(tenant_id, str(uuid4()), 1, HOLD)
    clock.now += HOLD
    assert await meter.reserve(tenant_id, str(uuid4()), 60, HOLD) == 40


async def test_reserving_again_for_the_same_call_sets_that_many_aside_instead(database, meter, tenant_id):
    await limit_tokens(database, 100)
    usage_id = str(uuid4())
    assert [await meter.reserve(tenant_id, usage_id, tokens, HOLD) for tokens in (60, 60, 90, 20)] == [40, 40, 10, 80]
    await meter.reserve(tenant_id, str(uuid4()), 80, HOLD)
    with pytest.raises(QuotaExceeded):
        await meter.reserve(tenant_id, usage_id, 21, HOLD)
    assert (await meter.find_quota(tenant_id)).balance.reserved_tokens == 100
    assert await meter.reserve(tenant_id, usage_id, 0, HOLD) == 20


async def test_fewer_tokens_always_fit_even_beyond_the_limit(database, meter, tenant_id):
    usage_id = str(uuid4())
    await meter.reserve(tenant_id, usage_id, 90, HOLD)
    await limit_tokens(database, 10)
    assert await meter.reserve(tenant_id, usage_id, 50, HOLD) == 0
    assert (await meter.find_quota(tenant_id)).balance.reserved_tokens == 50


async def test_what_was_used_is_counted_once_and_frees_what_was_set_aside(database, meter, tenant_id):
    await limit_tokens(database, 100)
    used = entry(tenant_id, 30)
    await meter.reserve(tenant_id, used.usage_id, 90, HOLD)
    assert [await meter.commit([used]) for _ in range(3)] == [1, 0, 0]
    quota = await meter.find_quota(tenant_id)
    assert (quota.balance.used_tokens, quota.balance.reserved_tokens, quota.remaining) == (30, 0, 70)


async def test_commits_at_once_lose_nothing_and_count_nothing_twice(meter, tenant_id):
    entries = [entry(tenant_id, 10, end_time=NOW - timedelta(days=number % 3 * 31)) for number in range(30)]
    counted = await asyncio.gather(*(meter.commit(entries[start : start + 20]) for start in (0, 5, 10)))
    assert sum(counted) == 30
    query = UsageQuery(tenant_id, NOW - timedelta(days=100), NOW + timedelta(days=1))
    assert (await meter.report(query)).total.calls == 30
    assert (await meter.find_quota(tenant_id)).balance.used_tokens == 100


async def test_a_new_month_begins_with_nothing_used(database, meter, tenant_id, clock):
    await limit_tokens(database, 100)
    await meter.commit([entry(tenant_id, 100)])
    with pytest.raises(QuotaExceeded):
        await meter.reserve(tenant_id, str(uuid4()), 1, HOLD)
    clock.now = NOW + timedelta(hours=1)
    assert await meter.reserve(tenant_id, str(uuid4()), 1, HOLD) == 99


async def test_a_plan_without_a_limit_has_no_end(database, meter, tenant_id):
    await limit_tokens(database, 0)
    assert await meter.reserve(tenant_id, str(uuid4()), 10**9, HOLD) == -1


async def test_usage_is_divided_as_asked_and_sums_up_to_the_total(meter, tenant_id):
    await meter.commit(
        [
            entry(tenant_id, 10, user_id=ANN, model="a"),
            entry(tenant_id, 20, user_id=BOB, model="a", end_time=NOW - timedelta(days=1)),
            entry(tenant_id, 40, user_id=BOB, model="b", kind=UsageKind.DOCUMENT),
        ]
    )
    query = UsageQuery(tenant_id, NOW - timedelta(days=7), NOW + timedelta(seconds=1))
    for grouping, expected in (
        (Grouping.DAY, [("2026-03-31", 48), ("2026-03-30", 19)]),
        (Grouping.USER, [(BOB, 58), (ANN, 9)]),
        (Grouping.MODEL, [("b", 39), ("a", 28)]),
        (Grouping.KIND, [(UsageKind.DOCUMENT, 39), (UsageKind.ANSWER, 28)]),
    ):
        parts = (await meter.report(UsageQuery(**{**vars(query), "group_by": frozenset({grouping})}))).parts
        name = {Grouping.USER: "user_id"}.get(grouping, grouping.value.lower())
        assert [(getattr(part, name), part.input_tokens) for part in parts] == expected
    report = await meter.report(UsageQuery(**{**vars(query), "user_id": BOB, "model": "a"}))
    assert (report.total.calls, report.total.input_tokens, report.parts) == (1, 19, ())


async def test_a_tenant_knows_nothing_of_anothers_usage(database, meter, tenant_id):
    other = await make_tenant(database, "other")
    shared = entry(tenant_id, 10)
    # The same id in another tenant is another call.
    assert await meter.commit([shared]) == await meter.commit([entry(other, 70, usage_id=shared.usage_id)]) == 1
    assert (await meter.find_quota(tenant_id)).balance.used_tokens == 10
    query = UsageQuery(tenant_id, NOW - timedelta(days=1), NOW + timedelta(days=1))
    assert (await meter.report(query)).total.calls == 1


async def test_what_is_reported_of_a_tenant_that_is_gone_is_dropped(meter):
    assert await meter.commit([entry(str(uuid4()))]) == 0
