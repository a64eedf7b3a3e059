"""Puts auth together and serves it."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import grpc

from auth.accounts.addresses import Addresses
from auth.accounts.codes import Codes
from auth.accounts.credentials import PasswordChange, Passwords
from auth.accounts.mailing import MailSender
from auth.accounts.revocations import RevocationFeed
from auth.accounts.services import Services
from auth.accounts.sessions import Sessions
from auth.accounts.users import Users
from auth.config import Settings
from auth.mail.folder import FolderMailer
from auth.mail.smtp import SmtpMailer
from auth.model.accounts import Lifetimes
from auth.model.codes import Allowance, CodeLimits
from auth.ports.mail import Mailer
from auth.security.codes import HmacCodeKeys, HmacDevices, HmacPasswordTags
from auth.security.derived import load_derivation
from auth.security.keyring import KeyRing
from auth.security.passwords import Argon2PasswordHasher, ZxcvbnGuesses
from auth.security.seal import MailSeal
from auth.security.service_secrets import ConfiguredServiceSecrets
from auth.security.successors import HmacSuccessors
from auth.security.tokens import Ed25519TokenSigner
from auth.servicers.auth import AuthServicer
from auth.servicers.clients import ReadClient
from auth.servicers.user import UserServicer
from auth.stores.accounts import PostgresAccountStore
from auth.stores.codes import PostgresCodeStore, PostgresTallyStore
from auth.stores.failures import PostgresFailureStore
from auth.stores.outbox import PostgresOutbox
from auth.stores.sessions import PostgresSessionStore
from auth.wiring.billing import BillingFlows, add_billing_servicers, build_billing
from auth.wiring.keys import KeyFlows, PlansOfTenants, add_key_servicers, build_keys
from auth.wiring.tenants import ERASURE_SECONDS, TenantFlows, add_tenant_servicers, build_tenants, open_erasers
from docuchat.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server
from docuchat.auth.v1.user_service_pb2_grpc import add_UserServiceServicer_to_server
from servicekit.database import Database, open_database
from servicekit.repeating import repeat
from servicekit.revocation import RevokedSessions
from servicekit.rpc.server import run_service
from servicekit.tokens import Revocations, TokenVerifier

SWEEP_SECONDS = 900.0
CLOCK = partial(datetime.now, UTC)


class Flows(NamedTuple):
    """What auth does, with everything plugged in."""

    users: Users
    addresses: Addresses
    password_change: PasswordChange
    codes: Codes
    sessions: Sessions
    services: Services
    mail: MailSender
    billing: BillingFlows
    outbox: PostgresOutbox


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
        tenants = build_tenants(settings, database, flows, signer, erasers)
        feed = RevocationFeed(PostgresSessionStore(database), CLOCK, read_lifetimes(settings).access_token)
        # auth judges its own tokens by its own store, as every other service judges them by auth.
        revoked = RevokedSessions(feed.watch, source="postgresql")
        read_client = ReadClient(settings.client_address_header)
        verifier = make_verifier(settings, signer, revoked)
        limits = PlansOfTenants(flows.billing.meter)
        keys = build_keys(database, flows.sessions.accounts, signer, verifier, revoked, limits, CLOCK)
        await run_service(
            settings,
            name="auth",
            add_servicers=partial(
                add_servicers,
                settings=settings,
                flows=flows,
                tenants=tenants,
                keys=keys,
                signer=signer,
                feed=feed,
                read_client=read_client,
            ),
            checks={"postgresql": database.ping},
            verifier=verifier,
            background=[
                feed.follow,
                revoked.follow,
                signer.ring.follow,
                flows.mail.follow,
                keys.uses.follow,
                partial(sweep, flows),
                partial(repeat, "erasures", tenants.work.run_due, every_seconds=ERASURE_SECONDS),
            ],
            on_stop=[feed.close],
        )


def check(settings: Settings) -> None:
    """Reads what only a look at the files shows. Raises KeyFileError or WrongSetting."""
    make_signer(settings)
    load_derivation(settings.secret_file, settings.signing_key_file)


def make_signer(settings: Settings) -> Ed25519TokenSigner:
    """Reads the keys. Raises KeyFileError."""
    ring = KeyRing(settings.signing_key_file, settings.published_key_files, CLOCK)
    return Ed25519TokenSigner(ring, issuer=settings.issuer, audience=settings.audience)


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
    return TokenVerifier(signer.ring, settings.issuer, settings.audience, revoked=revoked)


def make_mailer(settings: Settings) -> Mailer:
    """Returns the way out for mail: SMTP where it is configured, a folder where it is not."""
    if settings.smtp_url:
        return SmtpMailer(settings.smtp_url.get_secret_value(), settings.mail_from)
    return FolderMailer(settings.mail_folder or settings.data_dir / "mail", settings.mail_from)


def read_lifetimes(settings: Settings) -> Lifetimes:
    """Returns how long things live."""
    return Lifetimes(
        access_token=timedelta(seconds=settings.access_token_seconds),
        session=timedelta(seconds=settings.session_seconds),
        refresh_grace=timedelta(seconds=settings.refresh_grace_seconds),
    )


def read_code_limits(settings: Settings) -> CodeLimits:
    """Returns who may ask for how many codes, and be wrong how often."""
    hour, day = timedelta(hours=1), timedelta(days=1)
    return CodeLimits(
        requests_by_client=Allowance(settings.code_requests_per_client, hour),
        requests_overall=Allowance(settings.code_requests_overall, hour),
        failures_by_client=Allowance(settings.code_failures_per_client, hour),
        failures_overall=Allowance(settings.code_failures_overall, day),
    )


def read_secrets(settings: Settings) -> dict[str, str]:
    """Returns the services' secrets in the clear, for their digests."""
    return {name: secret.get_secret_value() for name, secret in settings.service_secrets.items()}


