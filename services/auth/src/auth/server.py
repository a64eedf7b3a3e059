"""Puts auth together and serves it."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import grpc

from auth.accounts.revocations import RevocationFeed
from auth.accounts.services import Services
from auth.accounts.sessions import Sessions
from auth.accounts.users import Users
from auth.billing.payments import Billing
from auth.billing.usage import UsageMeter
from auth.config import Settings
from auth.keys.api_keys import ApiKeys
from auth.keys.exchange import Exchange
from auth.keys.uses import LastUses
from auth.model.accounts import Lifetimes
from auth.payments.stripe import StripePayments
from auth.ports.accounts import PlanLimits
from auth.security.keys import load_published_key, load_signing_key
from auth.security.passwords import Argon2PasswordHasher, ZxcvbnGuesses
from auth.security.service_secrets import ConfiguredServiceSecrets
from auth.security.tokens import Ed25519TokenSigner
from auth.servicers.api_key import ApiKeyServicer
from auth.servicers.auth import AuthServicer
from auth.servicers.ext_authz import ExtAuthzServicer, add_as_envoy_calls_it
from auth.servicers.plan import PlanServicer
from auth.servicers.usage import UsageServicer
from auth.servicers.user import UserServicer
from auth.stores.accounts import PostgresAccountStore
from auth.stores.api_keys import PostgresApiKeyStore
from auth.stores.failures import PostgresFailureStore
from auth.stores.plans import PostgresPlanStore
from auth.stores.sessions import PostgresSessionStore
from auth.stores.usage import PostgresUsageStore
from docuchat.auth.v1.api_key_service_pb2_grpc import add_ApiKeyServiceServicer_to_server
from docuchat.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server
from docuchat.auth.v1.plan_service_pb2_grpc import add_PlanServiceServicer_to_server
from docuchat.auth.v1.usage_service_pb2_grpc import add_UsageServiceServicer_to_server
from docuchat.auth.v1.user_service_pb2_grpc import add_UserServiceServicer_to_server
from servicekit.database import Database, open_database
from servicekit.revocation import RevokedSessions
from servicekit.rpc.server import run_service
from servicekit.tokens import Revocations, StaticKeys, TokenVerifier

CLOCK = partial(datetime.now, UTC)


class Flows(NamedTuple):
    """What auth does, with everything plugged in."""

    users: Users
    sessions: Sessions
    services: Services
    meter: UsageMeter
    billing: Billing


class KeyFlows(NamedTuple):
    """What auth does about API keys."""

    api_keys: ApiKeys
    exchange: Exchange
    uses: LastUses


@dataclass(frozen=True)
class PlansOfTenants:
    """A PlanLimits: what the plans say that tenants have bought."""

    meter: UsageMeter

    async def find(self, tenant_id: str) -> int:
        """Returns how many calls a minute all callers of a tenant may make; 0 for no limit."""
        return (await self.meter.find_limits(tenant_id)).requests_per_minute


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM. Raises KeyFileError before anything is opened if a key file is not usable."""
    # Keys first: a process that cannot sign should not look healthy for a moment.
    signer = make_signer(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, name="auth"))
        hasher = make_hasher(settings)
        stack.callback(hasher.close)
        feed = RevocationFeed(PostgresSessionStore(database), CLOCK, read_lifetimes(settings).access_token)
        # auth judges its own tokens by its own store, as every other service judges them by auth.
        revoked = RevokedSessions(feed.watch, source="postgresql")
        verifier = make_verifier(settings, signer, revoked)
        flows = build_flows(settings, database, hasher, signer)
        keys = build_keys(database, signer, verifier, revoked, PlansOfTenants(flows.meter))
        await run_service(
            settings,
            name="auth",
            add_servicers=partial(
                add_servicers,
                settings=settings,
                flows=flows,
                keys=keys,
                signer=signer,
                feed=feed,
            ),
            checks={"postgresql": database.ping},
            verifier=verifier,
            background=[feed.follow, revoked.follow, keys.uses.follow],
            on_stop=[feed.close],
        )


