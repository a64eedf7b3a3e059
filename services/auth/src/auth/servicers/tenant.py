"""TenantService at the RPC edge."""

from auth.convert import tenants as convert
from auth.convert.accounts import to_membership_proto, to_tenant_proto, to_tokens_proto
from auth.model.tenants import Caller
from auth.servicers.clients import Context, ReadClient
from auth.tenants.audit import AuditLog
from auth.tenants.erasures import Erasures
from auth.tenants.invitations import Invitations
from auth.tenants.members import Members
from auth.tenants.tenants import Tenants
from docuchat.auth.v1 import tenant_service_pb2 as pb
from docuchat.auth.v1.tenant_service_pb2_grpc import TenantServiceServicer
from servicekit.identity import Role, current_principal


class TenantServicer(TenantServiceServicer):
    """Manages tenants, their members and who is asked to become one."""

    def __init__(
        self,
        tenants: Tenants,
        members: Members,
        invitations: Invitations,
        audit: AuditLog,
        erasures: Erasures,
        read_client: ReadClient,
    ) -> None:
        self._tenants = tenants
        self._members = members
        self._invitations = invitations
        self._audit = audit
        self._erasures = erasures
        self._read_client = read_client

    async def CreateTenant(self, request: pb.CreateTenantRequest, context: Context) -> pb.CreateTenantResponse:
        """Makes a tenant."""
        tenant = await self._tenants.create(find_caller(), request.display_name)
        return pb.CreateTenantResponse(tenant=to_tenant_proto(tenant))

    async def ListTenants(self, request: pb.ListTenantsRequest, context: Context) -> pb.ListTenantsResponse:
        """Lists the caller's tenants."""
        memberships = await self._tenants.list_own(find_caller())
        return pb.ListTenantsResponse(memberships=map(to_membership_proto, memberships))

    async def GetTenant(self, request: pb.GetTenantRequest, context: Context) -> pb.GetTenantResponse:
        """Shows the token's tenant."""
        tenant = await self._tenants.get(find_caller(), request.tenant_id)
        return pb.GetTenantResponse(tenant=to_tenant_proto(tenant))

    async def UpdateTenant(self, request: pb.UpdateTenantRequest, context: Context) -> pb.UpdateTenantResponse:
        """Renames the token's tenant."""
        convert.check_tenant_mask(request)
        wanted = request.tenant
        tenant = await self._tenants.rename(find_caller(), wanted.tenant_id, wanted.display_name)
        return pb.UpdateTenantResponse(tenant=to_tenant_proto(tenant))

    async def SelectTenant(self, request: pb.SelectTenantRequest, context: Context) -> pb.SelectTenantResponse:
        """Starts a session in another tenant."""
        tokens = await self._tenants.select(find_caller(), request.tenant_id, self._read_client(context))
        return pb.SelectTenantResponse(tokens=to_tokens_proto(tokens))

    async def EraseTenant(self, request: pb.EraseTenantRequest, context: Context) -> pb.EraseTenantResponse:
        """Begins to erase the token's tenant."""
        erasure = await self._erasures.erase_tenant(find_caller(), request.tenant_id, request.display_name)
        return pb.EraseTenantResponse(erasure=convert.to_erasure_proto(erasure))

    async def ListMembers(self, request: pb.ListMembersRequest, context: Context) -> pb.ListMembersResponse:
        """Lists members."""
        limit, after = convert.to_page(convert.MEMBERS, request)
        rows = await self._members.list_page(find_caller(), request.tenant_id, limit, after)
        return convert.to_members_proto(rows, request.page_size)

    async def UpdateMember(self, request: pb.UpdateMemberRequest, context: Context) -> pb.UpdateMemberResponse:
        """Changes what a member may do."""
        member = await self._members.update(
            find_caller(),
            request.tenant_id,
            request.user_id,
            role=convert.to_role(request.role),
            is_active=request.is_active if request.HasField("is_active") else None,
        )
        return pb.UpdateMemberResponse(member=convert.to_member_proto(member))

    async def RemoveMember(self, request: pb.RemoveMemberRequest, context: Context) -> pb.RemoveMemberResponse:
        """Ends a membership."""
        await self._members.remove(find_caller(), request.tenant_id, request.user_id)
        return pb.RemoveMemberResponse()

    async def LeaveTenant(self, request: pb.LeaveTenantRequest, context: Context) -> pb.LeaveTenantResponse:
        """Ends the caller's membership."""
        await self._members.leave(find_caller(), request.tenant_id)
        return pb.LeaveTenantResponse()

    async def CreateInvitation(
        self, request: pb.CreateInvitationRequest, context: Context
    ) -> pb.CreateInvitationResponse:
        """Asks somebody in."""
        role = convert.to_role(request.role) or Role.MEMBER
        invitation = await self._invitations.create(find_caller(), request.tenant_id, request.email, role)
        return pb.CreateInvitationResponse(invitation=convert.to_invitation_proto(invitation))

    async def ListInvitations(self, request: pb.ListInvitationsRequest, context: Context) -> pb.ListInvitationsResponse:
        """Lists who has been asked in."""
        limit, before = convert.to_page(convert.INVITATIONS, request)
        rows = await self._invitations.list_page(find_caller(), request.tenant_id, limit, before)
        return convert.to_invitations_proto(rows, request.page_size)

    async def RevokeInvitation(
        self, request: pb.RevokeInvitationRequest, context: Context
    ) -> pb.RevokeInvitationResponse:
        """Makes an invitation void."""
        await self._invitations.revoke(find_caller(), request.tenant_id, request.invitation_id)
        return pb.RevokeInvitationResponse()

    async def AcceptInvitation(
        self, request: pb.AcceptInvitationRequest, context: Context
    ) -> pb.AcceptInvitationResponse:
        """Makes the caller a member."""
        membership = await self._invitations.accept(find_caller(), request.invitation_token)
        return pb.AcceptInvitationResponse(membership=to_membership_proto(membership))

    async def ListAuditEvents(self, request: pb.ListAuditEventsRequest, context: Context) -> pb.ListAuditEventsResponse:
        """Lists who did what."""
        limit, before = convert.to_page(convert.EVENTS, request)
        rows = await self._audit.list_page(find_caller(), request.tenant_id, limit, before)
        events, token = convert.cut_events(rows, request.page_size)
        return pb.ListAuditEventsResponse(audit_events=events, next_page_token=token)


def find_caller() -> Caller:
    """Returns who calls."""
    return convert.to_caller(current_principal())