def build_flows(
    settings: Settings, database: Database, hasher: Argon2PasswordHasher, signer: Ed25519TokenSigner
) -> Flows:
    """Chooses an adapter for every port."""
    derive = load_derivation(settings.secret_file, settings.signing_key_file)
    outbox = PostgresOutbox(database, MailSeal(derive))
    accounts, failures, lifetimes = (
        PostgresAccountStore(database, outbox),
        PostgresFailureStore(database),
        read_lifetimes(settings),
    )
    billing = build_billing(settings, database, CLOCK)
    devices, store = HmacDevices(derive), PostgresSessionStore(database)
    sessions = Sessions(
        store,
        accounts,
        signer,
        HmacSuccessors(derive),
        devices,
        CLOCK,
        lifetimes,
        PlansOfTenants(billing.meter),
        staff_enabled=settings.staff_enabled,
    )
    passwords = Passwords(hasher, ZxcvbnGuesses(hasher.run), HmacPasswordTags(derive))
    code_store, tallies = PostgresCodeStore(database, outbox), PostgresTallyStore(database)
    codes = Codes(code_store, HmacCodeKeys(derive), tallies, failures, devices, CLOCK, read_code_limits(settings))
    secrets = ConfiguredServiceSecrets(read_secrets(settings))
    return Flows(
        users=Users(accounts, failures, passwords, sessions, codes, CLOCK),
        addresses=Addresses(accounts, passwords, sessions, codes, CLOCK),
        password_change=PasswordChange(accounts, passwords, failures, codes, CLOCK),
        codes=codes,
        sessions=sessions,
        services=Services(secrets, signer, CLOCK, lifetimes.service_token),
        mail=MailSender(outbox, make_mailer(settings), CLOCK),
        billing=billing,
        outbox=outbox,
    )


async def sweep(flows: Flows) -> None:
    """Forgets, every quarter of an hour, what no longer says anything; on all replicas, which does no harm."""

    async def forget() -> None:
        await flows.codes.forget_expired()
        await flows.mail.forget_dead()

    await repeat("sweep", forget, every_seconds=SWEEP_SECONDS)


def add_servicers(
    server: grpc.aio.Server,
    *,
    settings: Settings,
    flows: Flows,
    tenants: TenantFlows,
    keys: KeyFlows,
    signer: Ed25519TokenSigner,
    feed: RevocationFeed,
    read_client: ReadClient,
) -> None:
    """Adds auth's services to a server."""
    auth = AuthServicer(flows.users, flows.addresses, flows.sessions, flows.services, signer, feed, read_client)
    user = UserServicer(
        flows.users,
        flows.addresses,
        flows.password_change,
        flows.sessions,
        tenants.profiles,
        tenants.erasures,
        read_client,
    )
    add_AuthServiceServicer_to_server(auth, server)
    add_UserServiceServicer_to_server(user, server)
    add_billing_servicers(server, flows.billing)
    add_tenant_servicers(server, tenants, read_client)
    add_key_servicers(server, keys, settings)
