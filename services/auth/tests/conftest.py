"""Fakes of the ports, a few lines each, and a real server on a real database."""

import asyncio
import hashlib
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import grpc
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from auth.accounts.addresses import Addresses
from auth.accounts.codes import Codes
from auth.accounts.credentials import PasswordChange, Passwords
from auth.accounts.revocations import RevocationFeed
from auth.accounts.services import Services
from auth.accounts.sessions import Sessions
from auth.accounts.users import Users
from auth.config import Settings
from auth.errors.accounts import HasherBusy, SlugTaken
from auth.model.accounts import (
    Account,
    FailureCount,
    Failures,
    Lifetimes,
    Me,
    Membership,
    Proof,
    RefreshToken,
    Session,
    Trade,
    Verdict,
)
from auth.model.codes import CodeLimits, Tally
from auth.server import CLOCK, Flows, add_servicers, build_flows, make_hasher, make_signer, make_verifier
from auth.servicers.clients import ReadClient
from auth.stores.erasures import PostgresEraser
from auth.stores.sessions import PostgresSessionStore
from auth.wiring.keys import PlansOfTenants, build_keys
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
    sessions: "FakeSessions"
    outbox: list
    codes: "FakeCodes"
    accounts: dict = field(default_factory=dict)
    members: dict = field(default_factory=lambda: defaultdict(list))

    async def create(self, user, credential, tenant, code, mail):
        if tenant.slug in {each.tenant.slug for rows in self.members.values() for each in rows}:
            raise SlugTaken
        self.accounts[user.user_id] = Account(user, credential)
        self.members[user.user_id].append(Membership(tenant, Role.OWNER))
        await self.codes.replace(code, mail)

    def of(self, email):
        found = [each for each in self.accounts.values() if each.user.email == email]
        return sorted(found, key=lambda each: not each.user.is_email_verified)

    async def find_candidates(self, email, tag):
        return [each for each in self.of(email) if each.credential and each.credential.tag in {tag, None}][:2]

    async def find_owner(self, email):
        return next((each.user for each in self.of(email)), None)

    async def find_account(self, user_id):
        return self.accounts.get(user_id)

    async def replace_hash(self, user_id, credential):
        self.accounts[user_id] = replace(self.accounts[user_id], credential=credential)

    async def change_password(self, user_id, credential, now, *, keep, mail):
        await self.replace_hash(user_id, credential)
        await self.sessions.revoke_all(user_id, now, keep=keep)
        self.outbox.append(mail)

    async def verify_email(self, user_id, email, now, proof):
        account, others = self.accounts[user_id], [each for each in self.of(email) if each.user.user_id != user_id]
        if account.user.email != email or any(each.user.is_email_verified for each in others):
            return False
        for each in others:
            self.accounts[each.user.user_id] = Account(replace(each.user, email=""), None)
            await self.sessions.revoke_all(each.user.user_id, now)
        if proof is Proof.MAIL and not account.user.is_email_verified:
            account = replace(account, credential=None)
            await self.sessions.revoke_all(user_id, now)
        self.accounts[user_id] = replace(account, user=replace(account.user, is_email_verified=True))
        return True

    async def find_me(self, user_id):
        account = self.accounts.get(user_id)
        return Me(account.user, tuple(self.members[user_id])) if account else None

    async def add_tenant(self, user, tenant):
        self.members[user.user_id].append(Membership(tenant, Role.OWNER))

    async def find_membership(self, user_id, tenant_id=""):
        return next((each for each in self.members[user_id] if tenant_id in {"", each.tenant.tenant_id}), None)


@dataclass
class FakeCodes:
    outbox: list
    codes: dict = field(default_factory=dict)
    tries: dict = field(default_factory=dict)

    async def replace(self, code, mail):
        self.codes[code.key], self.tries[code.key] = code, 0
        self.outbox.append(mail)

    async def redeem(self, key, code_hash, now):
        code = self.codes.get(key)
        if code is None or code.expire_time <= now or self.tries[key] >= 5:
            return None
        self.tries[key] += 1
        return self.codes.pop(key).user_id if code.code_hash == code_hash else None


