"""Tenants, members and roles, through a real server on a real database."""

import asyncio
from itertools import product

import asyncpg
import grpc
import pytest

from auth.errors.tenants import LastOwner, RoleNotAllowed
from auth.model.accounts import User
from auth.model.tenants import AuditEvent, Member, Standing
from auth.server import CLOCK
from auth.tenants import tenants as flow
from auth.tenants.roles import decide_departure, decide_removal, decide_update
from docuchat.auth.v1 import auth_service_pb2 as auth_pb
from docuchat.auth.v1 import tenant_pb2
from docuchat.auth.v1 import tenant_service_pb2 as pb
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from servicekit.identity import Role

MISSING = "3c1d0f4e-8a57-4c8f-9a55-0f6f3e0c1d2b"
ROLES = (Role.MEMBER, Role.ADMIN, Role.OWNER)


def standing(actor, role, *, has_other_owner=True, is_active=True):
    user = User("u", "ann@example.com", "Ann", CLOCK())
    return Standing(Member(user, role, is_active, CLOCK()), actor, has_other_owner)


def is_allowed(decide, about):
    try:
        decide(about)
    except RoleNotAllowed:
        return False
    return True


def test_an_owner_manages_everybody_an_admin_no_owner_and_a_member_nobody():
    """The whole table: who may make whom out of whom."""
    allowed = {
        (actor, before, after)
        for actor, before, after in product((*ROLES, None), ROLES, ROLES)
        if is_allowed(decide_update(after, is_active=None), standing(actor, before))
    }
    below = (Role.MEMBER, Role.ADMIN)
    of_owner = {(Role.OWNER, before, after) for before, after in product(ROLES, ROLES)}
    of_admin = {(Role.ADMIN, before, after) for before, after in product(below, below)}
    assert allowed == of_owner | of_admin
    removed = {
        (actor, role)
        for actor, role in product((*ROLES, None), ROLES)
        if is_allowed(decide_removal, standing(actor, role))
    }
    assert removed == {*product([Role.OWNER], ROLES), *product([Role.ADMIN], below)}


@pytest.mark.parametrize(
    "decide",
    [decide_removal, decide_departure, decide_update(Role.ADMIN, is_active=None), decide_update(None, is_active=False)],
    ids=["removed", "leaves", "demoted", "deactivated"],
)
def test_the_last_owner_stays_one_whatever_is_done(decide):
    with pytest.raises(LastOwner):
        decide(standing(Role.OWNER, Role.OWNER, has_other_owner=False))
    decide(standing(Role.OWNER, Role.OWNER, has_other_owner=True))


async def test_a_tenant_is_made_listed_renamed_and_worked_in(stack, join):
    ann = await join("ann")
    made = (await ann.tenants.CreateTenant(pb.CreateTenantRequest(display_name=" Second\nOne "))).tenant
    assert (made.display_name, made.slug) == ("Second One", "second-one")
    listed = (await ann.tenants.ListTenants(pb.ListTenantsRequest())).memberships
    assert [row.tenant.tenant_id for row in listed] == [ann.tenant_id, made.tenant_id]
    assert [row.role for row in listed] == [tenant_pb2.Membership.OWNER] * 2
    tokens = (await ann.tenants.SelectTenant(pb.SelectTenantRequest(tenant_id=made.tenant_id))).tokens
    there = await ann.with_tokens(tokens, made.tenant_id)
    wanted = tenant_pb2.Tenant(tenant_id=made.tenant_id, display_name="Third")
    await there.tenants.UpdateTenant(pb.UpdateTenantRequest(tenant=wanted))
    found = (await there.tenants.GetTenant(pb.GetTenantRequest(tenant_id=made.tenant_id))).tenant
    assert (found.display_name, found.slug) == ("Third", "second-one")
    refreshed = await AuthServiceStub(stack.channel).Refresh(auth_pb.RefreshRequest(refresh_token=tokens.refresh_token))
    assert refreshed.tokens.access_token


