"""The wall inside the database: who declares nothing sees nothing, who declares one thing sees that."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from auth.accounts.sessions import hash_refresh_token
from auth.errors.accounts import InvalidCredentials
from auth.model.accounts import Client, Registration
from auth.model.billing import PaymentEvent, SubscriptionStatus, UsageEntry, UsageKind
from auth.model.codes import CodeUse
from auth.model.keys import ApiKeyDraft
from auth.model.tenants import AuditEvent, Caller
from auth.server import CLOCK
from auth.stores.api_keys import PostgresApiKeyStore
from auth.stores.audit import add_event
from auth.tenants.invitations import hash_invitation
from servicekit.identity import Principal, Role, Scope

PASSWORD = "violet tractor hums at dawn"
USAGE = {"usage_balances", "usage_reservations", "usage_entries"}
TABLES = """
    SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner) AS owner
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'auth' AND c.relkind IN ('r', 'p', 'm', 'f') ORDER BY 1
"""


@pytest_asyncio.fixture
async def people(stack):
    """Ann and Bob, each with a tenant, a session and a failed log-in."""
    made = {}
    for name in ("ann", "bob"):
        made[name] = await stack.users.sign_up(Registration(f"{name}@example.com", PASSWORD, tenant_name=name))
        with pytest.raises(InvalidCredentials):
            await stack.users.log_in(f"{name}@example.com", "wrong")
        await leave_traces(stack, made[name])
        await stack.addresses.request(CodeUse.LOG_IN, f"{name}@example.com", Client(f"192.0.2.{len(made)}"))
        await add_key(stack, made[name])
    await lose_membership(stack, await stack.users.sign_up(Registration("eve@example.com", PASSWORD)))
    for each in made.values():
        await use_and_pay(stack, each)
    return made


async def use_and_pay(stack, made):
    tenant_id, now = made.tenant.tenant_id, datetime.now(UTC)
    await stack.flows.billing.meter.reserve(tenant_id, str(uuid4()), 1, timedelta(hours=1))
    used = (str(uuid4()), tenant_id, made.user.user_id, "", UsageKind.ANSWER, "p", "m", 1, 1, 0, now)
    await stack.flows.billing.meter.commit([UsageEntry(*used)])
    paid = (f"evt_{tenant_id}", now, tenant_id, "", SubscriptionStatus.ACTIVE, f"cus_{tenant_id}", "sub", None)
    await stack.flows.billing.billing.plans.apply(PaymentEvent(*paid), "pro")


async def leave_traces(stack, made):
    """Makes an invitation, an audit event and an erasure of a tenant that is nobody's."""
    caller = Caller(made.user.user_id, made.tenant.tenant_id, Role.OWNER, "")
    await stack.tenants.invitations.create(caller, made.tenant.tenant_id, "guest@example.com", Role.MEMBER)
    event = AuditEvent(CLOCK(), "tenant.erase", "OPERATOR")
    await stack.tenants.erasures.begin_tenant(str(uuid4()), event)


async def add_key(stack, made):
    now = datetime.now(UTC)
    user_id, tenant_id = made.user.user_id, made.tenant.tenant_id
    caller = Principal(user_id, tenant_id, Role.OWNER, "s", now, "")
    return await stack.keys.api_keys.create(caller, ApiKeyDraft("a key", frozenset(Scope)))


async def lose_membership(stack, made):
    connection = await asyncpg.connect(stack.database.admin_dsn)
    await connection.execute("DELETE FROM auth.tenants WHERE tenant_id = $1", made.tenant.tenant_id)
    await connection.execute("DELETE FROM auth.users WHERE user_id = $1", made.user.user_id)
    await connection.close()


@pytest_asyncio.fixture
async def superuser(stack):
    connection = await asyncpg.connect(stack.database.admin_dsn)
    yield connection
    await connection.close()


async def count(stack, table, **settings):
    async with stack.database.database.transaction(**settings) as connection:
        return (await connection.execute(text(f"SELECT count(*) FROM auth.{table}"))).scalar_one()


