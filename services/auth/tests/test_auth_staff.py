"""Staff: who is, what they may, and that each call leaves an audit event."""

import asyncio
from dataclasses import replace

import asyncpg
import grpc
import pytest
import pytest_asyncio

from auth.__main__ import set_staff
from auth.config import UnlockSettings
from auth.errors.accounts import InvalidRefreshToken, StaffNotAllowed
from auth.errors.tenants import UserNotFound
from docuchat.auth.v1 import admin_service_pb2 as pb
from docuchat.auth.v1 import auth_service_pb2 as auth_pb
from docuchat.auth.v1 import tenant_service_pb2 as tenant_pb
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from servicekit.identity import Role
from servicekit.rpc.status import read_error

MISSING = "3c1d0f4e-8a57-4c8f-9a55-0f6f3e0c1d2b"


@pytest_asyncio.fixture
async def staff(stack, join):
    """Somebody of the operating company, logged in as such."""
    person = await join("staff")
    await appoint(stack, person.email)
    return await person.log_in(as_staff=True)


async def appoint(stack, email, *, is_staff=True):
    connection = await asyncpg.connect(stack.database.admin_dsn)
    await connection.execute("UPDATE auth.users SET is_email_verified = true WHERE email = $1", email)
    await connection.close()
    await set_staff(UnlockSettings(database_url=stack.database.url), email, is_staff=is_staff)


def calls_for(person):
    """A good request of each method, about somebody."""
    return {
        "CreateTenant": pb.AdminServiceCreateTenantRequest(display_name="New", owner_email="new@example.com"),
        "ListTenants": pb.AdminServiceListTenantsRequest(),
        "SuspendTenant": pb.SuspendTenantRequest(tenant_id=person.tenant_id),
        "ResumeTenant": pb.ResumeTenantRequest(tenant_id=person.tenant_id),
        "SetTenantPlan": pb.SetTenantPlanRequest(tenant_id=person.tenant_id, plan_id="pro"),
        "FindUsers": pb.FindUsersRequest(email=person.email.upper()),
        "DeactivateUser": pb.DeactivateUserRequest(user_id=person.user_id),
        "ReactivateUser": pb.ReactivateUserRequest(user_id=person.user_id),
        "ListAuditEvents": pb.AdminServiceListAuditEventsRequest(),
        "RotateSigningKeys": pb.RotateSigningKeysRequest(),
        "EraseTenant": pb.AdminServiceEraseTenantRequest(tenant_id=person.tenant_id),
        "EraseUser": pb.AdminServiceEraseUserRequest(user_id=person.user_id),
    }


async def test_every_call_of_staff_leaves_an_event_with_its_name(stack, join, staff):
    ann = await join("ann")
    calls = calls_for(ann)
    assert set(calls) == set(pb.DESCRIPTOR.services_by_name["AdminService"].methods_by_name)
    connection = await asyncpg.connect(stack.database.admin_dsn)
    for name, request in calls.items():
        before = await connection.fetchval("SELECT count(*) FROM auth.audit_events WHERE actor_role = 'STAFF'")
        await getattr(staff.admin, name)(request)
        query = "SELECT actor_user_id::text FROM auth.audit_events WHERE actor_role = 'STAFF'"
        actors = [row["actor_user_id"] for row in await connection.fetch(query)]
        assert len(actors) > before, name
        assert set(actors) == {staff.user_id}, name
    await connection.close()


async def test_nobody_else_calls_any_of_it_whatever_the_role_in_the_tenant(join, refused):
    ann = await join("ann")
    for name, request in calls_for(ann).items():
        error = await refused(getattr(ann.admin, name)(request))
        assert (error.code, error.reason) == ("PERMISSION_DENIED", "ACCESS_DENIED"), name


async def test_a_new_tenants_owner_comes_by_mail(stack, join, staff):
    made = await staff.admin.CreateTenant(
        pb.AdminServiceCreateTenantRequest(display_name="New", owner_email="Ann@example.com")
    )
    assert (made.invitation.email, made.invitation.inviter_user_id) == ("ann@example.com", "")
    ann = await join("ann")
    request = tenant_pb.AcceptInvitationRequest(invitation_token=stack.letters[-1].token)
    membership = (await ann.tenants.AcceptInvitation(request)).membership
    assert (membership.tenant.tenant_id, membership.role) == (made.tenant.tenant_id, 3)


async def test_all_tenants_are_listed_in_pages_newest_first(join, staff):
    made = [(await join(name)).tenant_id for name in ("ann", "bob")]
    first = await staff.admin.ListTenants(pb.AdminServiceListTenantsRequest(page_size=2))
    rest = await staff.admin.ListTenants(pb.AdminServiceListTenantsRequest(page_token=first.next_page_token))
    listed = [each.tenant_id for each in (*first.tenants, *rest.tenants)]
    assert listed == [*reversed(made), staff.tenant_id]


async def test_a_deactivated_user_is_out_everywhere_until_reactivated(stack, join, staff, refused):
    bob, ann = await join("bob"), await join("ann")
    there = await join("ann", into=bob)
    answer = await staff.admin.DeactivateUser(pb.DeactivateUserRequest(user_id=ann.user_id))
    assert not answer.user.is_active
    for session in (ann, there):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(list_again_and_again(session), 5)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    auth = AuthServiceStub(stack.channel)
    for tenant_id in ("", ann.tenant_id, bob.tenant_id):
        login = auth_pb.LoginRequest(email=ann.email, password=ann.password, tenant_id=tenant_id)
        error = await refused(auth.Login(login))
        assert (error.code, error.reason) == ("PERMISSION_DENIED", "USER_DEACTIVATED")
    await staff.admin.ReactivateUser(pb.ReactivateUserRequest(user_id=ann.user_id))
    await ann.log_in()


