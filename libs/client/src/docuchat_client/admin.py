"""What the operating company does, over AdminService; open to clients that have logged in as staff."""

from collections.abc import AsyncIterable, Sequence
from typing import TypeVar

import grpc

from docuchat.auth.v1 import admin_service_pb2 as pb
from docuchat.auth.v1.admin_service_pb2_grpc import AdminServiceStub
from docuchat.auth.v1.audit_event_pb2 import AuditEvent
from docuchat.auth.v1.erasure_pb2 import Erasure
from docuchat.auth.v1.plan_pb2 import Subscription
from docuchat.auth.v1.tenant_pb2 import Tenant
from docuchat.auth.v1.user_pb2 import User
from docuchat_client.connection import CALL_SECONDS, PAGE_SIZE, Connection

Request = TypeVar("Request")
Answer = TypeVar("Answer")
Row = TypeVar("Row")


class Administration:
    """Manages all tenants and users. Every call is written down in the audit log and raises DocuChatError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = AdminServiceStub(connection.channel)

    async def create_tenant(self, display_name: str, owner_email: str) -> pb.AdminServiceCreateTenantResponse:
        """Makes a tenant and mails its owner an invitation."""
        request = pb.AdminServiceCreateTenantRequest(display_name=display_name, owner_email=owner_email)
        return await self._call(self._stub.CreateTenant, request)

    async def list_tenants(self, limit: int) -> Sequence[Tenant]:
        """Returns the newest tenants."""
        request = pb.AdminServiceListTenantsRequest(page_size=min(limit, PAGE_SIZE))
        pages = self._connection.read_pages(request, self._stub.ListTenants)
        return await take((page.tenants async for page in pages), limit)

    async def suspend_tenant(self, tenant_id: str) -> Tenant:
        """Ends every session in a tenant and lets nobody in."""
        return (await self._call(self._stub.SuspendTenant, pb.SuspendTenantRequest(tenant_id=tenant_id))).tenant

    async def resume_tenant(self, tenant_id: str) -> Tenant:
        """Opens a suspended tenant again."""
        return (await self._call(self._stub.ResumeTenant, pb.ResumeTenantRequest(tenant_id=tenant_id))).tenant

    async def set_tenant_plan(self, tenant_id: str, plan_id: str) -> Subscription:
        """Gives a tenant a plan that nobody pays for."""
        request = pb.SetTenantPlanRequest(tenant_id=tenant_id, plan_id=plan_id)
        return (await self._call(self._stub.SetTenantPlan, request)).subscription

    async def erase_tenant(self, tenant_id: str) -> Erasure:
        """Begins to remove a tenant with everything in it; returns the receipt."""
        request = pb.AdminServiceEraseTenantRequest(tenant_id=tenant_id)
        return (await self._call(self._stub.EraseTenant, request)).erasure

    async def find_users(self, email: str) -> Sequence[User]:
        """Returns the users that have an address."""
        return (await self._call(self._stub.FindUsers, pb.FindUsersRequest(email=email))).users

    async def deactivate_user(self, user_id: str) -> User:
        """Ends every session of a user and lets the user in nowhere."""
        return (await self._call(self._stub.DeactivateUser, pb.DeactivateUserRequest(user_id=user_id))).user

    async def reactivate_user(self, user_id: str) -> User:
        """Lets a deactivated user in again."""
        return (await self._call(self._stub.ReactivateUser, pb.ReactivateUserRequest(user_id=user_id))).user

    async def erase_user(self, user_id: str) -> Erasure:
        """Begins to remove a user with all that is the user's alone; returns the receipt."""
        return (await self._call(self._stub.EraseUser, pb.AdminServiceEraseUserRequest(user_id=user_id))).erasure

    async def list_audit_events(self, limit: int, tenant_id: str = "") -> Sequence[AuditEvent]:
        """Returns the newest events of a tenant, or of all and none."""
        request = pb.AdminServiceListAuditEventsRequest(tenant_id=tenant_id, page_size=min(limit, PAGE_SIZE))
        pages = self._connection.read_pages(request, self._stub.ListAuditEvents)
        return await take((page.audit_events async for page in pages), limit)

    async def rotate_keys(self) -> pb.RotateSigningKeysResponse:
        """Makes the next signing key; returns its id and when it begins to sign."""
        return await self._call(self._stub.RotateSigningKeys, pb.RotateSigningKeysRequest())

    async def _call(self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Answer]", request: Request) -> Answer:
        return await self._connection.call(lambda metadata: method(request, timeout=CALL_SECONDS, metadata=metadata))


async def take(pages: AsyncIterable[Sequence[Row]], limit: int) -> list[Row]:
    """Returns the first rows of a list that comes in pages, and asks for no more pages than that takes."""
    rows: list[Row] = []
    async for page in pages:
        rows += page
        if len(rows) >= limit:
            break
    return rows[:limit]
