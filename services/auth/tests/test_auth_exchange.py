"""What the gateway may trade for an access token, and what it is told instead."""

import asyncio
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from auth.accounts.names import make_slug
from auth.errors.accounts import TenantNotFound
from auth.errors.keys import (
    ApiKeyExpired,
    ApiKeyInvalid,
    ApiKeyLimitReached,
    ApiKeyNotFound,
    ApiKeyRevoked,
    InvalidOnBehalfOf,
    InvalidTenantHeader,
    OnBehalfOfNotAllowed,
    ScopeNotGranted,
)
from auth.keys.api_keys import MOST_KEYS, ApiKeys
from auth.keys.exchange import MAX_REMEMBERED, Exchange
from auth.keys.secrets import hash_secret, is_secret, make_prefix, make_secret
from auth.keys.uses import LastUses
from auth.model.accounts import Membership, Tenant
from auth.model.keys import ApiKeyDraft, ExchangeLifetimes
from servicekit.errors import DependencyUnavailable
from servicekit.identity import Principal, Role, Scope
from servicekit.tokens import TokenInvalid

from .conftest import FakeClock, FakeLimits, FakeTokens

ANN, BOB = "5f0c8b0a-0000-4000-8000-00000000000a", "5f0c8b0a-0000-4000-8000-00000000000b"
HOME, OTHER = "7d1f5e2c-0000-4000-8000-000000000001", "7d1f5e2c-0000-4000-8000-000000000002"
ALL = frozenset(Scope)


@dataclass
class FakeApiKeys:
    keys: dict = field(default_factory=dict)
    reads: int = 0
    failure: Exception | None = None

    async def add(self, key, *, most, forget_before):
        if len(self.keys) >= most:
            raise ApiKeyLimitReached(most)
        self.keys[key.api_key_id] = key

    async def get(self, tenant_id, api_key_id):
        key = self.keys.get(api_key_id)
        if key is None or key.tenant_id != tenant_id:
            raise ApiKeyNotFound
        return key

    async def list_page(self, tenant_id, *, user_id, limit, before):
        return [key for key in self.keys.values() if key.tenant_id == tenant_id and user_id in {None, key.user_id}]

    async def change(self, tenant_id, api_key_id, change):
        self.keys[api_key_id] = change(await self.get(tenant_id, api_key_id))
        return self.keys[api_key_id]

    async def find_by_secret(self, secret_hash):
        self.reads += 1
        await asyncio.sleep(0)
        if self.failure:
            raise self.failure
        found = [key for key in self.keys.values() if secret_hash in {key.secret_hash, key.previous_hash}]
        return found[0] if found else None

    async def note_use(self, tenant_id, api_key_id, moment):
        if self.failure:
            raise self.failure
        self.keys[api_key_id] = replace(self.keys[api_key_id], last_use_time=moment)


@dataclass
class FakeMembers:
    roles: dict = field(default_factory=lambda: {(ANN, HOME): Role.OWNER, (ANN, OTHER): Role.MEMBER})

    async def find_membership(self, user_id, tenant_id=""):
        role = self.roles.get((user_id, tenant_id))
        tenant = Tenant(tenant_id, make_slug("x"), "x", datetime(2026, 1, 1, tzinfo=UTC))
        return Membership(tenant, role) if role else None


@dataclass
class FakeJudge:
    principals: dict = field(default_factory=dict)

    async def verify(self, token):
        if token not in self.principals:
            raise TokenInvalid
        return self.principals[token]


@dataclass
class FakeRevoked:
    ended: set = field(default_factory=set)

    async def includes(self, session_id):
        return session_id in self.ended


