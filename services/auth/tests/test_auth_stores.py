import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from auth.errors.accounts import EmailTaken, SlugTaken
from auth.model.accounts import FailureCount, Session, Tenant, User, Verdict
from auth.stores.accounts import PostgresAccountStore
from auth.stores.failures import PostgresFailureStore
from auth.stores.sessions import PostgresSessionStore
from servicekit.errors import AppError
from servicekit.identity import Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def database(service_database):
    return (await service_database("auth")).database


def make_user(email="ann@example.com"):
    return User(str(uuid4()), email, "Ann", NOW)


def make_tenant(slug="acme"):
    return Tenant(str(uuid4()), slug, "Acme", NOW)


def token_hash(name):
    return hashlib.sha256(name.encode()).hexdigest()


async def create(database, email="ann@example.com", slug="acme"):
    user, tenant = make_user(email), make_tenant(slug)
    await PostgresAccountStore(database).create(user, "hash", tenant)
    return user, tenant


async def test_an_account_comes_back_as_it_was_stored(database):
    user, tenant = await create(database)
    store = PostgresAccountStore(database)
    account = await store.find_by_email(user.email)
    assert (account.user, account.password_hash) == (user, "hash")
    me = await store.find_me(user.user_id)
    assert me.user == user
    assert [(each.tenant, each.role) for each in me.memberships] == [(tenant, Role.OWNER)]
    assert (await store.find_membership(user.user_id)).tenant == tenant
    assert (await store.find_membership(user.user_id, tenant.tenant_id.upper())).tenant == tenant


async def test_what_nobody_stored_is_not_found(database):
    _, tenant = await create(database)
    store = PostgresAccountStore(database)
    assert await store.find_by_email("nobody@example.com") is None
    assert await store.find_by_email("") is None
    assert await store.find_me(str(uuid4())) is None
    assert await store.find_membership(str(uuid4()), tenant.tenant_id) is None


async def test_of_two_sign_ups_at_once_one_gets_the_address(database):
    results = await asyncio.gather(
        create(database, slug="one"),
        create(database, slug="two"),
        create(database, slug="three"),
        return_exceptions=True,
    )
    assert [type(result) for result in results if isinstance(result, Exception)] == [EmailTaken] * 2


async def test_a_taken_slug_stores_nothing_of_the_new_account(database):
    await create(database)
    with pytest.raises(SlugTaken):
        await create(database, email="bob@example.com")
    assert await PostgresAccountStore(database).find_by_email("bob@example.com") is None


async def test_a_new_hash_replaces_one_users_only(database):
    store = PostgresAccountStore(database)
    await create(database)
    await create(database, email="bob@example.com", slug="bobs")
    await store.replace_password_hash("ann@example.com", "stronger")
    assert (await store.find_by_email("ann@example.com")).password_hash == "stronger"
    assert (await store.find_by_email("bob@example.com")).password_hash == "hash"


async def test_the_oldest_membership_is_the_first(database):
    user, _ = await create(database)
    older = make_tenant("older")
    async with database.transaction(user_id=user.user_id, tenant_id=older.tenant_id) as connection:
        values = {"id": older.tenant_id, "user": user.user_id, "time": NOW - timedelta(days=1)}
        await connection.execute(text("INSERT INTO auth.tenants VALUES (:id, 'older', 'Acme', :time)"), values)
        await connection.execute(text("INSERT INTO auth.memberships VALUES (:user, :id, 'MEMBER', :time)"), values)
    store = PostgresAccountStore(database)
    assert (await store.find_membership(user.user_id)).tenant.slug == "older"
    assert [each.tenant.slug for each in (await store.find_me(user.user_id)).memberships] == ["older", "acme"]


async def open_session(database, name="first", **changes):
    user, tenant = await create(database, email=f"{name}@example.com", slug=name)
    values = {"create_time": NOW, "expire_time": NOW + timedelta(days=7), **changes}
    session = Session(str(uuid4()), user.user_id, tenant.tenant_id, **values)
    await PostgresSessionStore(database).open(session, token_hash(name))
    return session


