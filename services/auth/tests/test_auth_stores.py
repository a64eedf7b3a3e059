import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from auth.errors.accounts import InvalidCredentials, SlugTaken
from auth.model.accounts import (
    Account,
    Attempt,
    Credential,
    FailureCount,
    Failures,
    Proof,
    Purpose,
    Session,
    Tenant,
    User,
    Verdict,
)
from auth.model.codes import Code
from auth.model.mail import Mail
from auth.security.seal import MailSeal
from auth.stores.accounts import PostgresAccountStore
from auth.stores.failures import PostgresFailureStore
from auth.stores.outbox import PostgresOutbox
from auth.stores.sessions import PostgresSessionStore
from servicekit.errors import AppError
from servicekit.identity import Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def database(service_database):
    return (await service_database("auth")).database


def make_store(database):
    """Returns an account store, and the outbox it puts mails into."""
    return PostgresAccountStore(database, make_outbox(database))


def make_outbox(database):
    return PostgresOutbox(database, MailSeal(lambda purpose: hashlib.sha256(purpose).digest()))


def make_code(user_id, key="key", code_hash="hash", expire_time=NOW + timedelta(minutes=10)):
    return Code(key, code_hash, user_id, expire_time)


def make_user(email="ann@example.com"):
    return User(str(uuid4()), email, "Ann", NOW)


def make_tenant(slug="acme"):
    return Tenant(str(uuid4()), slug, "Acme", NOW)


def token_hash(name):
    return hashlib.sha256(name.encode()).hexdigest()


async def create(database, email="ann@example.com", slug="acme"):
    user, tenant = make_user(email), make_tenant(slug)
    code, mail = make_code(user.user_id, f"key of {slug}"), Mail(email, "verify_code", values={"code": "123456"})
    await make_store(database).create(user, Credential("hash", 7), tenant, code, mail)
    return user, tenant


async def test_an_account_comes_back_as_it_was_stored(database):
    user, tenant = await create(database)
    store = make_store(database)
    account = Account(user, Credential("hash", 7))
    assert await store.find_candidates(user.email, 7) == [account]
    assert await store.find_account(user.user_id) == account
    assert await store.find_owner(user.email) == user
    me = await store.find_me(user.user_id)
    assert me.user == user
    assert [(each.tenant, each.role) for each in me.memberships] == [(tenant, Role.OWNER)]
    assert (await store.find_membership(user.user_id)).tenant == tenant
    assert (await store.find_membership(user.user_id, tenant.tenant_id.upper())).tenant == tenant


async def test_what_nobody_stored_is_not_found(database):
    _, tenant = await create(database)
    store = make_store(database)
    for email in ("nobody@example.com", ""):
        assert await store.find_candidates(email, 7) == []
        assert await store.find_owner(email) is None
    assert await store.find_account(str(uuid4())) is None
    assert await store.find_me(str(uuid4())) is None
    assert await store.find_membership(str(uuid4()), tenant.tenant_id) is None


async def test_of_accounts_that_share_an_address_those_of_another_tag_are_not_tried(database):
    users = [(await create(database, slug=slug))[0] for slug in ("one", "two", "three", "four")]
    store = make_store(database)
    for user, tag in zip(users, (7, 8, None, 8), strict=True):
        await store.replace_hash(user.user_id, Credential("hash", tag))
    tried = {tag: [each.user for each in await store.find_candidates(users[0].email, tag)] for tag in (7, 8, 9)}
    one, two, three, four = users
    oldest = sorted([two, three, four], key=lambda each: each.user_id)
    assert set(tried[7]) == {one, three}
    assert tried[8] == oldest[:2]
    assert tried[9] == [three]


async def test_a_taken_slug_stores_nothing_of_the_new_account(database):
    await create(database)
    with pytest.raises(SlugTaken):
        await create(database, email="bob@example.com")
    assert await make_store(database).find_owner("bob@example.com") is None
    claimed = await make_outbox(database).claim(datetime.now(UTC), datetime.now(UTC), 10)
    assert [each.mail.recipient for each in claimed] == ["ann@example.com"]