async def test_every_table_is_walled_and_shows_nothing_to_who_declares_nothing(stack, people, superuser):
    tables = await superuser.fetch(TABLES)
    assert len(tables) >= 8
    for table in tables:
        name = table["relname"]
        assert table["relrowsecurity"], name
        assert table["relforcerowsecurity"], name
        assert table["owner"] == "docuchat_auth_owner", name
        assert await superuser.fetchval(f"SELECT count(*) FROM auth.{name}") > 0, f"{name}: nothing to hide"
        assert await count(stack, name) == 0, name


async def test_the_application_role_can_neither_bypass_the_wall_nor_take_it_down(stack, superuser):
    role = await superuser.fetchrow("SELECT * FROM pg_roles WHERE rolname = 'docuchat_auth'")
    assert not role["rolsuper"]
    assert not role["rolbypassrls"]
    assert not await superuser.fetchval("SELECT pg_has_role('docuchat_auth', 'docuchat_auth_owner', 'MEMBER')")
    for statement in ("ALTER TABLE auth.users DISABLE ROW LEVEL SECURITY", "SET ROLE docuchat_auth_owner"):
        with pytest.raises(DBAPIError):
            async with stack.database.database.transaction() as connection:
                await connection.execute(text(statement))


@pytest.mark.parametrize("value", ["", "6b8c3e1e-0000-4000-8000-000000000001"])
async def test_declaring_nobody_shows_nothing(stack, people, superuser, value):
    for table in await superuser.fetch(TABLES):
        named = ("user_id", "tenant_id", "managed_tenant_id", "erasure_id", "email", "refresh_hash", "address_hash")
        settings = dict.fromkeys(
            (*named, "invitation_hash", "scope", "code_key", "tally_keys", "mail_id", "key_hash"), value
        )
        assert await count(stack, table["relname"], **settings) == 0


@pytest.mark.parametrize(
    ("declared", "visible"),
    [
        ("email", {"users", "credentials"}),
        ("user_id", {"users", "credentials", "tenants", "memberships", "sessions"}),
        (
            "managed_tenant_id",
            {"tenants", "memberships", "users", "sessions", "invitations", "audit_events"},
        ),
        ("invitation_hash", {"invitations"}),
        ("erasure_id", {"erasures"}),
        ("tenant_id", {"tenants", "api_keys", "subscriptions"} | USAGE),
        ("stripe_customer", {"subscriptions"}),
        ("stripe_event", {"stripe_events"}),
        ("key_hash", {"api_keys"}),
        ("refresh_hash", {"refresh_tokens", "sessions"}),
        ("successor_hash", {"refresh_tokens"}),
        ("revoked_since", {"sessions", "deleted_sessions"}),
        ("code_key", {"codes"}),
        ("tally_keys", {"tallies"}),
        ("mail_id", {"outbox"}),
    ],
)
async def test_each_setting_opens_one_row_of_the_tables_it_is_for(stack, people, superuser, declared, visible):
    ann = people["ann"]
    token_hash = hash_refresh_token(ann.tokens.refresh_token)
    erasure_id = await superuser.fetchval("SELECT erasure_id::text FROM auth.erasures LIMIT 1")
    (key,) = await PostgresApiKeyStore(stack.database.database).list_page(
        ann.tenant.tenant_id, user_id=None, limit=2, before=None
    )
    values = {
        "managed_tenant_id": ann.tenant.tenant_id,
        "invitation_hash": hash_invitation(stack.letters[0].token),
        "erasure_id": erasure_id,
        "key_hash": key.secret_hash,
        "email": ann.user.email,
        "user_id": ann.user.user_id,
        "tenant_id": ann.tenant.tenant_id,
        "refresh_hash": token_hash,
        "successor_hash": token_hash,
        "revoked_since": "2020-01-01",
        "stripe_customer": f"cus_{ann.tenant.tenant_id}",
        "stripe_event": f"evt_{ann.tenant.tenant_id}",
        "code_key": await superuser.fetchval("SELECT code_key FROM auth.codes LIMIT 1"),
        "tally_keys": await superuser.fetchval("SELECT tally_key FROM auth.tallies LIMIT 1"),
        "mail_id": str(await superuser.fetchval("SELECT mail_id FROM auth.outbox LIMIT 1")),
    }
    await superuser.execute("UPDATE auth.sessions SET revoke_time = now() WHERE user_id = $1", ann.user.user_id)
    for table in await superuser.fetch(TABLES):
        name = table["relname"]
        assert await count(stack, name, **{declared: values[declared]}) == (name in visible), name