async def test_nobody_gets_into_more_tenants_than_a_list_shows(stack, join, refused, monkeypatch):
    monkeypatch.setattr(flow, "MOST_TENANTS", 2)
    ann = await join("ann")
    made = [ann.tenants.CreateTenant(pb.CreateTenantRequest(display_name=f"T{number}")) for number in range(3)]
    results = await asyncio.gather(*made, return_exceptions=True)
    assert sum(not isinstance(each, Exception) for each in results) == 1
    error = await refused(ann.tenants.CreateTenant(pb.CreateTenantRequest(display_name="One more")))
    assert (error.code, error.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_TENANTS")


NAMING_A_TENANT = {
    "GetTenant": pb.GetTenantRequest,
    "SelectTenant": pb.SelectTenantRequest,
    "EraseTenant": lambda tenant_id: pb.EraseTenantRequest(tenant_id=tenant_id, display_name="ann"),
    "ListMembers": pb.ListMembersRequest,
    "UpdateMember": lambda tenant_id: pb.UpdateMemberRequest(tenant_id=tenant_id, user_id=MISSING),
    "RemoveMember": lambda tenant_id: pb.RemoveMemberRequest(tenant_id=tenant_id, user_id=MISSING),
    "LeaveTenant": pb.LeaveTenantRequest,
    "CreateInvitation": lambda tenant_id: pb.CreateInvitationRequest(tenant_id=tenant_id, email="x@example.com"),
    "ListInvitations": pb.ListInvitationsRequest,
    "RevokeInvitation": lambda tenant_id: pb.RevokeInvitationRequest(tenant_id=tenant_id, invitation_id=MISSING),
    "ListAuditEvents": pb.ListAuditEventsRequest,
    "UpdateTenant": lambda tenant_id: pb.UpdateTenantRequest(
        tenant=tenant_pb2.Tenant(tenant_id=tenant_id, display_name="Mine now")
    ),
}


def test_every_method_that_names_a_tenant_is_tried():
    service = pb.DESCRIPTOR.services_by_name["TenantService"]
    naming = {each.name for each in service.methods if {"tenant_id", "tenant"} & set(each.input_type.fields_by_name)}
    assert naming == set(NAMING_A_TENANT)


async def test_another_tenant_answers_like_a_missing_one_also_to_its_owner_elsewhere(join, refused):
    ann, bob = await join("ann"), await join("bob")
    for name, make in NAMING_A_TENANT.items():
        answers = []
        for tenant_id in (ann.tenant_id, MISSING):
            request = make(tenant_id=tenant_id) if isinstance(make, type) else make(tenant_id)
            error = await refused(getattr(bob.tenants, name)(request))
            answers.append((error.code, error.reason, error.message))
        assert answers[0] == answers[1], name
        assert answers[0][:2] == ("NOT_FOUND", "TENANT_NOT_FOUND"), name
    # Ann owns a second one, and the token is of the first.
    second = (await ann.tenants.CreateTenant(pb.CreateTenantRequest(display_name="Second"))).tenant.tenant_id
    error = await refused(ann.tenants.ListMembers(pb.ListMembersRequest(tenant_id=second)))
    assert error.reason == "TENANT_NOT_FOUND"


async def test_members_and_invitations_of_others_answer_like_missing_ones(join, refused):
    ann, bob = await join("ann"), await join("bob")
    invite = pb.CreateInvitationRequest(tenant_id=ann.tenant_id, email="guest@example.com")
    theirs = (await ann.tenants.CreateInvitation(invite)).invitation.invitation_id
    own = {"tenant_id": bob.tenant_id}
    tries = {
        "UpdateMember": lambda id_: pb.UpdateMemberRequest(**own, user_id=id_, is_active=False),
        "RemoveMember": lambda id_: pb.RemoveMemberRequest(**own, user_id=id_),
        "RevokeInvitation": lambda id_: pb.RevokeInvitationRequest(**own, invitation_id=id_),
    }
    for name, make in tries.items():
        foreign = theirs if name == "RevokeInvitation" else ann.user_id
        answers = []
        for id_ in (foreign, MISSING):
            error = await refused(getattr(bob.tenants, name)(make(id_)))
            answers.append((error.code, error.reason, error.message))
        assert answers[0] == answers[1], name
        assert answers[0][0] == "NOT_FOUND", name


async def test_members_are_listed_in_pages_oldest_first(join):
    ann = await join("ann")
    for name in ("bob", "cem", "dan"):
        await join(name, into=ann)
    names, token = [], ""
    while True:
        request = pb.ListMembersRequest(tenant_id=ann.tenant_id, page_size=3, page_token=token)
        page = await ann.tenants.ListMembers(request)
        names += [member.display_name for member in page.members]
        token = page.next_page_token
        if not token:
            break
    assert names == ["ann", "bob", "cem", "dan"]


async def refuse_soon(person):
    """Waits until auth itself refuses the person's access token, which others learn at the same moment."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(ask_again_and_again(person), 5)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def ask_again_and_again(person):
    while True:
        await person.tenants.ListTenants(pb.ListTenantsRequest())
        await asyncio.sleep(0.02)


CHANGES = {
    "another role": lambda ids: ("UpdateMember", pb.UpdateMemberRequest(**ids, role=tenant_pb2.Membership.ADMIN)),
    "deactivated": lambda ids: ("UpdateMember", pb.UpdateMemberRequest(**ids, is_active=False)),
    "removed": lambda ids: ("RemoveMember", pb.RemoveMemberRequest(**ids)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_whoever_is_changed_loses_the_sessions_in_that_tenant_and_no_other(stack, join, change):
    ann, bob = await join("ann"), await join("bob")
    there = await join("bob", into=ann)
    name, request = change({"tenant_id": ann.tenant_id, "user_id": bob.user_id})
    await getattr(ann.tenants, name)(request)
    await refuse_soon(there)
    await bob.tenants.ListTenants(pb.ListTenantsRequest())
    await ann.tenants.ListTenants(pb.ListTenantsRequest())


async def test_a_deactivated_member_is_told_so_and_works_elsewhere(stack, join, refused):
    ann, bob = await join("ann"), await join("bob")
    there = await join("bob", into=ann)
    change = pb.UpdateMemberRequest(tenant_id=ann.tenant_id, user_id=bob.user_id, is_active=False)
    assert not (await ann.tenants.UpdateMember(change)).member.is_active
    auth = AuthServiceStub(stack.channel)
    calls = [
        auth.Refresh(auth_pb.RefreshRequest(refresh_token=there.tokens.refresh_token)),
        auth.Login(auth_pb.LoginRequest(email=bob.email, password=bob.password, tenant_id=ann.tenant_id)),
        bob.tenants.SelectTenant(pb.SelectTenantRequest(tenant_id=ann.tenant_id)),
    ]
    for call in calls:
        error = await refused(call)
        assert (error.code, error.reason) == ("PERMISSION_DENIED", "USER_DEACTIVATED")
    await auth.Login(auth_pb.LoginRequest(email=bob.email, password=bob.password))
    change.is_active = True
    await ann.tenants.UpdateMember(change)
    await bob.tenants.SelectTenant(pb.SelectTenantRequest(tenant_id=ann.tenant_id))


async def test_of_two_owners_who_leave_at_once_one_stays(stack, join):
    ann = await join("ann")
    bob = await join("bob", into=ann, role=Role.OWNER)
    leave = pb.LeaveTenantRequest(tenant_id=ann.tenant_id)
    results = await asyncio.gather(
        ann.tenants.LeaveTenant(leave), bob.tenants.LeaveTenant(leave), return_exceptions=True
    )
    assert sum(isinstance(each, grpc.aio.AioRpcError) for each in results) == 1
    connection = await asyncpg.connect(stack.database.admin_dsn)
    owners = await connection.fetchval("SELECT count(*) FROM auth.memberships WHERE tenant_id = $1", ann.tenant_id)
    await connection.close()
    assert owners == 1


async def test_the_last_owner_who_leaves_is_told_what_to_do(join, refused):
    ann = await join("ann")
    await join("bob", into=ann, role=Role.ADMIN)
    error = await refused(ann.tenants.LeaveTenant(pb.LeaveTenantRequest(tenant_id=ann.tenant_id)))
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "LAST_OWNER")
    assert "erase" in error.message


async def test_who_was_admin_a_moment_ago_and_still_has_the_token_changes_nobody(stack, join, refused):
    ann = await join("ann")
    bob = await join("bob", into=ann, role=Role.ADMIN)
    connection = await asyncpg.connect(stack.database.admin_dsn)
    await connection.execute("UPDATE auth.memberships SET role = 'MEMBER' WHERE user_id = $1", bob.user_id)
    await connection.close()
    change = pb.UpdateMemberRequest(tenant_id=ann.tenant_id, user_id=bob.user_id, role=tenant_pb2.Membership.ADMIN)
    error = await refused(bob.tenants.UpdateMember(change))
    assert (error.code, error.reason) == ("PERMISSION_DENIED", "ROLE_NOT_ALLOWED")


async def test_a_plain_member_manages_nothing(join, refused):
    ann = await join("ann")
    bob = await join("bob", into=ann)
    for name in ("ListMembers", "ListInvitations", "ListAuditEvents"):
        request = getattr(pb, f"{name}Request")(tenant_id=ann.tenant_id)
        assert (await refused(getattr(bob.tenants, name)(request))).reason == "ACCESS_DENIED"


async def test_who_is_a_member_of_nothing_any_more_logs_in_to_a_new_tenant(stack, join):
    ann = await join("ann")
    bob = await join("bob")
    second = await join("bob", into=ann)
    erased = await bob.tenants.EraseTenant(pb.EraseTenantRequest(tenant_id=bob.tenant_id, display_name="bob"))
    assert erased.erasure.tenant_ids == [bob.tenant_id]
    connection = await asyncpg.connect(stack.database.admin_dsn)
    await connection.execute("DELETE FROM auth.tenants WHERE tenant_id = $1", bob.tenant_id)
    await connection.close()
    await second.tenants.LeaveTenant(pb.LeaveTenantRequest(tenant_id=ann.tenant_id))
    login = auth_pb.LoginRequest(email=bob.email, password=bob.password)
    tokens = (await AuthServiceStub(stack.channel).Login(login)).tokens
    again = await bob.with_tokens(tokens, "")
    (only,) = (await again.tenants.ListTenants(pb.ListTenantsRequest())).memberships
    assert only.tenant.tenant_id not in {ann.tenant_id, bob.tenant_id}
    assert only.role == tenant_pb2.Membership.OWNER


async def test_the_audit_log_says_who_did_what_and_names_nobody_by_itself(stack, join):
    ann = await join("ann")
    bob = await join("bob", into=ann)
    ids = {"tenant_id": ann.tenant_id, "user_id": bob.user_id}
    await ann.tenants.UpdateMember(pb.UpdateMemberRequest(**ids, role=tenant_pb2.Membership.ADMIN))
    await ann.tenants.RemoveMember(pb.RemoveMemberRequest(**ids))
    page = await ann.tenants.ListAuditEvents(pb.ListAuditEventsRequest(tenant_id=ann.tenant_id))
    told = [(each.action, each.actor_display_name, each.target_id, dict(each.details)) for each in page.audit_events]
    assert told[:2] == [
        ("member.remove", "ann", bob.user_id, {"role_before": "ADMIN"}),
        ("member.update", "ann", bob.user_id, {"role_before": "MEMBER", "role_after": "ADMIN"}),
    ]
    # Bob came by invitation and is no member any more: the name is gone, the id stays.
    (came,) = [each for each in page.audit_events if each.action == "invitation.accept"]
    assert (came.actor_user_id, came.actor_display_name) == (bob.user_id, "")
    connection = await asyncpg.connect(stack.database.admin_dsn)
    stored = str(await connection.fetch("SELECT * FROM auth.audit_events"))
    await connection.close()
    assert "example.com" not in stored


async def test_a_refused_change_leaves_no_event_and_no_change(stack, join, refused):
    ann = await join("ann")
    ids = {"tenant_id": ann.tenant_id, "user_id": ann.user_id}
    await refused(ann.tenants.UpdateMember(pb.UpdateMemberRequest(**ids, role=tenant_pb2.Membership.MEMBER)))
    page = await ann.tenants.ListAuditEvents(pb.ListAuditEventsRequest(tenant_id=ann.tenant_id))
    assert [each.action for each in page.audit_events] == []
    await ann.tenants.ListMembers(pb.ListMembersRequest(tenant_id=ann.tenant_id))


async def test_a_suspended_tenant_ends_its_sessions_and_says_so(stack, join, refused):
    ann = await join("ann")
    event = flow_event("tenant.suspend", ann.tenant_id)
    await stack.tenants.administration.tenants.suspend(ann.tenant_id, event, CLOCK())
    await refuse_soon(ann)
    auth = AuthServiceStub(stack.channel)
    for call in (
        auth.Refresh(auth_pb.RefreshRequest(refresh_token=ann.tokens.refresh_token)),
        auth.Login(auth_pb.LoginRequest(email=ann.email, password=ann.password)),
    ):
        error = await refused(call)
        assert (error.code, error.reason) == ("PERMISSION_DENIED", "TENANT_SUSPENDED")
    await stack.tenants.administration.tenants.resume(ann.tenant_id, flow_event("tenant.resume", ann.tenant_id))
    await auth.Login(auth_pb.LoginRequest(email=ann.email, password=ann.password))


def flow_event(action, tenant_id):
    return AuditEvent(CLOCK(), action, "OPERATOR", tenant_id=tenant_id)
