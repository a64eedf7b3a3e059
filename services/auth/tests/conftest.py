"""Fakes of the ports, a few lines each, and a real server on a real database."""

import asyncio
import hashlib
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from auth.accounts.revocations import RevocationFeed
from auth.accounts.services import Services
from auth.accounts.sessions import Sessions
from auth.accounts.users import Users
from auth.billing.payments import Billing
from auth.billing.usage import UsageMeter
from auth.config import Settings
from auth.errors.accounts import EmailTaken, SlugTaken
from auth.model.accounts import Account, FailureCount, Lifetimes, Me, Membership, RefreshToken, Session, Trade, Verdict
from auth.server import (
    CLOCK,
    PlansOfTenants,
    add_servicers,
    build_flows,
    build_keys,
    make_hasher,
    make_signer,
    make_verifier,
)
from auth.stores.sessions import PostgresSessionStore
from servicekit.identity import Role
from servicekit.revocation import RevokedSessions
from servicekit.rpc.client import open_channel
from servicekit.rpc.server import build_server


@dataclass
class FakeClock:
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.now

    def advance(self, **duration):
        self.now += timedelta(**duration)


@dataclass
class FakeAccounts:
    accounts: dict = field(default_factory=dict)
    members: dict = field(default_factory=lambda: defaultdict(list))

    async def create(self, user, password_hash, tenant):
        if user.email in self.accounts:
            raise EmailTaken
        if tenant.slug in self.slugs():
            raise SlugTaken
        self.accounts[user.email] = Account(user, password_hash)
        self.members[user.user_id].append(Membership(tenant, Role.OWNER))

    def slugs(self):
        return {each.tenant.slug for memberships in self.members.values() for each in memberships}

    async def find_by_email(self, email):
        return self.accounts.get(email)

    async def replace_password_hash(self, email, password_hash):
        self.accounts[email] = replace(self.accounts[email], password_hash=password_hash)

    async def find_me(self, user_id):
        users = [each.user for each in self.accounts.values() if each.user.user_id == user_id]
        return Me(users[0], tuple(self.members[user_id])) if users else None

    async def find_membership(self, user_id, tenant_id=""):
        return next((each for each in self.members[user_id] if tenant_id in {"", each.tenant.tenant_id}), None)


@dataclass
class FakeSessions:
    sessions: dict = field(default_factory=dict)
    tokens: dict = field(default_factory=dict)
    failure: Exception | None = None

    async def open(self, session: Session, token_hash):
        self.sessions[session.session_id] = session
        self.tokens[token_hash] = RefreshToken(token_hash, session.session_id, session.create_time)

    async def trade(self, token_hash, successor_hash, now, judge):
        if token_hash not in self.tokens:
            return None
        token = self.tokens[token_hash]
        session = self.sessions[token.session_id]
        verdict = judge(session, token, self.tokens.get(successor_hash))
        if verdict is Verdict.ROTATE:
            self.tokens[token_hash] = replace(token, use_time=now)
            self.tokens[successor_hash] = RefreshToken(successor_hash, session.session_id, now)
        if verdict is Verdict.REVOKE:
            await self.revoke(token_hash, now)
        return Trade(session, verdict)

    async def revoke(self, token_hash, now):
        if token_hash in self.tokens:
            session_id = self.tokens[token_hash].session_id
            self.sessions[session_id] = replace(self.sessions[session_id], revoke_time=now)

    async def list_revoked(self, since):
        if self.failure:
            raise self.failure
        return [each.session_id for each in self.sessions.values() if each.revoke_time and each.revoke_time > since]


@dataclass
class FakeFailures:
    counts: dict = field(default_factory=dict)

    async def find(self, email):
        return self.counts.get(email, FailureCount())

    async def change(self, email, change):
        self.counts[email] = change(await self.find(email))


@dataclass
class FakePasswords:
    generation: int = 1
    calls: list = field(default_factory=list)

    async def hash(self, password):
        self.calls.append("hash")
        return f"{self.generation}:{password}"

    async def verify(self, password_hash, password):
        self.calls.append("verify")
        return password_hash is not None and password_hash.partition(":")[2] == password

    def is_outdated(self, password_hash):
        return not password_hash.startswith(f"{self.generation}:")