async def list_again_and_again(person):
    while True:
        await person.tenants.ListTenants(tenant_pb.ListTenantsRequest())
        await asyncio.sleep(0.02)


async def test_the_only_owner_of_others_is_not_deactivated(join, staff, refused):
    ann = await join("ann")
    await join("bob", into=ann)
    error = await refused(staff.admin.DeactivateUser(pb.DeactivateUserRequest(user_id=ann.user_id)))
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "LAST_OWNER")


@pytest.mark.parametrize(
    ("name", "request_", "reason"),
    [
        ("SuspendTenant", pb.SuspendTenantRequest(tenant_id=MISSING), "TENANT_NOT_FOUND"),
        ("ResumeTenant", pb.ResumeTenantRequest(tenant_id=MISSING), "TENANT_NOT_FOUND"),
        ("DeactivateUser", pb.DeactivateUserRequest(user_id=MISSING), "USER_NOT_FOUND"),
        ("ReactivateUser", pb.ReactivateUserRequest(user_id=MISSING), "USER_NOT_FOUND"),
    ],
)
async def test_whoever_does_not_exist_is_not_found(staff, refused, name, request_, reason):
    assert (await refused(getattr(staff.admin, name)(request_))).reason == reason


async def test_who_is_no_staff_logs_in_as_such_nowhere(stack, join):
    ann = await join("ann")
    with pytest.raises(StaffNotAllowed):
        await stack.users.log_in(ann.email, ann.password, as_staff=True)


async def test_staff_are_nobody_special_unless_they_say_so_and_where_that_is_off(stack, join, refused):
    ann = await join("ann")
    await appoint(stack, ann.email)
    plain = await ann.log_in()
    assert (await refused(plain.admin.ListTenants(pb.AdminServiceListTenantsRequest()))).reason == "ACCESS_DENIED"
    off = replace(stack.users, sessions=replace(stack.sessions, staff_enabled=False))
    with pytest.raises(StaffNotAllowed):
        await off.log_in(ann.email, ann.password, as_staff=True)
    as_staff = await ann.log_in(as_staff=True)
    with pytest.raises(InvalidRefreshToken):
        await off.sessions.refresh(as_staff.tokens.refresh_token)


async def test_a_refreshed_session_of_staff_stays_one(stack, staff):
    refresh = auth_pb.RefreshRequest(refresh_token=staff.tokens.refresh_token)
    tokens = (await AuthServiceStub(stack.channel).Refresh(refresh)).tokens
    again = await staff.with_tokens(tokens, staff.tenant_id)
    await again.admin.ListTenants(pb.AdminServiceListTenantsRequest())


async def test_who_is_staff_no_longer_loses_those_sessions_and_keeps_the_others(stack, join, staff):
    plain = await join("staff")
    await appoint(stack, staff.email, is_staff=False)
    with pytest.raises(grpc.aio.AioRpcError):
        await asyncio.wait_for(list_again_and_again(staff), 5)
    await plain.tenants.ListTenants(tenant_pb.ListTenantsRequest())


async def test_an_address_that_nobody_has_proven_makes_nobody_staff(stack, join):
    ann = await join("ann")
    with pytest.raises(UserNotFound):
        await set_staff(UnlockSettings(database_url=stack.database.url), ann.email, is_staff=True)
    connection = await asyncpg.connect(stack.database.admin_dsn)
    await connection.execute("UPDATE auth.users SET is_staff = true")
    await connection.close()
    with pytest.raises(StaffNotAllowed):
        await stack.users.log_in(ann.email, ann.password, as_staff=True)


async def test_appointing_nobody_is_an_error(stack):
    with pytest.raises(UserNotFound):
        await appoint(stack, "nobody@example.com")


async def test_staff_read_the_events_of_a_tenant_or_of_all(join, staff):
    ann, bob = await join("ann"), await join("bob")
    for person in (ann, bob):
        await join("guest", into=person, role=Role.ADMIN)
    one = await staff.admin.ListAuditEvents(pb.AdminServiceListAuditEventsRequest(tenant_id=ann.tenant_id))
    assert {each.tenant_id for each in one.audit_events} == {ann.tenant_id}
    everything = await staff.admin.ListAuditEvents(pb.AdminServiceListAuditEventsRequest())
    assert {ann.tenant_id, bob.tenant_id} <= {each.tenant_id for each in everything.audit_events}


async def test_a_plan_that_staff_gives_holds_at_once(stack, join, staff):
    ann = await join("ann")
    request = pb.SetTenantPlanRequest(tenant_id=ann.tenant_id, plan_id="pro")
    assert (await staff.admin.SetTenantPlan(request)).subscription.plan.plan_id == "pro"
    assert (await stack.flows.billing.meter.find_quota(ann.tenant_id)).plan_id == "pro"


@pytest.mark.parametrize(
    ("tenant_id", "plan_id", "reason"),
    [(MISSING, "pro", "TENANT_NOT_FOUND"), ("", "no-such-plan", "PLAN_NOT_FOUND")],
)
async def test_a_tenant_or_a_plan_that_does_not_exist_is_not_found(stack, join, staff, tenant_id, plan_id, reason):
    ann = await join("ann")
    request = pb.SetTenantPlanRequest(tenant_id=tenant_id or ann.tenant_id, plan_id=plan_id)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await staff.admin.SetTenantPlan(request)
    assert read_error(raised.value).reason == reason