@dataclass
class Door:
    """The exchange with everything around it faked; nothing is remembered unless a test says so."""

    keys: FakeApiKeys = field(default_factory=FakeApiKeys)
    members: FakeMembers = field(default_factory=FakeMembers)
    limits: FakeLimits = field(default_factory=FakeLimits)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    judge: FakeJudge = field(default_factory=FakeJudge)
    revoked: FakeRevoked = field(default_factory=FakeRevoked)
    clock: FakeClock = field(default_factory=FakeClock)
    check: timedelta = timedelta(0)

    def __post_init__(self):
        self.uses = LastUses(self.keys)
        lifetimes = ExchangeLifetimes(check=self.check)
        ports = (self.keys, self.members, self.limits, self.tokens, self.judge, self.revoked, self.uses, self.clock)
        self.exchange = Exchange(*ports, lifetimes)
        self.api_keys = ApiKeys(self.keys, self.clock)

    def person(self, user_id=ANN, tenant_id=HOME, role=Role.OWNER, **fields):
        return Principal(user_id, tenant_id, role, "session-1", self.clock() + timedelta(minutes=10), "t", **fields)

    async def make_key(self, scopes=ALL, **fields):
        return await self.api_keys.create(self.person(), ApiKeyDraft("server", frozenset(scopes), **fields))

    async def trade(self, credential, tenant=(), end_user=()):
        """Returns what the token says that was traded."""
        token = await self.exchange.trade(credential, tenant, end_user)
        return self.tokens.signed[int(token.removeprefix("access-")) - 1]


@pytest.fixture
def door():
    return Door()


async def test_a_key_becomes_a_short_token_of_its_maker_that_ends_with_the_key(door):
    door.limits.limit = 70
    issued = await door.make_key({Scope.READ, Scope.ADMIN})
    said = await door.trade(issued.secret)
    assert (said["subject"], said["tenant_id"], said["role"]) == (ANN, HOME, Role.OWNER)
    assert said["session_id"] == said["api_key_id"] == issued.api_key.api_key_id
    assert said["scopes"] == {Scope.READ, Scope.ADMIN}
    assert said["requests_per_minute"] == 70
    assert said["expire_time"] - said["now"] == timedelta(minutes=5)


async def test_a_key_does_what_its_maker_may_do_at_the_moment_and_no_more(door):
    issued = await door.make_key()
    door.members.roles[ANN, HOME] = Role.MEMBER
    assert (await door.trade(issued.secret))["role"] is Role.MEMBER
    del door.members.roles[ANN, HOME]
    with pytest.raises(ApiKeyRevoked):
        await door.trade(issued.secret)


async def test_a_key_without_the_scope_admin_has_a_members_role(door):
    issued = await door.make_key({Scope.READ, Scope.WRITE})
    assert (await door.trade(issued.secret))["role"] is Role.MEMBER


@pytest.mark.parametrize(
    "secret",
    [
        "dck_",
        "dck_1",
        "dck_zzzzzzzzzzzz_" + "a" * 43,
        "dck_0123456789ab_" + "b" * 43,
        "dck_a\0" * 9,
        "dck_" + "x" * 9000,
    ],
)
async def test_what_is_no_key_of_ours_is_refused_and_not_remembered(door, secret):
    assert is_secret(secret)
    with pytest.raises(ApiKeyInvalid):
        await door.trade(secret)
    assert len(door.exchange.remembered) == 0


async def test_a_revoked_key_is_refused(door):
    issued = await door.make_key()
    await door.api_keys.revoke(door.person(), issued.api_key.api_key_id)
    with pytest.raises(ApiKeyRevoked):
        await door.trade(issued.secret)


async def test_a_key_ends_at_its_time_and_its_token_with_it(door):
    issued = await door.make_key(expire_time=door.clock() + timedelta(minutes=2))
    said = await door.trade(issued.secret)
    assert said["expire_time"] == issued.api_key.expire_time
    door.clock.advance(minutes=2)
    with pytest.raises(ApiKeyExpired):
        await door.trade(issued.secret)