@dataclass
class FakeTokens:
    signed: list = field(default_factory=list)

    def sign(self, **claims):
        self.signed.append(claims)
        return f"access-{len(self.signed)}"

    def publish(self):
        return b'{"keys": []}'


class FakeSuccessors:
    def derive(self, refresh_token):
        return hashlib.sha256(refresh_token.encode()).hexdigest()


@dataclass
class FakeGuesses:
    log10: float = 20
    asked: list = field(default_factory=list)

    async def count_log10(self, password, known):
        self.asked.append((password, known))
        return self.log10


@dataclass
class FakeLimits:
    limit: int = 0

    async def find(self, tenant_id):
        return self.limit


class FakeServiceSecrets:
    def matches(self, service_name, secret):
        return (service_name, secret) == ("ingestion", "the secret of ingestion")


@dataclass
class Needs:
    """All ports, faked, and the flows over them; the fakes' fields are open to the test."""

    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    sessions: FakeSessions = field(default_factory=FakeSessions)
    failures: FakeFailures = field(default_factory=FakeFailures)
    passwords: FakePasswords = field(default_factory=FakePasswords)
    guesses: FakeGuesses = field(default_factory=FakeGuesses)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    successors: FakeSuccessors = field(default_factory=FakeSuccessors)
    clock: FakeClock = field(default_factory=FakeClock)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    limits: FakeLimits = field(default_factory=FakeLimits)

    @property
    def flow(self):
        ports = (self.sessions, self.accounts, self.tokens, self.successors, self.clock)
        return Sessions(*ports, self.lifetimes, self.limits)

    @property
    def users(self):
        return Users(self.accounts, self.failures, self.passwords, self.guesses, self.flow, self.clock)

    @property
    def services(self):
        return Services(FakeServiceSecrets(), self.tokens, self.clock, self.lifetimes.service_token)

    def feed(self, **options):
        return RevocationFeed(self.sessions, self.clock, self.lifetimes.access_token, **options)


@pytest.fixture
def needs():
    return Needs()


def write_key(path, key):
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture
def key_file(tmp_path):
    """A fresh Ed25519 key in PEM."""
    return write_key(tmp_path / "signing.pem", Ed25519PrivateKey.generate())


WEBHOOK_SECRET = "whsec_of_a_test"


@dataclass
class Stack:
    """A whole auth service in this process."""

    database: object
    settings: Settings
    users: Users
    sessions: Sessions
    services: Services
    meter: UsageMeter
    billing: Billing
    signer: object
    hasher: object
    keys: object
    address: str
    channel: object

    @asynccontextmanager
    async def channel_with(self, token):
        async def identity():
            return token

        async with open_channel(self.address, identity=identity) as channel:
            yield channel


@pytest_asyncio.fixture
async def stack(service_database, key_file):
    """Serves auth with its real adapters on a free port."""
    database = await service_database("auth")
    settings = Settings(
        database_url=database.url,
        signing_key_file=key_file,
        service_secrets={name: f"the secret of {name}" for name in ("ingestion", "retrieval", "chat")},
        stripe_secret_key="sk_test_key",
        stripe_webhook_secret=WEBHOOK_SECRET,
        stripe_prices={"pro": "price_pro"},
    )
    signer, hasher = make_signer(settings), make_hasher(settings)
    flows = build_flows(settings, database.database, hasher, signer)
    feed = RevocationFeed(PostgresSessionStore(database.database), CLOCK, Lifetimes().access_token, interval=0.05)
    revoked = RevokedSessions(feed.watch, source="postgresql")
    following = [asyncio.create_task(each.follow()) for each in (feed, revoked)]
    verifier = make_verifier(settings, signer, revoked)
    keys = build_keys(database.database, signer, verifier, revoked, PlansOfTenants(flows.meter))
    server = build_server(name="auth", verifier=verifier)
    add_servicers(server.grpc, settings=settings, flows=flows, keys=keys, signer=signer, feed=feed)
    address = await server.start("127.0.0.1:0")
    async with open_channel(address) as channel:
        yield Stack(database, settings, *flows, signer, hasher, keys, address, channel)
    feed.close()
    # With time to spare: whoever watches must have been let go.
    await asyncio.wait_for(server.stop(10), 5)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    hasher.close()
