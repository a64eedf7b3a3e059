"""Puts auth together and serves it."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import grpc

from auth.accounts.revocations import RevocationFeed
from auth.accounts.services import Services
from auth.accounts.sessions import Sessions
from auth.accounts.users import Users
from auth.config import Settings
from auth.model.accounts import Lifetimes
from auth.security.keys import load_published_key, load_signing_key
from auth.security.passwords import Argon2PasswordHasher, ZxcvbnGuesses
from auth.security.service_secrets import ConfiguredServiceSecrets
from auth.security.tokens import Ed25519TokenSigner
from auth.servicers.auth import AuthServicer
from auth.stores.accounts import PostgresAccountStore
from auth.stores.failures import PostgresFailureStore
from auth.stores.sessions import PostgresSessionStore
from auth.wiring.tenants import ERASURE_SECONDS, TenantFlows, add_tenant_servicers, build_tenants, open_erasers
from docuchat.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server
from servicekit.database import Database, open_database
from servicekit.repeating import repeat
from servicekit.revocation import RevokedSessions
from servicekit.rpc.server import run_service
from servicekit.tokens import Revocations, StaticKeys, TokenVerifier

CLOCK = partial(datetime.now, UTC)


class Flows(NamedTuple):
    """What auth does, with everything plugged in."""

    users: Users
    sessions: Sessions
    services: Services


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM. Raises KeyFileError before anything is opened if a key file is not usable."""
    # Keys first: a process that cannot sign should not look healthy for a moment.
    signer = make_signer(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, name="auth"))
        hasher = make_hasher(settings)
        stack.callback(hasher.close)
        flows = build_flows(settings, database, hasher, signer)
        erasers = await stack.enter_async_context(open_erasers(settings, database, signer))
        tenants = build_tenants(database, flows.users, erasers)
        feed = RevocationFeed(PostgresSessionStore(database), CLOCK, read_lifetimes(settings).access_token)
        # auth judges its own tokens by its own store, as every other service judges them by auth.
        revoked = RevokedSessions(feed.watch, source="postgresql")
        await run_service(
            settings,
            name="auth",
            add_servicers=partial(add_servicers, flows=flows, tenants=tenants, signer=signer, feed=feed),
            checks={"postgresql": database.ping},
            verifier=make_verifier(settings, signer, revoked),
            background=[
                feed.follow,
                revoked.follow,
                partial(repeat, "erasures", tenants.work.run_due, every_seconds=ERASURE_SECONDS),
            ],
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
    sessions = Sessions(
        PostgresSessionStore(database),
        accounts,
        signer,
        signer.successors,
        CLOCK,
        lifetimes,
        staff_enabled=settings.staff_enabled,
    )
    users = Users(accounts, PostgresFailureStore(database), hasher, ZxcvbnGuesses(hasher.run), sessions, CLOCK)
    secrets = ConfiguredServiceSecrets(read_secrets(settings))
    return Flows(users, sessions, Services(secrets, signer, CLOCK, lifetimes.service_token))


def add_servicers(
    server: grpc.aio.Server, *, flows: Flows, tenants: TenantFlows, signer: Ed25519TokenSigner, feed: RevocationFeed
) -> None:
    """Adds auth's services to a server."""
    auth = AuthServicer(flows.users, flows.sessions, flows.services, signer, feed)
    add_AuthServiceServicer_to_server(auth, server)
    add_tenant_servicers(server, flows.users, tenants)