def always(verdict):
    return lambda _session, _token, _successor: verdict


async def test_a_trade_uses_the_token_up_and_stores_its_successor(database):
    session = await open_session(database)
    store = PostgresSessionStore(database)
    seen = []

    def judge(found, token, _successor):
        seen.append((found, token.use_time))
        return Verdict.ROTATE

    for moment, presented in enumerate(["first", "second"]):
        now = NOW + timedelta(seconds=moment)
        await store.trade(token_hash(presented), token_hash(["second", "third"][moment]), now, judge)
    await store.trade(token_hash("first"), token_hash("second"), NOW, lambda *found: judge(*found) and Verdict.REFUSE)
    assert seen == [(session, None), (session, None), (session, NOW)]


async def test_a_trade_knows_the_successor_that_it_once_gave_and_whether_that_was_used(database):
    await open_session(database)
    store, told = PostgresSessionStore(database), []

    def judge(_session, token, successor):
        told.append(successor and (successor.token_hash == token_hash("second"), successor.use_time))
        return Verdict.REPEAT if token.use_time else Verdict.ROTATE

    for presented, successor in [("first", "second"), ("first", "second"), ("second", "third"), ("first", "second")]:
        await store.trade(token_hash(presented), token_hash(successor), NOW, judge)
    assert told == [None, (True, None), None, (True, NOW)]


async def test_ended_sessions_are_listed_whoever_they_belonged_to(database):
    session = await open_session(database)
    store = PostgresSessionStore(database)
    await store.revoke(token_hash("first"), NOW)
    assert await store.list_revoked(NOW - timedelta(seconds=1)) == [session.session_id]
    assert await store.list_revoked(NOW) == []


LOST = {"membership": "DELETE FROM auth.memberships", "user": "DELETE FROM auth.users"}


@pytest.mark.parametrize("statement", LOST.values(), ids=LOST)
async def test_sessions_that_lost_their_membership_or_user_are_listed_like_ended_ones(database, statement):
    before = datetime.now(UTC) - timedelta(seconds=1)
    session = await open_session(database, expire_time=before + timedelta(days=1))
    await open_session(database, "others", expire_time=before + timedelta(days=1))
    store = PostgresSessionStore(database)
    await store.revoke(token_hash("first"), before - timedelta(hours=1))
    assert await store.list_revoked(before) == []
    async with database.transaction(user_id=session.user_id) as connection:
        await connection.execute(text(statement))
    assert await store.list_revoked(before) == [session.session_id]
    assert await store.list_revoked(before + timedelta(minutes=1)) == []


async def test_sessions_that_are_over_anyway_are_not_kept(database):
    session = await open_session(database)
    async with database.transaction(user_id=session.user_id) as connection:
        await connection.execute(text("DELETE FROM auth.memberships"))
    assert await PostgresSessionStore(database).list_revoked(NOW) == []


async def test_an_unknown_token_is_traded_for_nothing(database):
    await open_session(database)
    store = PostgresSessionStore(database)
    assert await store.trade(token_hash("guess"), token_hash("next"), NOW, always(Verdict.ROTATE)) is None


async def test_a_refusal_changes_nothing(database):
    await open_session(database)
    store = PostgresSessionStore(database)
    await store.trade(token_hash("first"), token_hash("second"), NOW, always(Verdict.REFUSE))
    assert await store.trade(token_hash("second"), token_hash("third"), NOW, always(Verdict.ROTATE)) is None


@pytest.mark.parametrize("how", ["trade", "revoke"])
async def test_an_ended_session_is_ended_for_all_its_tokens(database, how):
    await open_session(database)
    store = PostgresSessionStore(database)
    await store.trade(token_hash("first"), token_hash("second"), NOW, always(Verdict.ROTATE))
    if how == "trade":
        await store.trade(token_hash("first"), token_hash("x"), NOW, always(Verdict.REVOKE))
    else:
        await store.revoke(token_hash("first"), NOW)
    await store.revoke(token_hash("second"), NOW + timedelta(hours=1))
    traded = await store.trade(token_hash("second"), token_hash("x"), NOW, always(Verdict.REFUSE))
    assert traded.session.revoke_time == NOW


