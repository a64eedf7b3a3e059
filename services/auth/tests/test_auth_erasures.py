"""Erasing users and tenants: what is asked, what is counted, what goes on after a crash, what stays untouched."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import asyncpg
import grpc
import pytest

from auth.clients.erasers import GrpcEraser, sign_as_auth
from auth.model.tenants import AuditEvent
from auth.server import CLOCK, make_verifier
from auth.tenants.erasing import LEASE, LOOK_AGAIN
from docuchat.auth.v1 import auth_service_pb2 as auth_pb
from docuchat.auth.v1 import erasure_pb2, user_service_pb2
from docuchat.auth.v1 import tenant_service_pb2 as pb
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceStub
from docuchat.common.v1.erasure_service_pb2_grpc import add_ErasureServiceServicer_to_server
from servicekit.erasure import Erased, Subject
from servicekit.errors import AppError, DependencyUnavailable
from servicekit.identity import Role
from servicekit.rpc.client import open_channel
from servicekit.rpc.erasure_service import ErasureServicer
from servicekit.rpc.server import build_server

OPERATOR = "OPERATOR"
MISSING = "3c1d0f4e-8a57-4c8f-9a55-0f6f3e0c1d2b"
WRONG = "wrong pass phrase entirely"


@pytest.fixture
def work(stack, needs):
    """The loop with a clock that the test moves; it begins now, as the database does."""
    needs.clock.now = CLOCK() + timedelta(seconds=10)
    return replace(stack.tenants.work, clock=needs.clock)


async def erase_me(person, password=""):
    return (await person.users.EraseMe(user_service_pb2.EraseMeRequest(password=password))).erasure


async def read(stack, erasure_id):
    request = user_service_pb2.GetErasureRequest(erasure_id=erasure_id)
    return (await UserServiceStub(stack.channel).GetErasure(request)).erasure


def tally(erasure):
    return {(row.service, row.kind): row.count for row in erasure.erased}


async def count(stack, query, *values):
    connection = await asyncpg.connect(stack.database.admin_dsn)
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


async def test_who_erases_the_account_gets_a_receipt_that_can_be_read_again(stack, join, work):
    ann, bob = await join("ann"), await join("bob")
    there = await join("ann", into=bob)
    begun = await erase_me(there, ann.password)
    assert (begun.user_id, begun.tenant_ids, tally(begun)) == (ann.user_id, [ann.tenant_id], {})
    await work.run_due()
    done = await read(stack, begun.erasure_id)
    assert done.state == erasure_pb2.Erasure.ERASED
    services = {("ingestion", "things"): 5, ("retrieval", "things"): 5, ("chat", "things"): 5}
    auth = {
        ("auth", "users"): 1,
        ("auth", "tenants"): 1,
        ("auth", "memberships"): 2,
        ("auth", "sessions"): 2,
        ("auth", "invitations"): 1,
    }
    assert tally(done) == services | auth
    assert await read(stack, begun.erasure_id) == done
    for eraser in list(stack.erasers.values())[:3]:
        assert set(eraser.asked) == {Subject(tenant_id=ann.tenant_id), Subject(user_id=ann.user_id)}


async def test_nothing_of_others_is_touched(stack, join, work):
    ann, bob = await join("ann"), await join("bob")
    await join("ann", into=bob)
    await erase_me(ann, ann.password)
    await work.run_due()
    for table, rows in {"users": 1, "tenants": 1, "memberships": 1, "credentials": 1}.items():
        assert await count(stack, f"SELECT count(*) FROM auth.{table}") == rows, table
    await bob.tenants.ListTenants(pb.ListTenantsRequest())


async def test_a_second_erasure_of_the_same_user_finds_nothing(stack, join, work):
    ann = await join("ann")
    await erase_me(ann, ann.password)
    await work.run_due()
    event = AuditEvent(CLOCK(), "user.erase", OPERATOR, target_id=ann.user_id)
    again = await stack.tenants.erasures.begin_user(ann.user_id, event)
    await work.run_due()
    receipt = await read(stack, again.erasure_id)
    assert (receipt.state, tally(receipt)) == (erasure_pb2.Erasure.ERASED, {})


async def test_tokens_end_before_any_data_goes(stack, join, work):
    ann = await join("ann")
    begun = await erase_me(ann, ann.password)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(ask_again_and_again(ann), 5)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    work.clock.now = begun.create_time.ToDatetime(tzinfo=CLOCK().tzinfo) + timedelta(seconds=5.9)
    await work.run_due()
    assert stack.erasers["ingestion"].asked == []
    work.clock.advance(seconds=1)
    await work.run_due()
    assert stack.erasers["ingestion"].asked != []


async def ask_again_and_again(person):
    while True:
        await person.tenants.ListTenants(pb.ListTenantsRequest())
        await asyncio.sleep(0.02)


async def test_a_service_that_is_away_is_waited_for_and_what_is_done_is_not_done_again(stack, join, work):
    ann = await join("ann")
    stack.erasers["retrieval"].failures = [DependencyUnavailable("retrieval")] * 2
    begun = await erase_me(ann, ann.password)
    await work.run_due()
    assert (await read(stack, begun.erasure_id)).state == erasure_pb2.Erasure.ERASING
    asked = len(stack.erasers["ingestion"].asked)
    for _ in range(3):
        work.clock.advance(seconds=5)
        await work.run_due()
    done = await read(stack, begun.erasure_id)
    assert done.state == erasure_pb2.Erasure.ERASED
    assert len(stack.erasers["ingestion"].asked) == asked
    assert tally(done)["retrieval", "things"] == 5


@pytest.mark.parametrize("service", ["ingestion", "chat", "auth"])
async def test_a_process_that_dies_on_the_way_leaves_it_to_the_next(stack, join, work, monkeypatch, service):
    class Killed(BaseException):
        pass

    async def die(_subject):
        raise Killed

    ann = await join("ann")
    begun = await erase_me(ann, ann.password)
    whole = stack.erasers[service].erase
    monkeypatch.setattr(stack.erasers[service], "erase", die)
    with pytest.raises(Killed):
        await work.run_due()
    monkeypatch.setattr(stack.erasers[service], "erase", whole)
    # Somebody may still be at it.
    await work.run_due()
    assert (await read(stack, begun.erasure_id)).state == erasure_pb2.Erasure.ERASING
    work.clock.advance(seconds=LEASE.total_seconds() + 1)
    await work.run_due()
    done = await read(stack, begun.erasure_id)
    assert done.state == erasure_pb2.Erasure.ERASED
    assert {kind: number for kind, number in tally(done).items() if kind[1] == "things"} == {
        (name, "things"): 5 for name in ("ingestion", "retrieval", "chat")
    }


async def test_an_hour_later_everything_is_looked_through_once_more(stack, join, work):
    ann = await join("ann")
    begun = await erase_me(ann, ann.password)
    await work.run_due()
    stack.erasers["chat"].left = 3
    work.clock.advance(seconds=LOOK_AGAIN.total_seconds() + 1)
    await work.run_due()
    done = await read(stack, begun.erasure_id)
    assert done.state == erasure_pb2.Erasure.CONFIRMED
    assert tally(done)["chat", "things"] == 8
    work.clock.advance(days=1)
    asked = len(stack.erasers["chat"].asked)
    await work.run_due()
    assert len(stack.erasers["chat"].asked) == asked


async def test_a_fresh_session_needs_no_password_and_an_old_one_does(stack, join, refused):
    ann = await join("ann")
    await count(stack, "UPDATE auth.sessions SET create_time = now() - interval '5 minutes 1 second'")
    error = await refused(erase_me(ann))
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "CONFIRMATION_REQUIRED")
    error = await refused(erase_me(ann, WRONG))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "WRONG_PASSWORD")
    await erase_me(await ann.log_in())


async def test_passwords_are_not_guessed_through_erasing(join, refused):
    ann = await join("ann")
    reasons = [(await refused(erase_me(ann, WRONG))).reason for _ in range(12)]
    assert reasons[-1] == "TOO_MANY_ATTEMPTS"


async def test_who_would_leave_others_without_an_owner_is_not_erased(stack, join, refused):
    ann = await join("ann")
    await join("bob", into=ann)
    error = await refused(erase_me(ann, ann.password))
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "LAST_OWNER")
    assert await count(stack, "SELECT count(*) FROM auth.erasures") == 0
    await ann.tenants.ListTenants(pb.ListTenantsRequest())


async def test_a_tenant_is_erased_by_its_owner_who_types_its_name(stack, join, refused, work):
    ann = await join("ann")
    admin = await join("bob", into=ann, role=Role.ADMIN)
    request = pb.EraseTenantRequest(tenant_id=ann.tenant_id, display_name="ann")
    assert (await refused(admin.tenants.EraseTenant(request))).reason == "ROLE_NOT_ALLOWED"
    wrong = pb.EraseTenantRequest(tenant_id=ann.tenant_id, display_name="Ann")
    assert (await refused(ann.tenants.EraseTenant(wrong))).reason == "CONFIRMATION_REQUIRED"
    begun = (await ann.tenants.EraseTenant(request)).erasure
    login = auth_pb.LoginRequest(email=ann.email, password=ann.password, tenant_id=ann.tenant_id)
    assert (await refused(AuthServiceStub(stack.channel).Login(login))).reason == "TENANT_SUSPENDED"
    await work.run_due()
    done = await read(stack, begun.erasure_id)
    assert (done.state, tally(done)["auth", "tenants"]) == (erasure_pb2.Erasure.ERASED, 1)
    assert await count(stack, "SELECT count(*) FROM auth.tenants WHERE tenant_id = $1", ann.tenant_id) == 0
    # The people are not the tenant's.
    assert await count(stack, "SELECT count(*) FROM auth.users") == 2


async def test_two_replicas_never_go_on_with_the_same_erasure(stack, join, work):
    for name in ("ann", "bob"):
        await erase_me(await join(name))
    now = work.clock.now
    claimed = await asyncio.gather(*(work.store.claim(now, now + LEASE) for _ in range(4)))
    found = [each.erasure_id for each in claimed if each]
    assert len(found) == len(set(found)) == 2


async def test_the_audit_log_outlives_who_is_in_it_without_a_name(stack, join, work):
    ann = await join("ann")
    bob = await join("bob", into=ann, role=Role.OWNER)
    made = pb.CreateInvitationRequest(tenant_id=ann.tenant_id, email="guest@example.com")
    await bob.tenants.CreateInvitation(made)
    await erase_me(bob, bob.password)
    await work.run_due()
    page = await ann.tenants.ListAuditEvents(pb.ListAuditEventsRequest(tenant_id=ann.tenant_id))
    of_bob = [each for each in page.audit_events if each.actor_user_id == bob.user_id]
    assert {each.action for each in of_bob} >= {"invitation.create", "invitation.accept"}
    assert {each.actor_display_name for each in of_bob} == {""}


async def test_an_erasure_that_nobody_has_asked_for_is_not_found(stack, refused):
    error = await refused(read(stack, MISSING))
    assert (error.code, error.reason) == ("NOT_FOUND", "ERASURE_NOT_FOUND")


async def test_a_service_erases_for_auths_own_token_and_says_what_is_gone(stack):
    asked = []

    async def erase(subject):
        asked.append(subject)
        return Erased({"things": 3}, is_complete=False)

    server = build_server(name="chat", verifier=make_verifier(stack.settings, stack.signer, None))
    add_ErasureServiceServicer_to_server(ErasureServicer(erase), server.grpc)
    address = await server.start("127.0.0.1:0")
    async with open_channel(address, identity=sign_as_auth(stack.signer, CLOCK)) as channel:
        eraser = GrpcEraser("chat", channel)
        subjects = [Subject(user_id=MISSING), Subject(tenant_id=MISSING)]
        answers = [await eraser.erase(each) for each in subjects]
    await server.stop(0)
    assert asked == subjects
    assert answers == [Erased({"things": 3}, is_complete=False)] * 2


async def test_a_service_that_is_away_is_an_error_that_the_loop_waits_for(stack):
    async with open_channel("127.0.0.1:9", identity=sign_as_auth(stack.signer, CLOCK)) as channel:
        with pytest.raises(AppError) as caught:
            await GrpcEraser("chat", channel).erase(Subject(user_id=MISSING))
    assert caught.value.code == "UNAVAILABLE"