async def test_a_new_hash_replaces_one_users_only(database):
    store = make_store(database)
    ann, _ = await create(database)
    bob, _ = await create(database, email="bob@example.com", slug="bobs")
    await store.replace_hash(ann.user_id, Credential("stronger", 9))
    assert (await store.find_account(ann.user_id)).credential == Credential("stronger", 9)
    assert (await store.find_account(bob.user_id)).credential == Credential("hash", 7)


@pytest.mark.parametrize(("proof", "keeps"), [(Proof.SESSION, True), (Proof.MAIL, False)])
async def test_a_verified_address_is_lost_by_all_others_with_password_and_sessions(database, proof, keeps):
    owner, tenant = await create(database)
    others = [(await create(database, slug=slug)) for slug in ("two", "three")]
    stranger, strangers = await create(database, email="bob@example.com", slug="bobs")
    sessions, store = PostgresSessionStore(database), make_store(database)
    for number, (user, where) in enumerate([(owner, tenant), *others, (stranger, strangers)]):
        session = Session(str(uuid4()), user.user_id, where.tenant_id, NOW, NOW + timedelta(days=7))
        await sessions.open(session, token_hash(str(number)))
    assert await store.verify_email(owner.user_id, owner.email, NOW, proof)
    account = await store.find_account(owner.user_id)
    assert account.user == replace(owner, is_email_verified=True)
    assert (account.credential is not None, len(await sessions.list_live(owner.user_id, NOW))) == (keeps, keeps)
    for user, _ in others:
        assert await store.find_account(user.user_id) == Account(replace(user, email=""), None)
        assert await sessions.list_live(user.user_id, NOW) == []
    assert await store.find_account(stranger.user_id) == Account(stranger, Credential("hash", 7))
    assert len(await sessions.list_live(stranger.user_id, NOW)) == 1


async def test_a_verified_address_is_not_taken_from_its_owner(database):
    owner, _ = await create(database)
    store = make_store(database)
    assert await store.verify_email(owner.user_id, owner.email, NOW, Proof.SESSION)
    assert await store.verify_email(owner.user_id, owner.email, NOW, Proof.MAIL)
    later, _ = await create(database, slug="later")
    assert not await store.verify_email(later.user_id, owner.email, NOW, Proof.MAIL)
    assert not await store.verify_email(owner.user_id, "bob@example.com", NOW, Proof.MAIL)
    assert (await store.find_account(owner.user_id)).credential == Credential("hash", 7)
    assert (await store.find_owner(owner.email)).user_id == owner.user_id


async def test_of_two_who_verify_one_address_at_once_one_gets_it(database):
    users = [(await create(database, slug=slug))[0] for slug in ("one", "two", "three")]
    store = make_store(database)
    proofs = (store.verify_email(user.user_id, user.email, NOW, Proof.SESSION) for user in users)
    assert sorted(await asyncio.gather(*proofs)) == [False, False, True]


async def test_a_changed_password_ends_the_other_sessions_and_tells_by_mail(database):
    session = await open_session(database)
    kept = replace(session, session_id=str(uuid4()))
    sessions = PostgresSessionStore(database)
    await sessions.open(kept, token_hash("kept"))
    mail = Mail("first@example.com", "password_changed")
    change = make_store(database).change_password
    await change(session.user_id, Credential("new", 1), NOW, keep=kept.session_id, mail=mail)
    assert [each.session_id for each in await sessions.list_live(session.user_id, NOW)] == [kept.session_id]
    assert (await make_store(database).find_account(session.user_id)).credential == Credential("new", 1)
    now = datetime.now(UTC)
    assert mail in [each.mail for each in await make_outbox(database).claim(now, now, 10)]


