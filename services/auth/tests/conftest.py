"""Fakes of the ports, a few lines each, and a real server on a real database."""

import asyncio
import hashlib
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import grpc
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from auth.accounts.revocations import RevocationFeed
from auth.accounts.services import Services
from auth.accounts.sessions import Sessions
from auth.accounts.users import Users
from auth.config import Settings
from auth.errors.accounts import EmailTaken, SlugTaken
from auth.model.accounts import Account, FailureCount, Lifetimes, Me, Membership, RefreshToken, Session, Trade, Verdict
from auth.server import CLOCK, add_servicers, build_flows, make_hasher, make_signer, make_verifier
from auth.stores.erasures import PostgresEraser
from auth.stores.sessions import PostgresSessionStore
from auth.wiring.tenants import TenantFlows, build_tenants
from docuchat.auth.v1 import auth_service_pb2, tenant_service_pb2
from docuchat.auth.v1.admin_service_pb2_grpc import AdminServiceStub
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from docuchat.auth.v1.tenant_service_pb2_grpc import TenantServiceStub
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceStub
from servicekit.erasure import Erased
from servicekit.identity import Role
from servicekit.revocation import RevokedSessions
from servicekit.rpc.client import open_channel
from servicekit.rpc.server import build_server
from servicekit.rpc.status import read_error


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

    async def add_tenant(self, user, tenant):
        if tenant.slug in self.slugs():
            raise SlugTaken
        self.members[user.user_id].append(Membership(tenant, Role.OWNER))

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


class FakeServiceSecrets:
    def matches(self, service_name, secret):
        return (service_name, secret) == ("ingestion", "the secret of ingestion")


@dataclass
class FakeEraser:
    """A service that keeps `left` things of everybody, and erases two of them a call."""

    service: str
    left: int = 5
    failures: list = field(default_factory=list)
    asked: list = field(default_factory=list)

    async def erase(self, subject):
        self.asked.append(subject)
        if self.failures:
            raise self.failures.pop()
        gone = min(self.left, 2)
        self.left -= gone
        return Erased({"things": gone} if gone else {}, is_complete=not self.left)


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

    @property
    def flow(self):
        return Sessions(self.sessions, self.accounts, self.tokens, self.successors, self.clock, self.lifetimes)

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


@dataclass
class Stack:
    """A whole auth service in this process."""

    database: object
    settings: Settings
    users: Users
    sessions: Sessions
    services: Services
    signer: object
    hasher: object
    tenants: TenantFlows
    erasers: dict
    letters: list
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
        staff_enabled=True,
        service_secrets={name: f"the secret of {name}" for name in ("ingestion", "retrieval", "chat")},
    )
    signer, hasher = make_signer(settings), make_hasher(settings)
    flows = build_flows(settings, database.database, hasher, signer)
    letters, erasers = [], {name: FakeEraser(name) for name in ("ingestion", "retrieval", "chat")}
    erasers["auth"] = PostgresEraser(database.database)

    async def keep_letter(_connection, letter):
        letters.append(letter)

    tenants = build_tenants(database.database, flows.users, erasers, keep_letter)
    feed = RevocationFeed(PostgresSessionStore(database.database), CLOCK, Lifetimes().access_token, interval=0.05)
    revoked = RevokedSessions(feed.watch, source="postgresql")
    following = [asyncio.create_task(each.follow()) for each in (feed, revoked)]
    server = build_server(name="auth", verifier=make_verifier(settings, signer, revoked))
    add_servicers(server.grpc, flows=flows, tenants=tenants, signer=signer, feed=feed)
    address = await server.start("127.0.0.1:0")
    async with open_channel(address) as channel:
        yield Stack(database, settings, *flows, signer, hasher, tenants, erasers, letters, address, channel)
    feed.close()
    # With time to spare: whoever watches must have been let go.
    await asyncio.wait_for(server.stop(10), 5)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    hasher.close()


@dataclass
class Person:
    """Somebody with a session in one tenant, and stubs that send its token."""

    email: str
    password: str
    user_id: str
    tenant_id: str
    tokens: object
    channel: object
    stack: object
    exits: AsyncExitStack

    def __post_init__(self):
        self.tenants = TenantServiceStub(self.channel)
        self.users = UserServiceStub(self.channel)
        self.admin = AdminServiceStub(self.channel)

    async def with_tokens(self, tokens, tenant_id):
        """The same user in another session."""
        channel = await self.exits.enter_async_context(self.stack.channel_with(tokens.access_token))
        return replace(self, tokens=tokens, tenant_id=tenant_id, channel=channel)

    async def log_in(self, **more):
        """The same user in a new session."""
        request = auth_service_pb2.LoginRequest(email=self.email, password=self.password, **more)
        tokens = (await AuthServiceStub(self.stack.channel).Login(request)).tokens
        return await self.with_tokens(tokens, more.get("tenant_id", self.tenant_id))


@pytest_asyncio.fixture
async def join(stack):
    """Returns a function that signs somebody up, or brings somebody into another's tenant by invitation."""
    known = {}
    password = "violet tractor hums at dawn"
    async with AsyncExitStack() as exits:

        async def sign_up(name):
            email = f"{name}@example.com"
            request = auth_service_pb2.SignUpRequest(email=email, password=password, display_name=name)
            made = await AuthServiceStub(stack.channel).SignUp(request)
            channel = await exits.enter_async_context(stack.channel_with(made.tokens.access_token))
            ids = (made.user.user_id, made.tenant.tenant_id)
            return Person(email, password, *ids, made.tokens, channel, stack, exits)

        async def join(name, *, into=None, role=Role.MEMBER):
            if name not in known:
                known[name] = await sign_up(name)
            person = known[name]
            if into is None:
                return person
            invite = tenant_service_pb2.CreateInvitationRequest(
                tenant_id=into.tenant_id, email=person.email, role=role.value
            )
            await into.tenants.CreateInvitation(invite)
            accept = tenant_service_pb2.AcceptInvitationRequest(invitation_token=stack.letters[-1].token)
            await person.tenants.AcceptInvitation(accept)
            select = tenant_service_pb2.SelectTenantRequest(tenant_id=into.tenant_id)
            return await person.with_tokens((await person.tenants.SelectTenant(select)).tokens, into.tenant_id)

        yield join


@pytest.fixture
def refused():
    """Returns a function that awaits a call which is refused and returns its error."""

    async def read(call):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        return read_error(caught.value)

    return read
