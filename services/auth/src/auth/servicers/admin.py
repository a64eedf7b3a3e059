"""AdminService at the RPC edge."""

from auth.convert import tenants as convert
from auth.convert.accounts import to_tenant_proto, to_user_proto
from auth.convert.billing import to_subscription_proto
from auth.servicers.clients import Context
from auth.servicers.tenant import find_caller
from auth.tenants.administration import Administration
from docuchat.auth.v1 import admin_service_pb2 as pb
from docuchat.auth.v1.admin_service_pb2_grpc import AdminServiceServicer


class AdminServicer(AdminServiceServicer):
    """What the operating company does."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    async def CreateTenant(
        self, request: pb.AdminServiceCreateTenantRequest, context: Context
    ) -> pb.AdminServiceCreateTenantResponse:
        """Makes a tenant and invites its owner."""
        tenant, invitation = await self._administration.create_tenant(
            find_caller(), request.display_name, request.owner_email
        )
        return pb.AdminServiceCreateTenantResponse(
            tenant=to_tenant_proto(tenant), invitation=convert.to_invitation_proto(invitation)
        )

    async def ListTenants(
        self, request: pb.AdminServiceListTenantsRequest, context: Context
    ) -> pb.AdminServiceListTenantsResponse:
        """Lists all tenants."""
        limit, before = convert.to_page(convert.TENANTS, request)
        rows = await self._administration.list_tenants(find_caller(), limit, before)
        return convert.to_tenants_proto(rows, request.page_size)

    async def SuspendTenant(self, request: pb.SuspendTenantRequest, context: Context) -> pb.SuspendTenantResponse:
        """Closes a tenant."""
        tenant = await self._administration.suspend_tenant(find_caller(), request.tenant_id)
        return pb.SuspendTenantResponse(tenant=to_tenant_proto(tenant))

    async def ResumeTenant(self, request: pb.ResumeTenantRequest, context: Context) -> pb.ResumeTenantResponse:
        """Opens a tenant."""
        tenant = await self._administration.resume_tenant(find_caller(), request.tenant_id)
        return pb.ResumeTenantResponse(tenant=to_tenant_proto(tenant))

    async def SetTenantPlan(self, request: pb.SetTenantPlanRequest, context: Context) -> pb.SetTenantPlanResponse:
        """Gives a tenant a plan."""
        subscription = await self._administration.set_plan(find_caller(), request.tenant_id, request.plan_id)
        return pb.SetTenantPlanResponse(subscription=to_subscription_proto(subscription))

    async def EraseTenant(
        self, request: pb.AdminServiceEraseTenantRequest, context: Context
    ) -> pb.AdminServiceEraseTenantResponse:
        """Begins to erase a tenant."""
        erasure = await self._administration.erase_tenant(find_caller(), request.tenant_id)
        return pb.AdminServiceEraseTenantResponse(erasure=convert.to_erasure_proto(erasure))

    async def FindUsers(self, request: pb.FindUsersRequest, context: Context) -> pb.FindUsersResponse:
        """Finds the users of an address."""
        users = await self._administration.find_users(find_caller(), request.email)
        return pb.FindUsersResponse(users=map(to_user_proto, users))

    async def DeactivateUser(self, request: pb.DeactivateUserRequest, context: Context) -> pb.DeactivateUserResponse:
        """Lets a user in nowhere any more."""
        user = await self._administration.set_user_active(find_caller(), request.user_id, is_active=False)
        return pb.DeactivateUserResponse(user=to_user_proto(user))

    async def ReactivateUser(self, request: pb.ReactivateUserRequest, context: Context) -> pb.ReactivateUserResponse:
        """Lets a user in again."""
        user = await self._administration.set_user_active(find_caller(), request.user_id, is_active=True)
        return pb.ReactivateUserResponse(user=to_user_proto(user))

    async def EraseUser(
        self, request: pb.AdminServiceEraseUserRequest, context: Context
    ) -> pb.AdminServiceEraseUserResponse:
        """Begins to erase a user."""
        erasure = await self._administration.erase_user(find_caller(), request.user_id)
        return pb.AdminServiceEraseUserResponse(erasure=convert.to_erasure_proto(erasure))

    async def ListAuditEvents(
        self, request: pb.AdminServiceListAuditEventsRequest, context: Context
    ) -> pb.AdminServiceListAuditEventsResponse:
        """Lists who did what."""
        limit, before = convert.to_page(convert.EVENTS, request)
        rows = await self._administration.list_events(find_caller(), request.tenant_id, limit, before)
        events, token = convert.cut_events(rows, request.page_size)
        return pb.AdminServiceListAuditEventsResponse(audit_events=events, next_page_token=token)

    async def RotateSigningKeys(
        self, request: pb.RotateSigningKeysRequest, context: Context
    ) -> pb.RotateSigningKeysResponse:
        """Makes the next signing key."""
        key_id, sign_time = await self._administration.rotate_keys(find_caller())
        return pb.RotateSigningKeysResponse(key_id=key_id, sign_time=sign_time)