async def test_the_oldest_membership_is_the_first(database):
    user, _ = await create(database)
    older = make_tenant("older")
    async with database.transaction(user_id=user.user_id, tenant_id=older.tenant_id) as connection:
        values = {"id": older.tenant_id, "user": user.user_id, "time": NOW - timedelta(days=1)}
        await connection.execute(text("INSERT INTO auth.tenants VALUES (:id, 'older', 'Acme', :time)"), values)
        await connection.execute(text("INSERT INTO auth.memberships VALUES (:user, :id, 'MEMBER', :time)"), values)
    store = make_store(database)
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
        successor = token_hash(["second", "third"][moment])
        await store.trade(token_hash(presented), successor, now, judge, f"192.0.2.{moment}")
    await store.trade(token_hash("first"), token_hash("second"), NOW, lambda *found: judge(*found) and Verdict.REFUSE)
    first = replace(session, last_use_time=NOW, address="192.0.2.0")
    second = replace(session, last_use_time=NOW + timedelta(seconds=1), address="192.0.2.1")
    assert seen == [(session, None), (first, None), (second, NOW)]


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


def attempt(email="a@b", client="192.0.2.1", purpose=Purpose.PASSWORD, **known):
    return Attempt(purpose, email, client, **known)


def fail(times=1):
    count = FailureCount(times, NOW)
    return lambda _: Failures(count, count)


def one_more(found):
    here, everywhere = (FailureCount(count.failures + 1, NOW) for count in (found.here, found.everywhere))
    return Failures(here, everywhere)


async def test_failures_are_counted_one_by_one_however_many_come_at_once(database):
    store = PostgresFailureStore(database)
    clients = ["192.0.2.1", "192.0.2.2"]
    await asyncio.gather(*(store.change(attempt(client=client), one_more) for client in clients * 10))
    for client in clients:
        assert await store.find(attempt(client=client)) == Failures(FailureCount(10, NOW), FailureCount(20, NOW))
    # An address that is called as a device is another client.
    assert await store.find(attempt(is_known=True)) == Failures(FailureCount(), FailureCount(20, NOW))
    for other in (attempt("b@b"), attempt(purpose=Purpose.CODE)):
        assert await store.find(other) == Failures()


async def test_a_count_of_zero_leaves_no_row_behind(service_database):
    database = await service_database("auth")
    store = PostgresFailureStore(database.database)
    await store.change(attempt(), fail(3))
    await store.change(attempt(), lambda _: Failures())
    await store.change(attempt("c@d"), lambda found: found)
    assert await store.find(attempt()) == Failures()
    assert await read_as_superuser(database, "SELECT count(*) FROM auth.login_failures") == 0


async def test_an_error_while_counting_leaves_the_count_as_it_was(database):
    store = PostgresFailureStore(database)
    await store.change(attempt(), fail(3))

    def refuse(_found):
        raise InvalidCredentials

    with pytest.raises(AppError):
        await store.change(attempt(), refuse)
    assert (await store.find(attempt())).here == FailureCount(3, NOW)


async def test_all_that_failed_for_one_address_is_forgotten_at_once(database):
    store = PostgresFailureStore(database)
    tried = [attempt(client=client, purpose=purpose) for client in ("192.0.2.1", "192.0.2.2") for purpose in Purpose]
    for each in (*tried, attempt("c@d")):
        await store.change(each, fail())
    await store.forget("a@b")
    assert [await store.find(each) for each in tried] == [Failures()] * len(tried)
    assert await store.find(attempt("c@d")) == fail()(None)


async def test_what_is_typed_as_an_address_is_kept_as_a_digest(service_database):
    database = await service_database("auth")
    await PostgresFailureStore(database.database).change(attempt("my password"), fail())
    rows = await read_as_superuser(database, "SELECT string_agg(f::text, ' ') FROM auth.login_failures f")
    assert hashlib.sha256(b"my password").hexdigest() in rows
    assert "my password" not in rows
    assert "192.0.2.1" not in rows


async def read_as_superuser(database, query):
    connection = await asyncpg.connect(database.admin_dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
