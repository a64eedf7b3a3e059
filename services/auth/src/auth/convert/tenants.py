"""Between the protos of tenants, members and erasures and the model."""

from collections.abc import Sequence

from auth.convert.accounts import to_tenant_proto
from auth.model.accounts import Tenant
from auth.model.tenants import Caller, Erasure, Invitation, Member, NamedEvent, PageKey
from docuchat.auth.v1 import (
    admin_service_pb2,
    audit_event_pb2,
    erasure_pb2,
    invitation_pb2,
    member_pb2,
    tenant_pb2,
    tenant_service_pb2,
    user_service_pb2,
)
from servicekit.errors import FieldViolation, InvalidField
from servicekit.identity import Principal, Role
from servicekit.rpc.paging import cut_page, decode_row_key, page_size

MEMBERS, INVITATIONS, TENANTS, EVENTS = "members", "invitations", "tenants", "audit_events"
PageRequest = (
    tenant_service_pb2.ListMembersRequest
    | tenant_service_pb2.ListInvitationsRequest
    | tenant_service_pb2.ListAuditEventsRequest
    | admin_service_pb2.AdminServiceListTenantsRequest
    | admin_service_pb2.AdminServiceListAuditEventsRequest
)


def to_caller(principal: Principal) -> Caller:
    """Returns who calls."""
    return Caller(principal.subject, principal.tenant_id, principal.role, principal.session_id)


def to_role(value: tenant_pb2.Membership.Role) -> Role | None:
    """Returns a role; None where none is given."""
    return Role(tenant_pb2.Membership.Role.Name(value)) if value else None


def to_page(kind: str, request: PageRequest) -> tuple[int, PageKey | None]:
    """Returns how many rows to read, one more than shown, and behind which. Raises InvalidPageToken."""
    return page_size(request.page_size) + 1, decode_row_key(kind, request.page_token)


def to_profile_values(request: user_service_pb2.UpdateMeRequest) -> dict[str, str]:
    """Returns the fields to change: those of the mask, or those that are not empty. Raises InvalidField."""
    paths = list(request.update_mask.paths) or [field.name for field, _ in request.user.ListFields()]
    known = request.user.DESCRIPTOR.fields_by_name
    unknown = [FieldViolation("update_mask", f"{path} is no field of a user") for path in paths if path not in known]
    if unknown:
        raise InvalidField(*unknown)
    # Fields that are no text cannot be changed; the flow says so by their name.
    return {path: str(getattr(request.user, path)) for path in paths}


def check_tenant_mask(request: tenant_service_pb2.UpdateTenantRequest) -> None:
    """Raises InvalidField where a mask names anything but the name."""
    wrong = [path for path in request.update_mask.paths if path != "display_name"]
    if wrong:
        raise InvalidField(*(FieldViolation("update_mask", f"{path} cannot be changed here") for path in wrong))


def to_member_proto(member: Member) -> member_pb2.Member:
    """Returns the member's message."""
    return member_pb2.Member(
        user_id=member.user.user_id,
        email=member.user.email,
        display_name=member.user.display_name,
        role=member.role.value,
        is_active=member.is_active and member.user.is_active,
        join_time=member.join_time,
    )


def to_members_proto(rows: Sequence[Member], size: int) -> tenant_service_pb2.ListMembersResponse:
    """Returns a page of members."""
    page, token = cut_page(MEMBERS, rows, page_size(size), lambda row: (row.join_time, row.user.user_id))
    return tenant_service_pb2.ListMembersResponse(members=map(to_member_proto, page), next_page_token=token)


def to_invitation_proto(invitation: Invitation) -> invitation_pb2.Invitation:
    """Returns the invitation's message."""
    return invitation_pb2.Invitation(
        invitation_id=invitation.invitation_id,
        email=invitation.email,
        role=invitation.role.value,
        inviter_user_id=invitation.inviter_user_id,
        create_time=invitation.create_time,
        expire_time=invitation.expire_time,
    )


def to_invitations_proto(rows: Sequence[Invitation], size: int) -> tenant_service_pb2.ListInvitationsResponse:
    """Returns a page of invitations."""
    page, token = cut_page(INVITATIONS, rows, page_size(size), lambda row: (row.create_time, row.invitation_id))
    return tenant_service_pb2.ListInvitationsResponse(invitations=map(to_invitation_proto, page), next_page_token=token)


def to_tenants_proto(rows: Sequence[Tenant], size: int) -> admin_service_pb2.AdminServiceListTenantsResponse:
    """Returns a page of tenants."""
    page, token = cut_page(TENANTS, rows, page_size(size), lambda row: (row.create_time, row.tenant_id))
    return admin_service_pb2.AdminServiceListTenantsResponse(tenants=map(to_tenant_proto, page), next_page_token=token)


def to_event_proto(named: NamedEvent) -> audit_event_pb2.AuditEvent:
    """Returns the event's message."""
    event = named.event
    return audit_event_pb2.AuditEvent(
        event_id=event.event_id,
        create_time=event.create_time,
        tenant_id=event.tenant_id,
        actor_user_id=event.actor_user_id,
        actor_display_name=named.actor_name,
        actor_role=event.actor_role,
        action=event.action,
        target_id=event.target_id,
        details=event.details,
    )


def cut_events(rows: Sequence[NamedEvent], size: int) -> tuple[list[audit_event_pb2.AuditEvent], str]:
    """Returns a page of events and the token of the next."""
    page, token = cut_page(EVENTS, rows, page_size(size), lambda row: (row.event.create_time, row.event.event_id))
    return [to_event_proto(row) for row in page], token


def to_erasure_proto(erasure: Erasure) -> erasure_pb2.Erasure:
    """Returns the receipt's message."""
    erased = [
        erasure_pb2.ErasedKind(service=service, kind=kind, count=count)
        for service, counts in sorted(erasure.counts.items())
        for kind, count in sorted(counts.items())
    ]
    return erasure_pb2.Erasure(
        erasure_id=erasure.erasure_id,
        state=erasure.state.value,
        user_id=erasure.user_id,
        tenant_ids=erasure.tenant_ids,
        erased=erased,
        create_time=erasure.create_time,
        complete_time=erasure.complete_time,
    )