@dataclass
class FakeTallies:
    tallies: dict = field(default_factory=dict)

    async def change(self, keys, change):
        self.tallies |= zip(keys, change([self.tallies.get(key, Tally()) for key in keys]), strict=True)


class FakeCodeKeys:
    def name(self, use, subject):
        return f"{use} {subject}"

    def hash(self, use, subject, code):
        return f"{use} {subject} {code}"


class FakeDevices:
    def issue(self, email):
        return f"device of {email}"

    def identify(self, email, client):
        return client.device_token if client.device_token == self.issue(email) else ""


class FakeTags:
    def tag(self, email, password):
        return hash((email, password)) % 256


@dataclass
class FakeSessions:
    sessions: dict = field(default_factory=dict)
    tokens: dict = field(default_factory=dict)
    failure: Exception | None = None

    async def open(self, session: Session, token_hash):
        self.sessions[session.session_id] = session
        self.tokens[token_hash] = RefreshToken(token_hash, session.session_id, session.create_time)

    async def trade(self, token_hash, successor_hash, now, judge, address=""):
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

    async def revoke(self, token_hash, now, *, is_everywhere=False):
        if token_hash in self.tokens:
            session = self.sessions[self.tokens[token_hash].session_id]
            if is_everywhere:
                await self.revoke_all(session.user_id, now)
            else:
                await self.revoke_one(session.user_id, session.session_id, now)

    async def list_live(self, user_id, now):
        return [each for each in self.sessions.values() if each.user_id == user_id and not each.revoke_time]

    async def revoke_one(self, user_id, session_id, now):
        found = [each for each in await self.list_live(user_id, now) if each.session_id == session_id]
        self.sessions |= {each.session_id: replace(each, revoke_time=now) for each in found}
        return bool(found)

    async def revoke_all(self, user_id, now, *, keep=""):
        found = [each for each in await self.list_live(user_id, now) if each.session_id != keep]
        self.sessions |= {each.session_id: replace(each, revoke_time=now) for each in found}
        return len(found)

    async def list_revoked(self, since):
        if self.failure:
            raise self.failure
        return [each.session_id for each in self.sessions.values() if each.revoke_time and each.revoke_time > since]


@dataclass
class FakeFailures:
    counts: dict = field(default_factory=dict)

    async def find(self, attempt):
        here, everywhere = self.keys(attempt)
        return Failures(self.counts.get(here, FailureCount()), self.counts.get(everywhere, FailureCount()))

    async def change(self, attempt, change):
        after = change(await self.find(attempt))
        self.counts |= zip(self.keys(attempt), (after.here, after.everywhere), strict=True)

    async def forget(self, email):
        self.counts = {key: count for key, count in self.counts.items() if key[0] != email}

    def keys(self, attempt):
        place = (attempt.email, attempt.purpose)
        return (*place, attempt.client, attempt.is_known), (*place, "", False, "everywhere")


@dataclass
class FakePasswords:
    generation: int = 1
    calls: list = field(default_factory=list)
    is_busy: bool = False

    def require_room(self):
        if self.is_busy:
            raise HasherBusy

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

    sessions: FakeSessions = field(default_factory=FakeSessions)
    outbox: list = field(default_factory=list)
    failures: FakeFailures = field(default_factory=FakeFailures)
    tallies: FakeTallies = field(default_factory=FakeTallies)
    passwords: FakePasswords = field(default_factory=FakePasswords)
    guesses: FakeGuesses = field(default_factory=FakeGuesses)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    successors: FakeSuccessors = field(default_factory=FakeSuccessors)
    devices: FakeDevices = field(default_factory=FakeDevices)
    clock: FakeClock = field(default_factory=FakeClock)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    limits: CodeLimits = field(default_factory=CodeLimits)
    plan_limits: FakeLimits = field(default_factory=FakeLimits)

    def __post_init__(self):
        self.stored = FakeCodes(self.outbox)
        self.accounts = FakeAccounts(self.sessions, self.outbox, self.stored)

    @property
    def flow(self):
        ports = (self.sessions, self.accounts, self.tokens, self.successors, self.devices)
        return Sessions(*ports, self.clock, self.lifetimes, self.plan_limits)

    @property
    def hashing(self):
        return Passwords(self.passwords, self.guesses, FakeTags())

    @property
    def codes(self):
        ports = (self.stored, FakeCodeKeys(), self.tallies, self.failures, self.devices)
        return Codes(*ports, self.clock, self.limits)

    @property
    def users(self):
        return Users(self.accounts, self.failures, self.hashing, self.flow, self.codes, self.clock)

    @property
    def addresses(self):
        return Addresses(self.accounts, self.hashing, self.flow, self.codes, self.clock)

    @property
    def password_change(self):
        return PasswordChange(self.accounts, self.hashing, self.failures, self.codes, self.clock)

    def read_code(self, email):
        """Returns the code of the last mail to an address."""
        return [mail for mail in self.outbox if mail.recipient == email][-1].values["code"]

    @property
    def services(self):
        return Services(FakeServiceSecrets(), self.tokens, self.clock, self.lifetimes.service_token)

    def feed(self, **options):
        return RevocationFeed(self.sessions, self.clock, self.lifetimes.access_token, **options)