async def test_both_secrets_are_good_during_the_overlap_and_the_new_one_after(door):
    old = await door.make_key()
    new = await door.api_keys.rotate(door.person(), old.api_key.api_key_id, timedelta(minutes=2))
    assert new.secret != old.secret
    said = await door.trade(old.secret)
    assert said["expire_time"] == door.clock() + timedelta(minutes=2)
    await door.trade(new.secret)
    door.clock.advance(minutes=2)
    with pytest.raises(ApiKeyExpired):
        await door.trade(old.secret)
    await door.trade(new.secret)


async def test_without_an_overlap_the_old_secret_is_over_at_once(door):
    old = await door.make_key()
    await door.api_keys.rotate(door.person(), old.api_key.api_key_id, timedelta(0))
    with pytest.raises(ApiKeyInvalid):
        await door.trade(old.secret)


async def test_end_users_of_a_product_are_apart_from_each_other_and_from_the_maker(door):
    issued = await door.make_key(is_on_behalf_of_allowed=True)
    subjects = [(await door.trade(issued.secret, (), who))["subject"] for who in [(), ("ann",), ("bob",), ("ann",)]]
    assert subjects[0] == ANN
    assert len(set(subjects)) == 3
    assert subjects[1] == subjects[3] == str(uuid.uuid5(uuid.UUID(HOME), "ann"))


async def test_nobody_administers_on_behalf_of_an_end_user(door):
    issued = await door.make_key(is_on_behalf_of_allowed=True)
    said = await door.trade(issued.secret, (), ("ann",))
    assert (said["role"], said["scopes"]) == (Role.MEMBER, ALL - {Scope.ADMIN})


async def test_only_a_key_that_was_made_for_it_acts_on_behalf_of_somebody(door):
    issued = await door.make_key()
    door.judge.principals["a.b.c"] = door.person()
    for credential in (issued.secret, "a.b.c"):
        with pytest.raises(OnBehalfOfNotAllowed):
            await door.trade(credential, (), ("ann",))


@pytest.mark.parametrize("names", [("",), ("a", "b"), ("a,b",), ("a b",), ("x" * 129,), ("é",), ("a\n",)])
async def test_an_end_user_has_one_plain_name(door, names):
    issued = await door.make_key(is_on_behalf_of_allowed=True)
    with pytest.raises(InvalidOnBehalfOf):
        await door.trade(issued.secret, (), names)


async def test_a_person_selects_one_of_the_own_tenants_and_has_the_role_of_that_one(door):
    door.judge.principals["a.b.c"] = door.person()
    said = await door.trade("a.b.c", (OTHER.upper(),))
    assert (said["subject"], said["tenant_id"], said["role"]) == (ANN, OTHER, Role.MEMBER)
    assert said["session_id"] == "session-1"
    assert said["scopes"] is None
    assert said["expire_time"] == door.clock() + timedelta(minutes=5)
    assert await door.exchange.trade("a.b.c", (HOME,), ()) == "a.b.c"


async def test_a_selected_tenants_token_ends_with_the_token_it_was_traded_for(door):
    door.judge.principals["a.b.c"] = replace(door.person(), expires_at=door.clock() + timedelta(seconds=30))
    said = await door.trade("a.b.c", (OTHER,))
    assert said["expire_time"] == door.clock() + timedelta(seconds=30)


@pytest.mark.parametrize("tenant", [BOB, "00000000-0000-0000-0000-000000000000"])
async def test_a_tenant_that_is_none_of_the_callers_is_not_found(door, tenant):
    door.judge.principals["a.b.c"] = door.person()
    issued = await door.make_key()
    for credential in ("a.b.c", issued.secret):
        with pytest.raises(TenantNotFound):
            await door.trade(credential, (tenant,))


async def test_a_key_stays_in_its_tenant_and_may_name_it(door):
    issued = await door.make_key()
    assert (await door.trade(issued.secret, (HOME,)))["tenant_id"] == HOME
    with pytest.raises(TenantNotFound):
        await door.trade(issued.secret, (OTHER,))


