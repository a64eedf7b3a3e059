"""Puts auth together and serves it."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

import grpc

from auth.accounts.revocations import RevocationFeed
from auth.config import Settings
from auth.model import Lifetimes
from auth.ports import Needs
from auth.security.guesses import ZxcvbnGuesses
from auth.security.keys import load_published_key, load_signing_key
from auth.security.passwords import Argon2PasswordHasher
from auth.security.service_secrets import ConfiguredServiceSecrets
from auth.security.tokens import Ed25519TokenSigner
from auth.servicers.auth import AuthServicer
from auth.servicers.user import UserServicer
from auth.stores.accounts import PostgresAccountStore
from auth.stores.failures import PostgresFailureStore
from auth.stores.sessions import PostgresSessionStore
from docuchat.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server
from docuchat.auth.v1.user_service_pb2_grpc import add_UserServiceServicer_to_server
from servicekit.database import Database, open_database
from servicekit.revocation import RevokedSessions
from servicekit.rpc.server import run_service
from servicekit.tokens import Revocations, StaticKeys, TokenVerifier


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM. Raises KeyFileError before anything is opened if a key file is not usable."""
    # Keys first: a process that cannot sign should not look healthy for a moment.
    signer = make_signer(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, name="auth"))
        hasher = make_hasher(settings)
        stack.callback(hasher.close)
        needs = assemble(settings, database, hasher, signer)
        feed = RevocationFeed(needs)
        # auth judges its own tokens by its own store, as every other service judges them by auth.
        revoked = RevokedSessions(feed.watch, source="postgresql")
        await run_service(
            settings,
            name="auth",
            add_servicers=partial(add_servicers, needs=needs, feed=feed),
            checks={"postgresql": database.ping},
            verifier=make_verifier(settings, signer, revoked),
            background=[feed.follow, revoked.follow],
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


def assemble(settings: Settings, database: Database, hasher: Argon2PasswordHasher, signer: Ed25519TokenSigner) -> Needs:
    """Chooses an adapter for every port."""
    return Needs(
        accounts=PostgresAccountStore(database),
        sessions=PostgresSessionStore(database),
        failures=PostgresFailureStore(database),
        passwords=hasher,
        guesses=ZxcvbnGuesses(hasher.run),
        tokens=signer,
        successors=signer.successors,
        service_secrets=ConfiguredServiceSecrets(read_secrets(settings)),
        clock=lambda: datetime.now(UTC),
        lifetimes=Lifetimes(
            access_token=timedelta(seconds=settings.access_token_seconds),
            session=timedelta(seconds=settings.session_seconds),
            refresh_grace=timedelta(seconds=settings.refresh_grace_seconds),
        ),
    )


def read_secrets(settings: Settings) -> dict[str, str]:
    """Returns the services' secrets in the clear, for their digests."""
    return {name: secret.get_secret_value() for name, secret in settings.service_secrets.items()}


def add_servicers(server: grpc.aio.Server, *, needs: Needs, feed: RevocationFeed) -> None:
    """Adds both services to a server."""
    add_AuthServiceServicer_to_server(AuthServicer(needs, feed), server)
    add_UserServiceServicer_to_server(UserServicer(needs), server)
