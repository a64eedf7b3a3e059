"""Invitations, through a real server on a real database: what is mailed, who may accept it, how often."""

import asyncio
from datetime import timedelta

import asyncpg
import grpc
import pytest

from auth.tenants import invitations as flow
from docuchat.auth.v1 import tenant_pb2
from docuchat.auth.v1 import tenant_service_pb2 as pb
from servicekit.identity import Role

MEMBER, ADMIN, OWNER = tenant_pb2.Membership.MEMBER, tenant_pb2.Membership.ADMIN, tenant_pb2.Membership.OWNER


async def invite(person, email="bob@example.com", role=MEMBER):
    request = pb.CreateInvitationRequest(tenant_id=person.tenant_id, email=email, role=role)
    return (await person.tenants.CreateInvitation(request)).invitation


async def accept(person, token):
    return (await person.tenants.AcceptInvitation(pb.AcceptInvitationRequest(invitation_token=token))).membership


async def list_open(person):
    rows = await person.tenants.ListInvitations(pb.ListInvitationsRequest(tenant_id=person.tenant_id))
    return list(rows.invitations)


async def test_who_is_invited_comes_in_once_with_the_role_that_was_promised(stack, join, refused):
    ann, bob = await join("ann"), await join("bob")
    made = await invite(ann, "Bob@Example.com", ADMIN)
    (letter,) = stack.letters
    assert (letter.email, letter.tenant_name, letter.role) == ("bob@example.com", "ann", Role.ADMIN)
    assert made.expire_time.ToDatetime() - made.create_time.ToDatetime() == timedelta(days=7)
    assert [each.invitation_id for each in await list_open(ann)] == [made.invitation_id]
    membership = await accept(bob, letter.token)
    assert (membership.tenant.tenant_id, membership.role) == (ann.tenant_id, ADMIN)
    assert await list_open(ann) == []
    assert (await refused(accept(bob, letter.token))).reason == "INVITATION_NOT_FOUND"


async def test_twenty_tries_to_use_an_invitation_at_once_make_one_member(stack, join):
    ann, bob = await join("ann"), await join("bob")
    await invite(ann)
    tries = [accept(bob, stack.letters[0].token) for _ in range(20)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(each, grpc.aio.AioRpcError) for each in results) == 1


async def test_an_invitation_is_for_the_address_it_was_sent_to(stack, join, refused):
    ann, eve = await join("ann"), await join("eve")
    await invite(ann)
    error = await refused(accept(eve, stack.letters[0].token))
    assert (error.code, error.reason) == ("PERMISSION_DENIED", "INVITATION_FOR_OTHER_ADDRESS")
    # It is not used up by who may not use it.
    await accept(await join("bob"), stack.letters[0].token)


async def test_of_two_invitations_of_an_address_the_newer_one_is_good(stack, join, refused):
    ann, bob = await join("ann"), await join("bob")
    await invite(ann)
    await invite(ann)
    assert len(await list_open(ann)) == 1
    first, second = stack.letters
    assert (await refused(accept(bob, first.token))).reason == "INVITATION_NOT_FOUND"
    await accept(bob, second.token)


async def test_one_that_is_revoked_expired_or_made_up_is_not_found_alike(stack, join, refused):
    ann, bob = await join("ann"), await join("bob")
    revoked = await invite(ann)
    ids = {"tenant_id": ann.tenant_id, "invitation_id": revoked.invitation_id}
    await ann.tenants.RevokeInvitation(pb.RevokeInvitationRequest(**ids))
    await invite(ann)
    expired = stack.letters[-1].token
    connection = await asyncpg.connect(stack.database.admin_dsn)
    await connection.execute("UPDATE auth.invitations SET expire_time = now() WHERE close_time IS NULL")
    await connection.close()
    errors = [await refused(accept(bob, token)) for token in (stack.letters[0].token, expired, "made up")]
    assert {(each.code, each.reason, each.message) for each in errors} == {
        ("NOT_FOUND", "INVITATION_NOT_FOUND", errors[0].message)
    }
    assert (await refused(ann.tenants.RevokeInvitation(pb.RevokeInvitationRequest(**ids)))).reason == (
        "INVITATION_NOT_FOUND"
    )