async def test_ending_an_unknown_session_does_no_harm(database):
    await open_session(database)
    store = PostgresSessionStore(database)
    await store.revoke(token_hash("guess"), NOW)
    traded = await store.trade(token_hash("first"), token_hash("x"), NOW, always(Verdict.REFUSE))
    assert traded.session.revoke_time is None


async def test_of_many_trades_at_once_one_finds_the_token_unused(database):
    await open_session(database)
    store = PostgresSessionStore(database)
    seen = []

    def judge(_session, token, _successor):
        seen.append(token.use_time)
        return Verdict.REPEAT if token.use_time else Verdict.ROTATE

    trades = (store.trade(token_hash("first"), token_hash("next"), NOW, judge) for _ in range(10))
    await asyncio.gather(*trades, *(store.revoke(token_hash("first"), NOW) for _ in range(5)))
    assert sorted(seen, key=str) == [NOW] * 9 + [None]


async def test_a_new_session_forgets_the_users_expired_ones_only(database):
    expired = await open_session(database, "expired", expire_time=NOW - timedelta(seconds=1))
    await open_session(database, "others", expire_time=NOW - timedelta(seconds=1))
    fresh = Session(str(uuid4()), expired.user_id, expired.tenant_id, NOW, NOW + timedelta(days=7))
    store = PostgresSessionStore(database)
    await store.open(fresh, token_hash("fresh"))
    for name, remains in [("expired", False), ("others", True), ("fresh", True)]:
        traded = await store.trade(token_hash(name), token_hash("x"), NOW, always(Verdict.REFUSE))
        assert (traded is not None) == remains, name


async def test_whoever_loses_the_membership_loses_the_sessions(database):
    session = await open_session(database)
    async with database.transaction(user_id=session.user_id) as connection:
        await connection.execute(text("DELETE FROM auth.memberships"))
    store = PostgresSessionStore(database)
    assert await store.trade(token_hash("first"), token_hash("x"), NOW, always(Verdict.ROTATE)) is None


async def test_failures_are_counted_one_by_one_however_many_come_at_once(database):
    store = PostgresFailureStore(database)
    changes = (store.change("a@b", lambda count: FailureCount(count.failures + 1, NOW)) for _ in range(20))
    await asyncio.gather(*changes)
    assert await store.find("a@b") == FailureCount(20, NOW)
    assert await store.find("b@b") == FailureCount()


async def test_a_count_of_zero_leaves_no_row_behind(service_database):
    database = await service_database("auth")
    store = PostgresFailureStore(database.database)
    await store.change("a@b", lambda _: FailureCount(3, NOW))
    await store.change("a@b", lambda _: FailureCount())
    await store.change("c@d", lambda count: count)
    assert await store.find("a@b") == FailureCount()
    assert await read_as_superuser(database, "SELECT count(*) FROM auth.login_failures") == 0


async def test_an_error_while_counting_leaves_the_count_as_it_was(database):
    store = PostgresFailureStore(database)
    await store.change("a@b", lambda _: FailureCount(3, NOW))

    def refuse(_count):
        raise EmailTaken

    with pytest.raises(AppError):
        await store.change("a@b", refuse)
    assert await store.find("a@b") == FailureCount(3, NOW)


async def test_what_is_typed_as_an_address_is_kept_as_a_digest(service_database):
    database = await service_database("auth")
    await PostgresFailureStore(database.database).change("my password", lambda _: FailureCount(1, NOW))
    row = await read_as_superuser(database, "SELECT login_failures::text FROM auth.login_failures")
    assert hashlib.sha256(b"my password").hexdigest() in row
    assert "my password" not in row


async def read_as_superuser(database, query):
    connection = await asyncpg.connect(database.admin_dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
