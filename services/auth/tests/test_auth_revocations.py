"""Which sessions have ended, from auth's table to the verifiers of other services."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import grpc
import pytest

from auth.accounts.revocations import BATCH
from auth.model.accounts import Registration
from auth.server import CLOCK
from docuchat.auth.v1 import auth_service_pb2 as pb
from docuchat.auth.v1 import user_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceStub
from servicekit.config import ServiceSettings
from servicekit.errors import DependencyUnavailable
from servicekit.identity import Role
from servicekit.revocation import Announcement
from servicekit.rpc.trust import trust_auth
from servicekit.tokens import TokenInvalid

PASSWORD = "violet tractor hums at dawn"


async def join(needs, name="ann"):
    return (await needs.users.sign_up(Registration(f"{name}@example.com", PASSWORD))).tokens


@asynccontextmanager
async def following(follow):
    task = asyncio.create_task(follow())
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def ended_sessions(needs):
    return [each.session_id for each in needs.sessions.sessions.values() if each.revoke_time]


async def test_whoever_watches_hears_of_all_ended_sessions_and_then_of_each_new_one(needs):
    first, second = await join(needs), await join(needs, "bob")
    await needs.flow.end(first.refresh_token)
    feed = needs.feed(interval=0.01)
    async with following(feed.follow):
        heard = feed.watch()
        assert (await anext(heard)).session_ids == await ended_sessions(needs)
        await needs.flow.end(second.refresh_token)
        (late,) = (await asyncio.wait_for(anext(heard), 1)).session_ids
        assert late in await ended_sessions(needs)


async def test_whoever_watches_is_told_when_all_have_been_named_also_where_there_are_none(needs):
    feed = needs.feed(interval=0.01)
    async with following(feed.follow):
        assert await asyncio.wait_for(anext(feed.watch()), 1) == Announcement([], caught_up=True)


async def test_before_the_store_was_read_nobody_is_told_anything(needs):
    needs.sessions.failure = DependencyUnavailable("postgresql")
    await needs.flow.end((await join(needs)).refresh_token)
    feed = needs.feed(interval=0.01)
    async with following(feed.follow):
        heard = asyncio.ensure_future(anext(feed.watch()))
        await asyncio.sleep(0.05)
        assert not heard.done()
        needs.sessions.failure = None
        assert (await asyncio.wait_for(heard, 1)).session_ids == await ended_sessions(needs)


async def test_a_session_is_no_longer_named_when_its_access_tokens_are_over(needs):
    await needs.flow.end((await join(needs)).refresh_token)
    needs.clock.advance(minutes=18)
    feed = needs.feed(interval=0.01)
    async with following(feed.follow):
        assert (await asyncio.wait_for(anext(feed.watch()), 1)).session_ids == []


async def test_a_database_that_is_away_ends_neither_the_feed_nor_who_begins_to_watch(needs):
    await needs.flow.end((await join(needs)).refresh_token)
    feed = needs.feed(interval=0.01)
    async with following(feed.follow) as task:
        needs.sessions.failure = DependencyUnavailable("postgresql")
        late = asyncio.ensure_future(anext(feed.watch()))
        await asyncio.sleep(0.05)
        assert not task.done()
        assert not late.done()
        needs.sessions.failure = None
        assert (await asyncio.wait_for(late, 1)).session_ids == await ended_sessions(needs)


async def test_many_ended_sessions_come_in_messages_of_bounded_size(needs, monkeypatch):
    async def list_revoked(_since):
        return [str(number) for number in range(BATCH + 1)]

    monkeypatch.setattr(needs.sessions, "list_revoked", list_revoked)
    feed = needs.feed(interval=0.01)
    async with following(feed.follow):
        heard = feed.watch()
        told = [await anext(heard), await anext(heard)]
    assert [(len(each.session_ids), each.caught_up) for each in told] == [(BATCH, False), (1, True)]


async def test_the_end_of_the_feed_lets_everyone_go(needs):
    feed = needs.feed(interval=0.01)
    async with following(feed.follow):
        heard = feed.watch()
        await anext(heard)
        waiting = asyncio.ensure_future(anext(heard, None))
        await asyncio.sleep(0)
        feed.close()
        assert await asyncio.wait_for(waiting, 1) is None


async def verify_again_and_again(verifier, token):
    while True:
        await verifier.verify(token)
        await asyncio.sleep(0.02)


def trust(stack, name="retrieval"):
    secret = f"the secret of {name}"
    settings = ServiceSettings(database_url=stack.database.url, auth_target=stack.address, service_secret=secret)
    return trust_auth(settings, name)


async def test_after_log_out_another_service_refuses_the_access_token_within_seconds(stack):
    stub = AuthServiceStub(stack.channel)
    made = await stub.SignUp(pb.SignUpRequest(email="ann@example.com", password=PASSWORD))
    other = await stub.Login(pb.LoginRequest(email="ann@example.com", password=PASSWORD))
    async with trust(stack) as (verifier, follow), following(follow):
        await verifier.verify(made.tokens.access_token)
        await stub.Logout(pb.LogoutRequest(refresh_token=made.tokens.refresh_token))
        with pytest.raises(TokenInvalid):
            await asyncio.wait_for(verify_again_and_again(verifier, made.tokens.access_token), 5)
        await verifier.verify(other.tokens.access_token)


async def test_auth_itself_refuses_the_access_token_of_an_ended_session(stack):
    stub = AuthServiceStub(stack.channel)
    made = await stub.SignUp(pb.SignUpRequest(email="ann@example.com", password=PASSWORD))
    await stub.Logout(pb.LogoutRequest(refresh_token=made.tokens.refresh_token))
    async with stack.channel_with(made.tokens.access_token) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(get_me_again_and_again(channel), 5)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def get_me_again_and_again(channel):
    while True:
        await UserServiceStub(channel).GetMe(user_service_pb2.GetMeRequest())
        await asyncio.sleep(0.02)


async def test_a_service_that_starts_later_still_knows_which_sessions_have_ended(stack):
    stub = AuthServiceStub(stack.channel)
    made = await stub.SignUp(pb.SignUpRequest(email="ann@example.com", password=PASSWORD))
    await stub.Logout(pb.LogoutRequest(refresh_token=made.tokens.refresh_token))
    async with trust(stack) as (verifier, follow), following(follow):
        # Without a pause: the first call comes before the list does.
        with pytest.raises(TokenInvalid):
            await verifier.verify(made.tokens.access_token)


LOST = {
    "member": "DELETE FROM auth.memberships WHERE user_id = $1",
    "user": "DELETE FROM auth.users WHERE user_id = $1",
}


@pytest.mark.parametrize("statement", LOST.values(), ids=LOST)
async def test_the_access_token_of_a_removed_member_or_user_is_refused_within_seconds(stack, statement):
    stub = AuthServiceStub(stack.channel)
    made = await stub.SignUp(pb.SignUpRequest(email="ann@example.com", password=PASSWORD))
    other = await stub.SignUp(pb.SignUpRequest(email="bob@example.com", password=PASSWORD))
    async with trust(stack) as (verifier, follow), following(follow):
        await verifier.verify(made.tokens.access_token)
        connection = await asyncpg.connect(stack.database.admin_dsn)
        await connection.execute(statement, made.user.user_id)
        await connection.close()
        with pytest.raises(TokenInvalid):
            await asyncio.wait_for(verify_again_and_again(verifier, made.tokens.access_token), 5)
        await verifier.verify(other.tokens.access_token)


@pytest.mark.parametrize("is_person", [True, False])
async def test_who_is_no_service_hears_nothing(stack, is_person):
    made = await AuthServiceStub(stack.channel).SignUp(pb.SignUpRequest(email="ann@example.com", password=PASSWORD))
    async with stack.channel_with(made.tokens.access_token if is_person else "") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await AuthServiceStub(channel).WatchRevocations(pb.WatchRevocationsRequest()).read()
    expected = grpc.StatusCode.PERMISSION_DENIED if is_person else grpc.StatusCode.UNAUTHENTICATED
    assert caught.value.code() is expected


async def test_only_the_services_that_are_named_hear_of_ended_sessions(stack):
    token = stack.services.issue_token("ingestion", "the secret of ingestion").access_token
    stranger = stack.signer.sign(
        subject="gateway",
        role=Role.SERVICE,
        now=CLOCK(),
        expire_time=CLOCK() + timedelta(hours=1),
    )
    for shown, code in ((token, None), (stranger, grpc.StatusCode.PERMISSION_DENIED)):
        async with stack.channel_with(shown) as channel:
            call = AuthServiceStub(channel).WatchRevocations(pb.WatchRevocationsRequest())
            if code is None:
                assert (await asyncio.wait_for(call.read(), 5)).caught_up
                continue
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() is code