@pytest.fixture
def clock():
    """Begins now, and stands still until it is advanced."""
    return FakeClock(datetime.now(UTC))


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
    flows: Flows
    signer: object
    hasher: object
    tenants: TenantFlows
    erasers: dict
    letters: list
    keys: object
    address: str
    channel: object

    def __getattr__(self, name):
        """Returns the flow of this name."""
        return getattr(self.flows, name)

    async def read_mail(self):
        """Sends what waits and returns it, oldest first."""
        await self.mail.send_due()
        files = sorted(self.settings.mail_folder.glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]

    async def read_code(self, email):
        """Returns the code of the last mail to an address."""
        bodies = [mail.get_content() for mail in await self.read_mail() if mail["to"] == email]
        return next(line for line in bodies[-1].splitlines() if line.isdigit())

    @asynccontextmanager
    async def channel_with(self, token):
        async def identity():
            return token

        async with open_channel(self.address, identity=identity) as channel:
            yield channel


@pytest_asyncio.fixture
async def stack(service_database, key_file, tmp_path):
    """Serves auth with its real adapters on a free port."""
    database = await service_database("auth")
    settings = Settings(
        database_url=database.url,
        signing_key_file=key_file,
        staff_enabled=True,
        mail_folder=tmp_path / "mail",
        client_address_header="x-from",
        service_secrets={name: f"the secret of {name}" for name in ("ingestion", "retrieval", "chat")},
        stripe_secret_key="sk_test_key",
        stripe_webhook_secret=WEBHOOK_SECRET,
        stripe_prices={"pro": "price_pro"},
    )
    signer, hasher = make_signer(settings), make_hasher(settings)
    flows = build_flows(settings, database.database, hasher, signer)
    letters, erasers = [], {name: FakeEraser(name) for name in ("ingestion", "retrieval", "chat")}
    erasers["auth"] = PostgresEraser(database.database)

    tenants = build_tenants(settings, database.database, flows, signer, erasers)
    invitations = tenants.invitations.store
    queue = invitations._queue

    async def keep_letter(connection, letter):
        await queue(connection, letter)
        letters.append(letter)

    invitations._queue = keep_letter
    feed = RevocationFeed(PostgresSessionStore(database.database), CLOCK, Lifetimes().access_token, interval=0.05)
    revoked = RevokedSessions(feed.watch, source="postgresql")
    following = [asyncio.create_task(each.follow()) for each in (feed, revoked)]
    verifier = make_verifier(settings, signer, revoked)
    limits = PlansOfTenants(flows.billing.meter)
    keys = build_keys(database.database, flows.sessions.accounts, signer, verifier, revoked, limits, CLOCK)
    server = build_server(name="auth", verifier=verifier)
    add_servicers(
        server.grpc,
        settings=settings,
        flows=flows,
        tenants=tenants,
        keys=keys,
        signer=signer,
        feed=feed,
        read_client=ReadClient("x-from"),
    )
    address = await server.start("127.0.0.1:0")
    async with open_channel(address) as channel:
        yield Stack(database, settings, flows, signer, hasher, tenants, erasers, letters, keys, address, channel)
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