MOMENTS = {
    "outbox": ("mail_due", "due_time"),
    "codes": ("expired_at", "expire_time"),
    "tallies": ("expired_at", "since"),
}


@pytest.mark.parametrize("table", MOMENTS)
async def test_what_is_due_or_expired_is_opened_up_to_a_moment(stack, people, superuser, table):
    setting, column = MOMENTS[table]
    times = [row[0] for row in await superuser.fetch(f"SELECT {column} FROM auth.{table} ORDER BY 1")]
    assert len(set(times)) >= 2
    for moment, opened in ((times[0] - timedelta(seconds=1), 0), (times[-1] + timedelta(seconds=1), len(times))):
        assert await count(stack, table, **{setting: moment.isoformat()}) == opened
    between = times[0] + (times[-1] - times[0]) / 2
    assert await count(stack, table, **{setting: between.isoformat()}) == sum(time <= between for time in times)


async def test_nothing_is_written_for_someone_who_was_not_declared(stack, people):
    ann, bob = people["ann"], people["bob"]
    join = text("INSERT INTO auth.memberships VALUES (:user_id, :tenant_id, 'OWNER', now())")
    with pytest.raises(DBAPIError, match="row-level security"):
        async with stack.database.database.transaction(user_id=ann.user.user_id) as connection:
            await connection.execute(join, {"user_id": bob.user.user_id, "tenant_id": ann.tenant.tenant_id})


async def test_changing_everything_changes_the_declared_users_rows_only(stack, people, superuser):
    async with stack.database.database.transaction(user_id=people["ann"].user.user_id) as connection:
        await connection.execute(text("UPDATE auth.users SET display_name = 'changed'"))
        await connection.execute(text("DELETE FROM auth.sessions"))
    rows = await superuser.fetch("SELECT display_name FROM auth.users ORDER BY email")
    assert [row["display_name"] for row in rows] == ["changed", "bob"]
    assert await superuser.fetchval("SELECT count(*) FROM auth.sessions") == 1


async def test_a_pooled_connection_forgets_what_was_declared(stack, people):
    for _ in range(10):
        assert await count(stack, "users", user_id=people["ann"].user.user_id) == 1
        assert await count(stack, "users") == 0


@pytest.mark.parametrize(
    ("scope", "visible"), [("staff", {"tenants", "audit_events"}), ("erasures", {"erasures"}), ("other", set())]
)
async def test_a_scope_opens_every_row_of_the_tables_it_is_for(stack, people, superuser, scope, visible):
    for table in await superuser.fetch(TABLES):
        name = table["relname"]
        rows = await superuser.fetchval(f"SELECT count(*) FROM auth.{name}") if name in visible else 0
        assert await count(stack, name, scope=scope) == rows, name


@pytest.mark.parametrize("statement", ["UPDATE auth.audit_events SET action = 'x'", "DELETE FROM auth.audit_events"])
async def test_the_audit_log_is_only_added_to_whoever_may_read_it(stack, people, statement):
    settings = {"scope": "staff", "managed_tenant_id": people["ann"].tenant.tenant_id}
    with pytest.raises(DBAPIError, match="permission denied"):
        async with stack.database.database.transaction(**settings) as connection:
            await connection.execute(text(statement))


async def test_an_audit_event_of_others_cannot_be_added(stack, people):
    ann, bob = people["ann"], people["bob"]
    settings = {"managed_tenant_id": ann.tenant.tenant_id, "user_id": ann.user.user_id}
    foreign = AuditEvent(CLOCK(), "x", "OWNER", actor_user_id=bob.user.user_id, tenant_id=bob.tenant.tenant_id)
    with pytest.raises(DBAPIError, match="row-level security"):
        async with stack.database.database.transaction(**settings) as connection:
            await add_event(connection, foreign)