def make_signer(settings: Settings) -> Ed25519TokenSigner:
    """Reads the keys. Raises KeyFileError."""
    return Ed25519TokenSigner(
        load_signing_key(settings.signing_key_file),
        issuer=settings.issuer,
        audience=settings.audience,
        published=[load_published_key(path) for path in settings.published_key_files],
    )


def make_hasher(settings: Settings) -> Argon2PasswordHasher:
    """Makes the hasher as strong as configured."""
    return Argon2PasswordHasher(
        memory_kib=settings.password_memory_kib,
        passes=settings.password_passes,
        threads=settings.password_threads,
        queue=settings.password_queue,
    )


def make_verifier(settings: Settings, signer: Ed25519TokenSigner, revoked: Revocations) -> TokenVerifier:
    """Makes a verifier with the signer's own keys: auth need not ask itself."""
    return TokenVerifier(StaticKeys(signer.public_keys), settings.issuer, settings.audience, revoked=revoked)


def read_lifetimes(settings: Settings) -> Lifetimes:
    """Returns how long things live."""
    return Lifetimes(
        access_token=timedelta(seconds=settings.access_token_seconds),
        session=timedelta(seconds=settings.session_seconds),
        refresh_grace=timedelta(seconds=settings.refresh_grace_seconds),
    )


def read_secrets(settings: Settings) -> dict[str, str]:
    """Returns the services' secrets in the clear, for their digests."""
    return {name: secret.get_secret_value() for name, secret in settings.service_secrets.items()}


def build_flows(
    settings: Settings, database: Database, hasher: Argon2PasswordHasher, signer: Ed25519TokenSigner
) -> Flows:
    """Chooses an adapter for every port."""
    accounts, lifetimes = PostgresAccountStore(database), read_lifetimes(settings)
    plans = PostgresPlanStore(database, settings.default_plan)
    meter = UsageMeter(PostgresUsageStore(database), plans, CLOCK)
    limits = PlansOfTenants(meter)
    sessions = Sessions(PostgresSessionStore(database), accounts, signer, signer.successors, CLOCK, lifetimes, limits)
    users = Users(accounts, PostgresFailureStore(database), hasher, ZxcvbnGuesses(hasher.run), sessions, CLOCK)
    secrets = ConfiguredServiceSecrets(read_secrets(settings))
    return Flows(
        users,
        sessions,
        Services(secrets, signer, CLOCK, lifetimes.service_token),
        meter,
        Billing(plans, make_payments(settings), settings.stripe_prices),
    )


def make_payments(settings: Settings) -> StripePayments | None:
    """Returns what takes the money, where it is configured."""
    key, webhook = settings.stripe_secret_key, settings.stripe_webhook_secret
    if key is None or webhook is None:
        return None
    return StripePayments(key.get_secret_value(), webhook.get_secret_value(), settings.billing_return_url)


def build_keys(
    database: Database, signer: Ed25519TokenSigner, verifier: TokenVerifier, revoked: Revocations, limits: PlanLimits
) -> KeyFlows:
    """Chooses an adapter for every port of API keys."""
    store, accounts = PostgresApiKeyStore(database), PostgresAccountStore(database)
    uses = LastUses(store)
    exchange = Exchange(store, accounts, limits, signer, verifier, revoked, uses, CLOCK)
    return KeyFlows(ApiKeys(store, CLOCK), exchange, uses)


def add_servicers(
    server: grpc.aio.Server,
    *,
    settings: Settings,
    flows: Flows,
    keys: KeyFlows,
    signer: Ed25519TokenSigner,
    feed: RevocationFeed,
) -> None:
    """Adds all services to a server."""
    auth = AuthServicer(flows.users, flows.sessions, flows.services, signer, feed)
    add_AuthServiceServicer_to_server(auth, server)
    add_UserServiceServicer_to_server(UserServicer(flows.users), server)
    add_UsageServiceServicer_to_server(UsageServicer(flows.meter, CLOCK), server)
    add_PlanServiceServicer_to_server(PlanServicer(flows.billing), server)
    add_ApiKeyServiceServicer_to_server(ApiKeyServicer(keys.api_keys), server)
    names = {"tenant_header": settings.tenant_header, "on_behalf_of_header": settings.on_behalf_of_header}
    add_as_envoy_calls_it(ExtAuthzServicer(keys.exchange, **names), server)