async def test_a_member_is_not_invited_and_does_not_come_twice(stack, join, refused):
    ann = await join("ann")
    await invite(ann, "bob@example.com")
    bob = await join("bob", into=ann)
    error = await refused(invite(ann, "BOB@example.com"))
    assert (error.code, error.reason) == ("ALREADY_EXISTS", "ALREADY_MEMBER")
    assert bob.tenant_id == ann.tenant_id


async def test_only_owners_invite_owners_and_take_that_back(stack, join, refused):
    ann = await join("ann")
    admin = await join("bob", into=ann, role=Role.ADMIN)
    error = await refused(invite(admin, "cem@example.com", OWNER))
    assert (error.code, error.reason) == ("PERMISSION_DENIED", "ROLE_NOT_ALLOWED")
    made = await invite(ann, "cem@example.com", OWNER)
    ids = {"tenant_id": ann.tenant_id, "invitation_id": made.invitation_id}
    error = await refused(admin.tenants.RevokeInvitation(pb.RevokeInvitationRequest(**ids)))
    assert error.reason == "ROLE_NOT_ALLOWED"
    assert len(await list_open(ann)) == 1


async def test_a_tenant_mails_so_many_a_day_and_revoking_makes_no_room(stack, join, refused, monkeypatch):
    monkeypatch.setattr(flow, "MOST_A_DAY", 2)
    ann = await join("ann")
    for _ in range(2):
        made = await invite(ann)
        ids = {"tenant_id": ann.tenant_id, "invitation_id": made.invitation_id}
        await ann.tenants.RevokeInvitation(pb.RevokeInvitationRequest(**ids))
    error = await refused(invite(ann, "cem@example.com"))
    assert (error.code, error.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_INVITATIONS")
    assert len(stack.letters) == 2


async def test_nobody_comes_into_a_tenant_that_is_suspended(stack, join, refused):
    ann, bob = await join("ann"), await join("bob")
    await invite(ann)
    connection = await asyncpg.connect(stack.database.admin_dsn)
    await connection.execute("UPDATE auth.tenants SET suspend_time = now() WHERE tenant_id = $1", ann.tenant_id)
    assert (await refused(accept(bob, stack.letters[0].token))).reason == "TENANT_SUSPENDED"
    await connection.execute("UPDATE auth.tenants SET suspend_time = NULL")
    await connection.close()
    await accept(bob, stack.letters[0].token)


async def test_addresses_of_old_invitations_are_forgotten(stack, join):
    ann = await join("ann")
    await invite(ann, "old@example.com")
    connection = await asyncpg.connect(stack.database.admin_dsn)
    await connection.execute("UPDATE auth.invitations SET expire_time = now() - interval '2 days'")
    await invite(ann)
    assert await connection.fetchval("SELECT count(*) FROM auth.invitations WHERE email = 'old@example.com'") == 0
    await connection.close()


async def test_an_invitation_whose_letter_cannot_be_queued_is_none(stack, join, monkeypatch):
    async def fail(_connection, _letter):
        raise RuntimeError("no room in the outbox")

    ann = await join("ann")
    monkeypatch.setattr(stack.tenants.invitations.store, "_queue", fail)
    with pytest.raises(grpc.aio.AioRpcError):
        await invite(ann)
    assert await list_open(ann) == []


async def test_the_mail_holds_the_secret_and_says_into_what(stack, join):
    ann = await join("ann")
    await invite(ann)
    letters = [mail for mail in await stack.read_mail() if mail["To"] == "bob@example.com"]
    (text,) = [mail.get_content() for mail in letters]
    assert stack.letters[0].token in text
    assert "\nann\n" in text
    assert stack.letters[0].token[:8] not in letters[0]["Subject"]


async def test_neither_the_secret_nor_its_start_is_in_the_database(stack, join):
    ann = await join("ann")
    await invite(ann)
    connection = await asyncpg.connect(stack.database.admin_dsn)
    stored = str(await connection.fetch("SELECT * FROM auth.invitations"))
    await connection.close()
    assert stack.letters[0].token[:8] not in stored