@pytest.mark.parametrize("tenant", [("",), ("x",), (HOME, HOME), (HOME, OTHER), (f"{HOME},{HOME}",), (f"{{{HOME}}}",)])
async def test_the_tenant_header_names_one_tenant_by_a_uuid(door, tenant):
    door.judge.principals["a.b.c"] = door.person()
    with pytest.raises(InvalidTenantHeader):
        await door.trade("a.b.c", tenant)


async def test_what_was_traded_for_a_key_selects_no_tenant(door):
    door.judge.principals["a.b.c"] = door.person(scopes=ALL, api_key_id="k")
    door.judge.principals["s.e.r"] = replace(door.person(), role=Role.SERVICE, tenant_id="")
    for token in ("a.b.c", "s.e.r", "nobody's"):
        with pytest.raises(TokenInvalid):
            await door.trade(token, (OTHER,))


async def test_many_requests_at_once_are_one_look_at_the_store_and_one_token():
    door = Door(check=timedelta(seconds=3))
    issued = await door.make_key()
    tokens = await asyncio.gather(*(door.exchange.trade(issued.secret, (), ()) for _ in range(50)))
    assert (len(set(tokens)), door.keys.reads) == (1, 1)


async def test_a_token_goes_on_for_as_long_as_it_says_the_same_and_half_its_time(door):
    issued = await door.make_key()
    first = await door.exchange.trade(issued.secret, (), ())
    door.clock.advance(seconds=140)
    assert await door.exchange.trade(issued.secret, (), ()) == first
    door.clock.advance(seconds=20)
    second = await door.exchange.trade(issued.secret, (), ())
    assert second != first
    door.members.roles[ANN, HOME] = Role.ADMIN
    assert await door.exchange.trade(issued.secret, (), ()) != second


async def test_a_key_that_another_replica_has_revoked_is_refused_though_it_is_remembered():
    door = Door(check=timedelta(seconds=3))
    issued = await door.make_key()
    await door.trade(issued.secret)
    door.revoked.ended.add(issued.api_key.api_key_id)
    with pytest.raises(ApiKeyRevoked):
        await door.trade(issued.secret)


async def test_what_is_remembered_has_an_end():
    door = Door(check=timedelta(seconds=3))
    issued = await door.make_key(is_on_behalf_of_allowed=True)
    for number in range(MAX_REMEMBERED + 20):
        await door.exchange.trade(issued.secret, (), (f"user-{number}",))
    assert len(door.exchange.remembered) == MAX_REMEMBERED


async def test_a_store_that_is_away_refuses_and_is_asked_again(door):
    issued = await door.make_key()
    door.keys.failure = DependencyUnavailable("postgresql")
    with pytest.raises(DependencyUnavailable):
        await door.trade(issued.secret)
    door.keys.failure = None
    await door.trade(issued.secret)


async def test_a_use_is_written_once_a_minute_and_not_on_the_way_of_the_request(door):
    issued = await door.make_key()
    for _ in range(3):
        await door.trade(issued.secret)
    assert door.keys.keys[issued.api_key.api_key_id].last_use_time is None
    await door.uses.store_all()
    first = door.clock()
    door.clock.advance(seconds=59)
    await door.trade(issued.secret)
    await door.uses.store_all()
    assert door.keys.keys[issued.api_key.api_key_id].last_use_time == first
    door.clock.advance(seconds=1)
    await door.trade(issued.secret)
    await door.uses.store_all()
    assert door.keys.keys[issued.api_key.api_key_id].last_use_time == door.clock()


async def test_a_use_that_could_not_be_written_is_written_later(door):
    issued = await door.make_key()
    await door.trade(issued.secret)
    door.keys.failure = DependencyUnavailable("postgresql")
    with pytest.raises(DependencyUnavailable):
        await door.uses.store_all()
    door.keys.failure = None
    await door.uses.store_all()
    assert door.keys.keys[issued.api_key.api_key_id].last_use_time == door.clock()


