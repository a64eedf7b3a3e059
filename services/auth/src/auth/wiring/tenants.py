"""Tenants, members, the audit log and erasures, with everything plugged in."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple, Protocol

import grpc
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.accounts.confirmation import AccountConfirmation
from auth.accounts.credentials import PasswordChange
from auth.accounts.sessions import Sessions
from auth.clients.erasers import GrpcEraser, sign_as_auth
from auth.config import Settings
from auth.model.mail import Mail
from auth.model.tenants import InvitationLetter
from auth.ports.accounts import TokenSigner
from auth.ports.tenants import Eraser
from auth.security.rotation import FileKeyRotation
from auth.security.tokens import Ed25519TokenSigner
from auth.servicers.admin import AdminServicer
from auth.servicers.clients import ReadClient
from auth.servicers.tenant import TenantServicer
from auth.stores.accounts import PostgresAccountStore
from auth.stores.audit import PostgresAuditStore
from auth.stores.erasures import PostgresEraser, PostgresErasureStore
from auth.stores.invitations import PostgresInvitationStore
from auth.stores.members import PostgresMemberStore
from auth.stores.outbox import PostgresOutbox
from auth.stores.plans import PostgresPlanStore
from auth.stores.profiles import PostgresProfileStore
from auth.stores.sessions import PostgresSessionStore
from auth.stores.tenants import PostgresTenantStore
from auth.tenants.administration import Administration
from auth.tenants.audit import AuditLog
from auth.tenants.erasing import ErasureWork
from auth.tenants.erasures import Erasures
from auth.tenants.invitations import Invitations
from auth.tenants.members import Members
from auth.tenants.profiles import Profiles
from auth.tenants.tenants import Tenants
from docuchat.auth.v1.admin_service_pb2_grpc import add_AdminServiceServicer_to_server
from docuchat.auth.v1.tenant_service_pb2_grpc import add_TenantServiceServicer_to_server
from servicekit.database import Database
from servicekit.rpc.client import open_channel

ERASURE_SECONDS = 2.0
# Whose data goes first: what is searched and asked rests on what ingestion keeps, and auth's rows lead to all of it.
ORDER = ("ingestion", "retrieval", "chat", "auth")
CLOCK = partial(datetime.now, UTC)


class AccountFlows(Protocol):
    """What this area needs of the accounts."""

    @property
    def sessions(self) -> Sessions:
        """Opens sessions."""
        ...

    @property
    def password_change(self) -> PasswordChange:
        """Knows users by their passwords."""
        ...

    @property
    def outbox(self) -> PostgresOutbox:
        """Takes mails."""
        ...


class TenantFlows(NamedTuple):
    """What this area does."""

    tenants: Tenants
    members: Members
    invitations: Invitations
    audit: AuditLog
    profiles: Profiles
    erasures: Erasures
    administration: Administration
    work: ErasureWork


@asynccontextmanager
async def open_erasers(settings: Settings, database: Database, signer: TokenSigner) -> AsyncIterator[dict[str, Eraser]]:
    """Yields what erases each service's part, in order, over channels that close behind the block."""
    targets = {
        "ingestion": settings.ingestion_target,
        "retrieval": settings.retrieval_target,
        "chat": settings.chat_target,
    }
    erasers: dict[str, Eraser] = {"auth": PostgresEraser(database)}
    async with AsyncExitStack() as stack:
        for service, target in targets.items():
            identity = sign_as_auth(signer, CLOCK)
            channel = await stack.enter_async_context(open_channel(target, identity=identity))
            erasers[service] = GrpcEraser(service, channel)
        yield {service: erasers[service] for service in ORDER}


def build_tenants(
    settings: Settings,
    database: Database,
    accounts: AccountFlows,
    signer: Ed25519TokenSigner,
    erasers: Mapping[str, Eraser],
) -> TenantFlows:
    """Chooses an adapter for every port."""
    tenants, profiles, audit = (
        PostgresTenantStore(database),
        PostgresProfileStore(database),
        PostgresAuditStore(database),
    )
    queue = partial(queue_letter, accounts.outbox)
    invitations = Invitations(PostgresInvitationStore(database, queue), tenants, CLOCK)
    receipts = PostgresErasureStore(database)
    confirmation = AccountConfirmation(accounts.password_change, PostgresSessionStore(database))
    erasures = Erasures(receipts, tenants, confirmation, tuple(erasers), CLOCK)
    lead = timedelta(seconds=settings.key_lead_seconds)
    rotation = FileKeyRotation(settings.signing_key_file, lead, signer.ring)
    return TenantFlows(
        tenants=Tenants(tenants, PostgresAccountStore(database, accounts.outbox), accounts.sessions, CLOCK),
        members=Members(PostgresMemberStore(database), CLOCK),
        invitations=invitations,
        audit=AuditLog(audit),
        profiles=Profiles(profiles),
        erasures=erasures,
        administration=Administration(
            tenants,
            profiles,
            audit,
            invitations,
            erasures,
            rotation,
            PostgresPlanStore(database, settings.default_plan),
            CLOCK,
        ),
        work=ErasureWork(receipts, erasers, CLOCK),
    )


async def queue_letter(outbox: PostgresOutbox, connection: AsyncConnection, letter: InvitationLetter) -> None:
    """Queues an invitation's mail in the transaction that stores the invitation."""
    values = {
        "tenant_name": letter.tenant_name,
        "token": letter.token,
        "expire_date": letter.expire_time.date().isoformat(),
    }
    await outbox.put(connection, Mail(letter.email, "invitation", values=values, expire_time=letter.expire_time))


def add_tenant_servicers(server: grpc.aio.Server, flows: TenantFlows, read_client: ReadClient) -> None:
    """Adds the services of this area to a server."""
    servicer = TenantServicer(flows.tenants, flows.members, flows.invitations, flows.audit, flows.erasures, read_client)
    add_TenantServiceServicer_to_server(servicer, server)
    add_AdminServiceServicer_to_server(AdminServicer(flows.administration), server)