def test_secrets_are_256_random_bits_behind_a_prefix_that_names_the_key():
    prefix = make_prefix(HOME)
    made = {make_secret(prefix) for _ in range(100)}
    assert len(made) == 100
    assert all(secret.startswith("dck_7d1f5e2c0000_") and len(hash_secret(secret)) == 64 for secret in made)


@pytest.mark.parametrize(
    ("role", "scopes", "wanted", "refused"),
    [
        (Role.MEMBER, None, {Scope.READ, Scope.WRITE, Scope.ASK}, None),
        (Role.MEMBER, None, {Scope.ADMIN}, Scope.ADMIN),
        (Role.ADMIN, None, ALL, None),
        (Role.OWNER, None, ALL, None),
        (Role.OWNER, {Scope.ADMIN, Scope.READ}, {Scope.READ}, None),
        (Role.OWNER, {Scope.ADMIN, Scope.READ}, {Scope.WRITE}, Scope.WRITE),
        (Role.MEMBER, {Scope.ADMIN}, {Scope.ADMIN}, Scope.ADMIN),
    ],
)
async def test_nobody_gives_a_key_what_is_not_theirs_to_give(door, role, scopes, wanted, refused):
    caller = door.person(role=role, scopes=scopes and frozenset(scopes))
    draft = ApiKeyDraft("x", frozenset(wanted))
    if refused is None:
        await door.api_keys.create(caller, draft)
        return
    with pytest.raises(ScopeNotGranted) as caught:
        await door.api_keys.create(caller, draft)
    assert caught.value.metadata == {"scope": refused}
    assert door.keys.keys == {}


async def test_a_user_has_a_hundred_keys_at_most(door):
    for _ in range(MOST_KEYS):
        await door.make_key()
    with pytest.raises(ApiKeyLimitReached):
        await door.make_key()


@pytest.mark.parametrize(
    ("user_id", "tenant_id", "role", "may_see", "may_rotate"),
    [
        (ANN, HOME, Role.MEMBER, True, True),
        (BOB, HOME, Role.MEMBER, False, False),
        (BOB, HOME, Role.ADMIN, True, False),
        (BOB, OTHER, Role.OWNER, False, False),
        (ANN, OTHER, Role.OWNER, False, False),
    ],
)
async def test_members_manage_their_own_keys_and_admins_all_but_their_secrets(
    door, user_id, tenant_id, role, may_see, may_rotate
):
    key_id = (await door.make_key()).api_key.api_key_id
    caller = door.person(user_id, tenant_id, role)
    calls = {
        lambda: door.api_keys.get(caller, key_id): may_see,
        lambda: door.api_keys.rename(caller, key_id, "other"): may_see,
        lambda: door.api_keys.rotate(caller, key_id, timedelta(hours=1)): may_rotate,
        lambda: door.api_keys.revoke(caller, key_id): may_see,
    }
    for call, is_allowed in calls.items():
        if is_allowed:
            await call()
        else:
            with pytest.raises(ApiKeyNotFound):
                await call()
    assert len(await door.api_keys.list_page(caller, limit=10, before=None)) == may_see


async def test_a_key_gets_no_secret_of_one_that_may_do_more(door):
    strong = await door.make_key()
    weak = door.person(scopes=frozenset({Scope.ADMIN}))
    with pytest.raises(ApiKeyNotFound):
        await door.api_keys.rotate(weak, strong.api_key.api_key_id, timedelta(0))


async def test_a_key_that_is_over_gets_no_other_secret(door):
    issued = await door.make_key(expire_time=door.clock() + timedelta(minutes=1))
    door.clock.advance(minutes=1)
    revoked = await door.make_key()
    await door.api_keys.revoke(door.person(), revoked.api_key.api_key_id)
    for key in (issued, revoked):
        with pytest.raises(ApiKeyNotFound):
            await door.api_keys.rotate(door.person(), key.api_key.api_key_id, timedelta(0))
